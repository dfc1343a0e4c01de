package prices

// Request has everything that the price of a rental depends on.
type Request struct {
	Currency Currency
	Span     Span // from pick-up to the agreed end
	Rule     DayRule
	Rates    Rates
	Seasons  []Season // in the order of their lines
	Extras   []Extra  // in the order of their lines
	Discount Discount
	Tax      Tax
	Deposit  Money // the deposit of the car; it is not a part of the price
}

// Quote is the price of a rental.
type Quote struct {
	Bill          // its Charges are of the kinds rent, season, extra, discount and tax, in this order
	Days    int64 // the full days that are paid, at least 1
	Hours   int64 // the hours that are paid in addition
	Deposit Money
}

// Quote returns the price of the rental. A car without a daily rate has no charges.
//
// Its errors are ErrSpan; ErrOutOfRange for a rate, amount or percentage that no user
// may enter; and ErrTooLarge for a line or a total beyond MaxTotal.
func (r Request) Quote() (Quote, error) {
	paid, lines, err := r.rent(r.Span)
	if err != nil {
		return Quote{}, err
	}
	if !inRange(r.Deposit) {
		return Quote{}, ErrOutOfRange
	}
	if r.Rates.Daily != nil {
		if lines, err = r.addExtras(lines, paid.full); err != nil {
			return Quote{}, err
		}
	}
	bill, err := r.Tax.Bill(lines)
	if err != nil {
		return Quote{}, err
	}
	return Quote{bill, paid.days, paid.hours, r.Deposit}, nil
}

// rent returns the rent of s, and its lines with those of the seasons.
func (r Request) rent(s Span) (rent, []Line, error) {
	if err := s.check(); err != nil {
		return rent{}, nil, err
	}
	if err := r.Rule.check(); err != nil {
		return rent{}, nil, err
	}
	if err := r.Rates.check(); err != nil {
		return rent{}, nil, err
	}
	paid, err := rentOf(r.Currency, s, r.Rule, r.Rates)
	if err != nil {
		return rent{}, nil, err
	}
	seasons, err := seasonLines(r.Seasons, paid, s.Start.Day())
	if err != nil {
		return rent{}, nil, err
	}
	return paid, append(paid.lines, seasons...), nil
}

// addExtras adds the extras and the discount to the lines of rent and seasons.
func (r Request) addExtras(lines []Line, full int64) ([]Line, error) {
	extras, err := extraLines(r.Extras, full)
	if err != nil {
		return nil, err
	}
	lines = append(lines, extras...)
	on, err := sum(lines)
	if err != nil {
		return nil, err
	}
	discount, err := r.Discount.line(on)
	if err != nil {
		return nil, err
	}
	if discount.Amount != 0 {
		lines = append(lines, discount)
	}
	return lines, nil
}
