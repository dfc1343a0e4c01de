package prices

// Rates are the prices of a car. A rate is at least 0 and at most MaxAmount, and nil if
// the car has none. A car without a daily rate has no price.
type Rates struct {
	Daily     *Money
	Weekly    *Money // for 7 days
	Monthly   *Money // for 30 days
	ExtraHour *Money // for an hour beyond the last full day; nil means DayRule.ExtraHourPercent
}

const (
	daysPerWeek  = 7
	daysPerMonth = 30
)

func (r Rates) check() error {
	for _, rate := range [...]*Money{r.Daily, r.Weekly, r.Monthly, r.ExtraHour} {
		if rate != nil && !inRange(*rate) {
			return ErrOutOfRange
		}
	}
	return nil
}

// inRange reports whether m is an amount that a user may enter as a price.
func inRange(m Money) bool { return m >= 0 && m <= MaxAmount }

// hourly returns what an hour beyond the last full day costs. A percentage of the
// daily rate is rounded, so that the amount of a line is its hours times their price.
func (r Rates) hourly(rule DayRule) (Money, error) {
	if r.ExtraHour != nil {
		return *r.ExtraHour, nil
	}
	return r.Daily.Percent(rule.ExtraHourPercent)
}

// cover is a way to pay for days: months, weeks and days that are together at least
// as long.
type cover struct {
	months, weeks, days int64
	cost                Money
}

// cheapestCover returns the cheapest way to pay for n days, at least 1. A week or a
// month may cover fewer days than it has: 6 days may cost a week. Of two covers that
// cost the same, the one with more months goes first, then the one with more weeks.
// r.Daily is set.
//
// It tries at most 61 covers, whatever n is. 7 months are as long as 30 weeks. If
// they cost no more, a cover with 30 weeks can have 7 months instead, so that a
// cheapest cover has fewer than 30 weeks. For each number of weeks, the days that are
// left are paid with as many months as fit, and days, or with one month more. This
// is cheapest if a month costs no more than 30 days. If it costs more, a week costs
// more than 7 days as well, and days alone are cheapest. If 7 months cost more than
// 30 weeks, the same is true with months and weeks exchanged: a cheapest cover has
// fewer than 7 months.
func (r Rates) cheapestCover(n int64) cover {
	var best cover
	found := false
	try := func(months, weeks int64) {
		c := cover{months: months, weeks: weeks, days: max(0, n-months*daysPerMonth-weeks*daysPerWeek)}
		if c.wasteful(n) {
			return
		}
		// Rates are at most 10^12 and n is at most 4 * 10^6: this fits in an int64.
		c.cost = Money(c.days) * *r.Daily
		if weeks > 0 {
			c.cost += Money(weeks) * *r.Weekly
		}
		if months > 0 {
			c.cost += Money(months) * *r.Monthly
		}
		if !found || c.before(best) {
			best, found = c, true
		}
	}
	try(0, 0) // days alone
	switch {
	case r.Monthly != nil && (r.Weekly == nil || daysPerWeek**r.Monthly <= daysPerMonth**r.Weekly):
		for weeks := int64(0); weeks < daysPerMonth; weeks++ {
			fit := max(0, n-weeks*daysPerWeek) / daysPerMonth
			try(fit, weeks)
			try(fit+1, weeks)
			if r.Weekly == nil || weeks*daysPerWeek >= n {
				break
			}
		}
	case r.Weekly != nil:
		for months := int64(0); months < daysPerWeek; months++ {
			fit := max(0, n-months*daysPerMonth) / daysPerWeek
			try(months, fit)
			try(months, fit+1)
			if r.Monthly == nil || months*daysPerMonth >= n {
				break
			}
		}
	}
	return best
}

// wasteful reports whether c still covers n days if one of its months, weeks or days is
// left out.
func (c cover) wasteful(n int64) bool {
	spare := c.months*daysPerMonth + c.weeks*daysPerWeek + c.days - n
	switch {
	case c.days > 0:
		return spare >= 1
	case c.weeks > 0:
		return spare >= daysPerWeek
	}
	return spare >= daysPerMonth
}

// before reports whether c is better than d: it is cheaper, or costs the same and has
// more of the larger units.
func (c cover) before(d cover) bool {
	switch {
	case c.cost != d.cost:
		return c.cost < d.cost
	case c.months != d.months:
		return c.months > d.months
	}
	return c.weeks > d.weeks
}

// rent is the price of a span by the rates of a car.
type rent struct {
	full   int64 // the full days of the span, at least 1, with or without months and weeks
	days   int64 // the full days that are paid
	hours  int64 // the hours that are paid in addition
	lines  []Line
	amount Money // the sum of lines
}

// rentOf returns the rent of s. If the hours cost as much as one day more or more, that
// day is paid instead of the hours. Days can then become a week, if a week is cheaper.
// Hours that cost nothing are not counted. Without a daily rate there are no lines, and
// days and hours are those of the day rule.
func rentOf(c Currency, s Span, rule DayRule, rates Rates) (rent, error) {
	full, hours := rule.count(s)
	r := rent{full: full, days: full, hours: hours}
	if rates.Daily == nil {
		return r, nil
	}
	price, err := rates.hourly(rule)
	if err != nil {
		return rent{}, err
	}
	if price == 0 {
		r.hours = 0
	}
	paid := rates.cheapestCover(r.days)
	if r.hours > 0 {
		more := rates.cheapestCover(r.days + 1)
		if Money(r.hours)*price >= more.cost-paid.cost {
			r.days, r.hours, paid = r.days+1, 0, more
		}
	}
	r.lines = make([]Line, 0, 8)
	for _, part := range [...]struct {
		quantity int64
		unit     Unit
		price    *Money
	}{
		{paid.months, UnitMonth, rates.Monthly},
		{paid.weeks, UnitWeek, rates.Weekly},
		{paid.days, UnitDay, rates.Daily},
		{r.hours, UnitHour, &price},
	} {
		if part.quantity == 0 {
			continue
		}
		line, err := c.line(KindRent, part.quantity, part.unit, *part.price)
		if err != nil {
			return rent{}, err
		}
		r.lines = append(r.lines, line)
		if r.amount, err = r.amount.Add(line.Amount); err != nil {
			return rent{}, err
		}
	}
	return r, nil
}

// spread returns the number of days over which the rent is spread for the seasons. The
// hours count as one more day.
func (r rent) spread() int64 {
	if r.hours > 0 {
		return r.days + 1
	}
	return r.days
}
