package prices_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"

	"onenow/db/prices"
)

// model is the price of a request by a slow computation: it loops over hours and days,
// tries each cover of each number of days, and uses fractions.
type model struct {
	days, hours int64
	kinds       map[prices.Kind]int64 // the sum of each kind of charge
	total, tax  int64
}

func modelOf(r prices.Request) model {
	m := model{kinds: map[prices.Kind]int64{}}
	full, left := int64(0), int64(0)
	if r.Rule.Calendar {
		for day := r.Span.Start.Day(); day <= r.Span.End.Day(); day++ {
			full++
		}
	} else {
		at := r.Span.Start
		for ; at+24*60 <= r.Span.End; at += 24 * 60 {
			full++
		}
		beyondGrace := at+prices.Moment(r.Rule.GraceMinutes) < r.Span.End
		for ; at < r.Span.End && beyondGrace; at += 60 {
			left++
		}
		if full == 0 {
			full, left = 1, 0
		}
		if r.Rule.FullDayAfterHours > 0 && left > r.Rule.FullDayAfterHours {
			full, left = full+1, 0
		}
	}
	m.days, m.hours = full, left
	if r.Rates.Daily == nil {
		return m
	}
	costs := costsOf(r.Rates, full+1)
	hour := rounded(int64(*r.Rates.Daily)*int64(r.Rule.ExtraHourPercent), 10000)
	if r.Rates.ExtraHour != nil {
		hour = int64(*r.Rates.ExtraHour)
	}
	if hour == 0 {
		m.hours = 0
	}
	rent := costs[full] + m.hours*hour
	if m.hours > 0 && rent >= costs[full+1] {
		rent, m.days, m.hours = costs[full+1], full+1, 0
	}
	m.kinds[prices.KindRent] = rent
	spread := m.days
	if m.hours > 0 {
		spread++
	}
	for _, s := range r.Seasons {
		season := new(big.Rat)
		for day := r.Span.Start.Day(); day < r.Span.Start.Day()+prices.Day(spread); day++ {
			if day >= s.Start && day <= s.End {
				part := big.NewRat(rent, spread)
				season.Add(season, part.Mul(part, big.NewRat(int64(s.Percent), 10000)))
			}
		}
		m.kinds[prices.KindSeason] += roundHalfAway(season)
	}
	for _, e := range r.Extras {
		times := int64(1)
		if e.PerDay {
			times = full
		}
		m.kinds[prices.KindExtra] += times * int64(e.Amount)
	}
	before := m.kinds[prices.KindRent] + m.kinds[prices.KindSeason] + m.kinds[prices.KindExtra]
	m.kinds[prices.KindDiscount] = -min(before, int64(r.Discount.Amount)+rounded(before*int64(r.Discount.Percent), 10000))
	m.total = before + m.kinds[prices.KindDiscount]
	if r.Tax.Included {
		m.tax = rounded(m.total*int64(r.Tax.Percent), 10000+int64(r.Tax.Percent))
	} else {
		m.tax = rounded(m.total*int64(r.Tax.Percent), 10000)
		m.kinds[prices.KindTax] = m.tax
		m.total += m.tax
	}
	return m
}

func rounded(n, d int64) int64 { return roundHalfAway(big.NewRat(n, d)) }

// costsOf returns the least cost of each number of days up to n.
func costsOf(rates prices.Rates, n int64) []int64 {
	costs := make([]int64, n+1)
	for days := int64(1); days <= n; days++ {
		costs[days] = costs[days-1] + int64(*rates.Daily)
		if rates.Weekly != nil {
			costs[days] = min(costs[days], costs[max(0, days-7)]+int64(*rates.Weekly))
		}
		if rates.Monthly != nil {
			costs[days] = min(costs[days], costs[max(0, days-30)]+int64(*rates.Monthly))
		}
	}
	return costs
}

// randomRequest returns a request whose seasons together leave a rent above 0.
func randomRequest(rnd *rand.Rand) prices.Request {
	amount := func(most int64) prices.Money {
		m := prices.Money(rnd.Int64N(most))
		if rnd.IntN(2) == 0 {
			m -= m % 100 // whole rupees, so that costs are often equal
		}
		return m
	}
	maybe := func(most int64) *prices.Money {
		if rnd.IntN(3) == 0 {
			return nil
		}
		m := amount(most)
		return &m
	}
	percent := func(most int64) prices.Percent {
		if rnd.IntN(3) == 0 {
			return 0
		}
		return prices.Percent(rnd.Int64N(most))
	}
	start := prices.Moment(rnd.Int64N(60*365*1440)) - 5*365*1440
	length := rnd.Int64N(12 * 1440)
	if rnd.IntN(3) == 0 {
		length = rnd.Int64N(300 * 1440)
	}
	daily := amount(2000) + 1
	r := prices.Request{
		Currency: pkr,
		Span:     prices.Span{Start: start, End: start + 1 + prices.Moment(length)},
		Rule: prices.DayRule{
			Calendar: rnd.IntN(4) == 0, GraceMinutes: rnd.Int64N(150), ExtraHourPercent: percent(5000), FullDayAfterHours: max(0, rnd.Int64N(20)-8),
		},
		Rates:    prices.Rates{Daily: &daily, Weekly: maybe(14000), Monthly: maybe(60000), ExtraHour: maybe(500)},
		Discount: prices.Discount{Percent: percent(12000)},
		Tax:      prices.Tax{Percent: percent(3000), Included: rnd.IntN(2) == 0},
	}
	if rnd.IntN(10) == 0 {
		r.Rates.Daily = nil
	}
	if r.Discount.Percent == 0 {
		r.Discount.Amount = amount(5000)
	}
	for range rnd.IntN(3) {
		from := start.Day() + prices.Day(rnd.IntN(40)-20)
		r.Seasons = append(r.Seasons, prices.Season{Start: from, End: from + prices.Day(rnd.IntN(30)), Percent: prices.Percent(rnd.IntN(10000) - 4900)})
		r.Extras = append(r.Extras, prices.Extra{Amount: amount(3000), PerDay: rnd.IntN(2) == 0})
	}
	return r
}

func describe(r prices.Request) string {
	text := func(m *prices.Money) string {
		if m == nil {
			return "none"
		}
		return fmt.Sprint(int64(*m))
	}
	return fmt.Sprintf("%s to %s, %+v, daily %s, weekly %s, monthly %s, hour %s, %+v, %+v, %+v, %+v", r.Span.Start, r.Span.End, r.Rule,
		text(r.Rates.Daily), text(r.Rates.Weekly), text(r.Rates.Monthly), text(r.Rates.ExtraHour), r.Seasons, r.Extras, r.Discount, r.Tax)
}

// checkModel compares a quote with the model.
func checkModel(t *testing.T, r prices.Request) {
	t.Helper()
	q := quote(t, r)
	got := model{days: q.Days, hours: q.Hours, kinds: map[prices.Kind]int64{}, total: int64(q.Total), tax: int64(q.Tax)}
	for _, line := range q.Charges {
		got.kinds[line.Kind] += int64(line.Amount)
	}
	want := modelOf(r)
	for _, kinds := range []map[prices.Kind]int64{got.kinds, want.kinds} {
		for kind, amount := range kinds {
			if amount == 0 {
				delete(kinds, kind)
			}
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", describe(r), got, want)
	}
}

func TestQuotesAgreeWithTheModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		checkModel(t, randomRequest(rnd))
		if t.Failed() {
			return
		}
	}
}

// TestCoversAreCheapest compares the rent of many numbers of days with the least
// cost, for rates at which months, weeks and days cost about the same or the same.
func TestCoversAreCheapest(t *testing.T) {
	const most = 260
	none := int64(-1)
	for _, daily := range []int64{0, 5, 9} {
		for _, weekly := range []int64{none, 0, 5, 7, 29, 30, 35, 36, 63, 64, 70} {
			for _, monthly := range []int64{none, 0, 20, 29, 30, 31, 123, 124, 125, 150, 151, 200, 269, 270, 271, 300} {
				rates := prices.Rates{Daily: rate(daily)}
				if weekly != none {
					rates.Weekly = rate(weekly)
				}
				if monthly != none {
					rates.Monthly = rate(monthly)
				}
				costs := costsOf(rates, most)
				for days := int64(1); days <= most; days += 1 + days/40 {
					q := quote(t, prices.Request{Currency: pkr, Span: lasting(days, 0, 0), Rates: rates})
					if int64(q.Total) != costs[days] {
						t.Fatalf("%d days at %d, %d, %d: got %s, want %d", days, daily, weekly, monthly, summary(q), costs[days])
					}
					if days <= 75 {
						checkCover(t, q, rates, days)
					}
				}
			}
		}
	}
}

// checkCover fails if a cover wastes a unit, or if a cover of the same cost has more
// of the larger units.
func checkCover(t *testing.T, q prices.Quote, rates prices.Rates, days int64) {
	t.Helper()
	var months, weeks, single int64
	for _, line := range q.Charges {
		switch line.Unit {
		case prices.UnitMonth:
			months = line.Quantity
		case prices.UnitWeek:
			weeks = line.Quantity
		case prices.UnitDay:
			single = line.Quantity
		}
	}
	spare := 30*months + 7*weeks + single - days
	if spare < 0 || single > 0 && spare > 0 || weeks > 0 && spare >= 7 || months > 0 && spare >= 30 {
		t.Fatalf("%d days: %s covers %d more", days, summary(q), spare)
	}
	for m := int64(0); m <= days/30+1; m++ {
		if m > 0 && rates.Monthly == nil {
			break
		}
		for w := int64(0); w <= max(0, days-30*m)/7+1; w++ {
			if w > 0 && rates.Weekly == nil {
				break
			}
			d := max(0, days-30*m-7*w)
			excess := 30*m + 7*w + d - days
			if w > 0 && excess >= 7 || w == 0 && m > 0 && excess >= 30 {
				continue // it wastes a unit
			}
			cost := prices.Money(d) * *rates.Daily
			if m > 0 {
				cost += prices.Money(m) * *rates.Monthly
			}
			if w > 0 {
				cost += prices.Money(w) * *rates.Weekly
			}
			if cost == q.Total && (m > months || m == months && w > weeks) {
				t.Fatalf("%d days: got %s, want %d months, %d weeks, %d days", days, summary(q), m, w, d)
			}
		}
	}
}

// checkProperties fails if a quote breaks a promise of the package.
func checkProperties(t *testing.T, r prices.Request) {
	t.Helper()
	q, err := r.Quote()
	again, againErr := r.Quote()
	if !reflect.DeepEqual(q, again) || err != againErr {
		t.Errorf("%s: the second quote differs", describe(r))
	}
	if err != nil {
		if len(q.Charges) != 0 || q.Total != 0 {
			t.Errorf("%s: a quote with the error %v", describe(r), err)
		}
		return
	}
	var sum, rent prices.Money
	for _, line := range q.Charges {
		sum += line.Amount
		if line.Kind == prices.KindRent {
			rent += line.Amount
		}
		if line.Price != 0 && line.Amount != line.Price*prices.Money(line.Quantity) {
			t.Errorf("%s: %s is %d, want quantity times price", describe(r), line.Label, line.Amount)
		}
	}
	if sum != q.Total || q.Total < 0 || q.Total > prices.MaxTotal {
		t.Errorf("%s: the total is %d and the lines add up to %d", describe(r), q.Total, sum)
	}
	if q.Tax < 0 || q.Tax > q.Total || q.Days < 1 || q.Hours < 0 || q.Hours > 24 {
		t.Errorf("%s: got %s", describe(r), summary(q))
	}
	// A longer rental does not have a lower rent.
	for _, longer := range []prices.Moment{1, 60, 24 * 60, 7 * 24 * 60} {
		l := r
		l.Span.End += longer
		l.Seasons, l.Extras, l.Discount, l.Tax = nil, nil, prices.Discount{}, prices.Tax{}
		if more, err := l.Quote(); err == nil && more.Total < rent {
			t.Errorf("%s: the rent is %d, and %d for %d minutes more", describe(r), rent, more.Total, longer)
		}
	}
	// The tax that is added to a price is the tax that the total includes. Both are
	// rounded, so they may differ by 1.
	if !r.Tax.Included && q.Tax > 0 {
		in, err := prices.Tax{Percent: r.Tax.Percent, Included: true}.Bill([]prices.Line{{Kind: prices.KindRent, Amount: q.Total}})
		if err != nil || in.Total != q.Total || in.Tax < q.Tax-1 || in.Tax > q.Tax+1 {
			t.Errorf("%s: the added tax is %d, and the included tax is %d, %v", describe(r), q.Tax, in.Tax, err)
		}
	}
}

func TestQuotesKeepTheirPromises(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		checkProperties(t, randomRequest(rnd))
	}
}

func FuzzQuote(f *testing.F) {
	f.Add(int64(0), int64(1501), int64(60), int64(2000), int64(0), int64(500000), int64(3000000), int64(9000000), int64(0), int64(3), int64(2000), int64(50000), int64(1600), uint8(0))
	f.Add(int64(-1e9), int64(4e9), int64(0), int64(0), int64(4), int64(1e12), int64(1), int64(1e12), int64(-5e5), int64(3e6), int64(-100000), int64(0), int64(100000), uint8(0xff))
	f.Fuzz(func(t *testing.T, start, length, grace, hourPercent, fullDay, daily, weekly, monthly, season, seasonDays, percent, discount, tax int64, flags uint8) {
		flag := func(bit int) bool { return flags>>bit&1 != 0 }
		d, w, m := prices.Money(daily), prices.Money(weekly), prices.Money(monthly)
		r := prices.Request{
			Currency: pkr,
			Span:     prices.Span{Start: prices.Moment(start), End: prices.Moment(start + length)},
			Rule:     prices.DayRule{Calendar: flag(0), GraceMinutes: grace, ExtraHourPercent: prices.Percent(hourPercent), FullDayAfterHours: fullDay},
			Rates:    prices.Rates{Daily: &d},
			Seasons:  []prices.Season{{Start: prices.Day(season), End: prices.Day(season + seasonDays), Percent: prices.Percent(percent)}},
			Extras:   []prices.Extra{{Amount: w, PerDay: flag(1)}},
			Discount: prices.Discount{Amount: prices.Money(discount)},
			Tax:      prices.Tax{Percent: prices.Percent(tax), Included: flag(2)},
		}
		if flag(3) {
			r.Rates.Weekly = &w
		}
		if flag(4) {
			r.Rates.Monthly = &m
		}
		if flag(5) {
			r.Seasons = append(r.Seasons, r.Seasons[0])
		}
		if flag(6) {
			r.Discount = prices.Discount{Percent: prices.Percent(discount)}
		}
		checkProperties(t, r)
	})
}
