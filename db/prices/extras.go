package prices

import "strings"

// Extra is a service that a renter pays in addition to the rent: a driver, a child
// seat, a ride to the airport.
type Extra struct {
	Name   string
	Amount Money // at least 0
	PerDay bool  // Amount is for each full day of the rental, at least one
}

// extraLines returns a line for each extra. full is the number of full days of the
// rental: 6 days that cost a week are 6 days, and the hours beyond them are not a day.
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

// Discount reduces the price for a customer by an amount or by a percentage. The other
// one is 0. Both are at least 0.
type Discount struct {
	Amount  Money
	Percent Percent // of rent, seasons and extras
	Reason  string  // for the label, may be empty
}

// ParseDiscount returns the discount in text: an amount, written as for Currency.Parse,
// or a percentage with a percent sign. Its errors are InputErrors.
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

// line returns the line of the discount on an amount of at least 0. The line is negative,
// and not larger than that amount.
func (d Discount) line(on Money) (Line, error) {
	if !inRange(d.Amount) || d.Percent < 0 || d.Percent > MaxPercent || d.Amount != 0 && d.Percent != 0 {
		return Line{}, ErrOutOfRange
	}
	off, label := d.Amount, "Discount"
	if d.Percent != 0 {
		// A discount of more than 100 % is one of 100 %. The product might be too large.
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
