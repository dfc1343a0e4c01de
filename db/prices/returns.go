package prices

import "strconv"

// Late returns the charge for a car that came back at that moment, or nil if there
// is none. It is the price of the time from pick-up to return, minus the price of the
// time from pick-up to the agreed end, by the rental's own rates and seasons.
// These prices do not include extras, the discount and an added tax: an extra for the
// days beyond the end is a charge of its own, and Tax.Bill computes the tax.
//
// Its errors are those of Quote.
func (r Request) Late(returned Moment) (*Line, error) {
	if returned <= r.Span.End {
		return nil, r.Span.check()
	}
	_, agreed, err := r.rent(r.Span)
	if err != nil {
		return nil, err
	}
	_, actual, err := r.rent(Span{r.Span.Start, returned})
	if err != nil {
		return nil, err
	}
	was, err := sum(agreed)
	if err != nil {
		return nil, err
	}
	is, err := sum(actual)
	if err != nil || is <= was {
		return nil, err
	}
	line := once(KindLate, "Late return", is-was)
	return &line, nil
}

// Mileage is the distance that a car was driven, and how much of it the rent includes.
type Mileage struct {
	Km     int64  // driven from hand-over to return, at least 0
	PerDay *int64 // km that the rent includes for each begun day, at least 0; nil means any distance
	Rate   *Money // for each km beyond; nil means that they are free
}

// Charge returns the charge for the distance beyond the allowance, or nil if there is
// none. s is from the agreed start to the later of the agreed end and the return.
// Its days are begun days of 24 hours, or days of the calendar if the rule counts these.
//
// Its errors are ErrSpan, ErrOutOfRange and ErrTooLarge.
func (m Mileage) Charge(c Currency, s Span, rule DayRule) (*Line, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if m.PerDay == nil || m.Rate == nil {
		return nil, nil
	}
	if m.Km < 0 || m.Km > maxKm || *m.PerDay < 0 || *m.PerDay > maxKm || !inRange(*m.Rate) {
		return nil, ErrOutOfRange
	}
	days := s.begunDays()
	if rule.Calendar {
		days = s.calendarDays()
	}
	beyond := m.Km - *m.PerDay*days
	if beyond <= 0 || *m.Rate == 0 {
		return nil, nil
	}
	line, err := c.line(KindKm, beyond, UnitKm, *m.Rate)
	if err != nil {
		return nil, err
	}
	return &line, nil
}

// maxKm is more than any odometer shows. Multiplied by 4 * 10^6 days, it fits in an int64.
const maxKm = 1e12

// Fuel is the fuel in the tank, in eighths from 0 to 8, and the price of fuel.
type Fuel struct {
	Out, In    int64  // at hand-over and at return
	TankLitres *int64 // at least 0; nil if unknown
	Price      *Money // of a litre; nil means that fuel is free
	Fee        *Money // is added if fuel is missing; nil means no fee
}

// Charge returns the charge for missing fuel, or nil if there is none. The shop never pays
// for extra fuel. The fee is due only if fuel is missing.
//
// Its errors are ErrOutOfRange and ErrTooLarge.
func (f Fuel) Charge(c Currency) (*Line, error) {
	const full = 8
	missing := f.Out - f.In
	switch {
	case f.Out < 0 || f.Out > full || f.In < 0 || f.In > full:
		return nil, ErrOutOfRange
	case missing <= 0 || f.TankLitres == nil || f.Price == nil:
		return nil, nil
	}
	var fee Money
	if f.Fee != nil {
		fee = *f.Fee
	}
	if *f.TankLitres < 0 || *f.TankLitres > maxTank || !inRange(*f.Price) || !inRange(fee) {
		return nil, ErrOutOfRange
	}
	fuel, err := f.Price.fraction(missing**f.TankLitres, full)
	if err != nil {
		return nil, err
	}
	amount, err := fuel.Add(fee)
	if err != nil || amount == 0 {
		return nil, err
	}
	label := strconv.FormatInt(missing, 10) + "/8 of " + strconv.FormatInt(*f.TankLitres, 10) + " litres × " + c.Label(*f.Price)
	if fee != 0 {
		label += " + " + c.Label(fee)
	}
	return &Line{Kind: KindFuel, Label: label, Quantity: missing, Unit: UnitEighth, Amount: amount}, nil
}

// maxTank is more litres than any tank holds.
const maxTank = 10_000
