package prices

import "strings"

// Extra is a service that a renter pays in addition to the rent: a driver, a child
// seat, the way to the airport.
type Extra struct {
	Name   string
	Amount Money // at least 0
	PerDay bool  // Amount is for each full day of the rental, at least one
}

// extraLines returns a line for each extra. full is the full days of the rental: 6
// days that cost a week are 6, and hours left over add none.
func extraLines(extras []Extra, full int64) ([]Line, error) {
	lines := make([]Line, 0, len(extras))
	for _, e := range extras {
		if !inRange(e.Amount) {
			return nil, ErrOutOfRange
		}
		line := once(KindExtra, e.Name, e.Amount)
		if e.PerDay {
			line.Quantity, line.Unit = full, UnitDay
			var err error
			if line.Amount, err = e.Amount.Times(full); err != nil {
				return nil, err
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// Discount is what a customer pays less: an amount or a percentage, of which one is
// 0. Both are at least 0.
type Discount struct {
	Amount  Money
	Percent Percent // of rent, seasons and extras
	Reason  string  // for the label, may be empty
}

// ParseDiscount returns the discount that text writes: an amount as Currency.Parse
// takes it, or a percentage with a percent sign. Its errors are InputErrors.
func ParseDiscount(c Currency, text string) (Discount, error) {
	if _, percent := cutPercentSign(text); percent {
		p, err := ParsePercent(text)
		if err == nil && p < 0 {
			err = errNegative
		}
		if err != nil {
			return Discount{}, err
		}
		return Discount{Percent: p}, nil
	}
	m, err := c.Parse(text)
	if err == nil && m < 0 {
		err = errNegative
	}
	if err != nil {
		return Discount{}, err
	}
	return Discount{Amount: m}, nil
}

const errNegative InputError = "Ensure this value is greater than or equal to 0."

// line returns the negative line of the discount on an amount of at least 0, which
// it does not exceed.
func (d Discount) line(on Money) (Line, error) {
	if !inRange(d.Amount) || d.Percent < 0 || d.Percent > MaxPercent || d.Amount != 0 && d.Percent != 0 {
		return Line{}, ErrOutOfRange
	}
	off, label := d.Amount, "Discount"
	if d.Percent != 0 {
		// More than all of it is not possible, and might be too large a product.
		p := min(d.Percent, hundredPercent)
		label += " " + d.Percent.String() + " %"
		var err error
		if off, err = on.Percent(p); err != nil {
			return Line{}, err
		}
	}
	if reason := strings.TrimSpace(d.Reason); reason != "" {
		label += ", " + reason
	}
	return once(KindDiscount, label, -min(off, on)), nil
}
