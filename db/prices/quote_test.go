package prices_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"onenow/db/prices"
)

// rs returns an amount of whole rupees.
func rs(rupees int64) prices.Money { return prices.Money(100 * rupees) }

func rate(rupees int64) *prices.Money {
	m := rs(rupees)
	return &m
}

func day(t testing.TB, date string) prices.Day {
	t.Helper()
	d, err := prices.ParseDay(date)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// lasting returns a span of that length, which starts on 2025-07-20 at 10:00.
func lasting(days, hours, minutes int64) prices.Span {
	start := prices.Day(20289).At(10, 0)
	return prices.Span{Start: start, End: start + prices.Moment(days*1440+hours*60+minutes)}
}

// by24h is the rule of a new shop.
var by24h = prices.DayRule{GraceMinutes: 60, ExtraHourPercent: 2000}

// corolla costs 5,000 a day, 1,000 an hour and 30,000 a week.
var corolla = prices.Rates{Daily: rate(5000), ExtraHour: rate(1000), Weekly: rate(30000)}

// tenDays is 10 days for 40,000.
var tenDays = prices.Request{Currency: pkr, Span: lasting(10, 0, 0), Rule: by24h, Rates: prices.Rates{Daily: rate(4000)}}

// summary returns a quote as one line of text.
func summary(q prices.Quote) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%dd %dh", q.Days, q.Hours)
	for _, line := range q.Charges {
		fmt.Fprintf(&b, "; %s: %s = %s", line.Kind, line.Label, pkr.Label(line.Amount))
	}
	fmt.Fprintf(&b, "; total %s", pkr.Label(q.Total))
	if q.Tax != 0 {
		fmt.Fprintf(&b, ", tax %s", pkr.Label(q.Tax))
	}
	return b.String()
}

func quote(t testing.TB, r prices.Request) prices.Quote {
	t.Helper()
	q, err := r.Quote()
	if err != nil {
		t.Fatalf("quote of %+v: %v", r, err)
	}
	return q
}

func TestRent(t *testing.T) {
	calendar := prices.DayRule{Calendar: true, GraceMinutes: 60, ExtraHourPercent: 2000, FullDayAfterHours: 4}
	span := func(start, end string) prices.Span {
		var s prices.Span
		for _, side := range []struct {
			text string
			to   *prices.Moment
		}{{start, &s.Start}, {end, &s.End}} {
			date, clock, _ := strings.Cut(side.text, " ")
			m, err := prices.ParseMoment(date, clock)
			if err != nil {
				t.Fatal(err)
			}
			*side.to = m
		}
		return s
	}
	for _, tt := range []struct {
		name  string
		span  prices.Span
		rule  prices.DayRule
		rates prices.Rates
		want  string
	}{
		{"the grace is free", lasting(1, 1, 0), by24h, corolla,
			"1d 0h; rent: 1 day × 5,000 = 5,000; total 5,000"},
		{"beyond the grace, the grace is charged as well", lasting(1, 1, 1), by24h, corolla,
			"1d 2h; rent: 1 day × 5,000 = 5,000; rent: 2 hours × 1,000 = 2,000; total 7,000"},
		{"hours cost at most a day", lasting(1, 8, 0), by24h, corolla,
			"2d 0h; rent: 2 days × 5,000 = 10,000; total 10,000"},
		{"hours cost at most what one day more costs", lasting(6, 3, 0), by24h, corolla,
			"7d 0h; rent: 1 week × 30,000 = 30,000; total 30,000"},
		{"hours that cost as much as a day are a day", lasting(1, 5, 0), by24h, corolla,
			"2d 0h; rent: 2 days × 5,000 = 10,000; total 10,000"},
		{"six days may cost a week", lasting(6, 0, 0), by24h, corolla,
			"6d 0h; rent: 1 week × 30,000 = 30,000; total 30,000"},
		{"five days do not", lasting(5, 0, 0), by24h, corolla,
			"5d 0h; rent: 5 days × 5,000 = 25,000; total 25,000"},
		{"a week and two days", lasting(9, 0, 0), by24h, corolla,
			"9d 0h; rent: 1 week × 30,000 = 30,000; rent: 2 days × 5,000 = 10,000; total 40,000"},
		{"a week, a day and hours", lasting(8, 2, 30), by24h, corolla,
			"8d 3h; rent: 1 week × 30,000 = 30,000; rent: 1 day × 5,000 = 5,000; rent: 3 hours × 1,000 = 3,000; total 38,000"},
		{"a minute is a day", lasting(0, 0, 1), by24h, corolla,
			"1d 0h; rent: 1 day × 5,000 = 5,000; total 5,000"},
		{"23 hours are a day", lasting(0, 23, 0), prices.DayRule{ExtraHourPercent: 2000, FullDayAfterHours: 2}, corolla,
			"1d 0h; rent: 1 day × 5,000 = 5,000; total 5,000"},
		{"without grace each minute counts", lasting(1, 0, 1), prices.DayRule{ExtraHourPercent: 2000}, corolla,
			"1d 1h; rent: 1 day × 5,000 = 5,000; rent: 1 hour × 1,000 = 1,000; total 6,000"},
		{"an hour by percent of the daily rate", lasting(1, 3, 0), by24h, prices.Rates{Daily: rate(4500)},
			"1d 3h; rent: 1 day × 4,500 = 4,500; rent: 3 hours × 900 = 2,700; total 7,200"},
		{"the price of an hour is rounded, and its line is a multiple of it", lasting(1, 2, 0),
			prices.DayRule{ExtraHourPercent: 3333}, prices.Rates{Daily: rate(100)},
			"1d 2h; rent: 1 day × 100 = 100; rent: 2 hours × 33.33 = 66.66; total 166.66"},
		{"free hours are not counted", lasting(2, 9, 0), prices.DayRule{GraceMinutes: 60}, prices.Rates{Daily: rate(5000)},
			"2d 0h; rent: 2 days × 5,000 = 10,000; total 10,000"},
		{"four hours are hours", lasting(1, 4, 0), prices.DayRule{ExtraHourPercent: 1000, FullDayAfterHours: 4}, prices.Rates{Daily: rate(5000)},
			"1d 4h; rent: 1 day × 5,000 = 5,000; rent: 4 hours × 500 = 2,000; total 7,000"},
		{"more than four hours are a day", lasting(1, 4, 1), prices.DayRule{ExtraHourPercent: 1000, FullDayAfterHours: 4}, prices.Rates{Daily: rate(5000)},
			"2d 0h; rent: 2 days × 5,000 = 10,000; total 10,000"},
		{"the grace takes precedence over the full day", lasting(1, 5, 0), prices.DayRule{GraceMinutes: 300, ExtraHourPercent: 1000, FullDayAfterHours: 4}, prices.Rates{Daily: rate(5000)},
			"1d 0h; rent: 1 day × 5,000 = 5,000; total 5,000"},
		{"25 days may cost a month", lasting(25, 0, 0), by24h, prices.Rates{Daily: rate(5000), Weekly: rate(30000), Monthly: rate(90000)},
			"25d 0h; rent: 1 month × 90,000 = 90,000; total 90,000"},
		{"a month, a week and a day", lasting(38, 0, 0), by24h, prices.Rates{Daily: rate(5000), Weekly: rate(30000), Monthly: rate(90000)},
			"38d 0h; rent: 1 month × 90,000 = 90,000; rent: 1 week × 30,000 = 30,000; rent: 1 day × 5,000 = 5,000; total 125,000"},
		{"a month that costs as much as days goes first", lasting(30, 0, 0), by24h, prices.Rates{Daily: rate(5000), Monthly: rate(150000)},
			"30d 0h; rent: 1 month × 150,000 = 150,000; total 150,000"},
		{"a month that is dearer than weeks is not used", lasting(60, 0, 0), by24h, prices.Rates{Daily: rate(5000), Weekly: rate(19000), Monthly: rate(90000)},
			"60d 0h; rent: 9 weeks × 19,000 = 171,000; total 171,000"},
		{"a dear week is not used", lasting(20, 0, 0), by24h, prices.Rates{Daily: rate(5000), Weekly: rate(40000)},
			"20d 0h; rent: 20 days × 5,000 = 100,000; total 100,000"},
		{"without a daily rate there is no price", lasting(8, 2, 30), by24h, prices.Rates{Weekly: rate(30000), Monthly: rate(90000), ExtraHour: rate(1000)},
			"8d 3h; total 0"},
		{"a daily rate of nothing", lasting(2, 3, 0), by24h, prices.Rates{Daily: rate(0)},
			"2d 0h; rent: 2 days × 0 = 0; total 0"},
		{"both end days of the calendar count", span("2025-07-20 10:00", "2025-07-25 10:00"), calendar, corolla,
			"6d 0h; rent: 1 week × 30,000 = 30,000; total 30,000"},
		{"a day of the calendar", span("2025-07-20 00:00", "2025-07-20 23:59"), calendar, corolla,
			"1d 0h; rent: 1 day × 5,000 = 5,000; total 5,000"},
		{"midnight begins the last day of the calendar", span("2025-07-20 22:00", "2025-07-21 00:00"), calendar, corolla,
			"2d 0h; rent: 2 days × 5,000 = 10,000; total 10,000"},
		{"a leap day is a day", span("2024-02-28 10:00", "2024-03-01 10:00"), by24h, corolla,
			"2d 0h; rent: 2 days × 5,000 = 10,000; total 10,000"},
		{"daylight saving changes nothing", span("2025-03-29 12:00", "2025-03-31 12:00"), by24h, corolla,
			"2d 0h; rent: 2 days × 5,000 = 10,000; total 10,000"},
		{"8,000 years by the day", span("1999-01-01 10:00", "9998-12-31 10:00"), by24h, prices.Rates{Daily: rate(5000)},
			"2921939d 0h; rent: 2,921,939 days × 5,000 = 14,609,695,000; total 14,609,695,000"},
		{"8,000 years by the month", span("1999-01-01 10:00", "9998-12-31 10:00"), by24h, prices.Rates{Daily: rate(5000), Monthly: rate(90000)},
			"2921939d 0h; rent: 97,398 months × 90,000 = 8,765,820,000; total 8,765,820,000"},
	} {
		q := quote(t, prices.Request{Currency: pkr, Span: tt.span, Rule: tt.rule, Rates: tt.rates})
		if got := summary(q); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestQuote(t *testing.T) {
	eid := prices.Season{Name: "Eid", Start: day(t, "2025-07-22"), End: day(t, "2025-07-24"), Percent: 2000}
	driver := prices.Extra{Name: "Driver", Amount: rs(2000), PerDay: true}
	airport := prices.Extra{Name: "Airport", Amount: rs(1500)}
	with := func(change func(r *prices.Request)) prices.Request {
		r := tenDays
		change(&r)
		return r
	}
	for _, tt := range []struct {
		name    string
		request prices.Request
		want    string
	}{
		{"three of ten days in a season", with(func(r *prices.Request) {
			r.Seasons = []prices.Season{eid}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; season: Eid +20 % = 2,400; total 42,400"},
		{"overlapping seasons add up", with(func(r *prices.Request) {
			r.Seasons = []prices.Season{eid, {Name: "Monsoon", Start: day(t, "2025-07-01"), End: day(t, "2025-07-23"), Percent: -1250}}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; season: Eid +20 % = 2,400; season: Monsoon -12.5 % = -2,000; total 40,400"},
		{"a season of the last day only", with(func(r *prices.Request) {
			r.Seasons = []prices.Season{{Name: "Eid", Start: day(t, "2025-07-29"), End: day(t, "2025-08-29"), Percent: 2000}}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; season: Eid +20 % = 800; total 40,800"},
		{"the day of return begins no day", with(func(r *prices.Request) {
			r.Seasons = []prices.Season{{Name: "Eid", Start: day(t, "2025-07-30"), End: day(t, "2025-08-29"), Percent: 2000}}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; total 40,000"},
		{"a season that ends before it starts, and one of 0 percent", with(func(r *prices.Request) {
			r.Seasons = []prices.Season{{Name: "A", Start: day(t, "2025-07-25"), End: day(t, "2025-07-22"), Percent: 2000}, {Name: "B", Start: day(t, "2025-07-20"), End: day(t, "2025-07-22")}}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; total 40,000"},
		{"a day with paid hours is a day of the season", with(func(r *prices.Request) {
			r.Span, r.Rates = lasting(2, 2, 0), corolla // 12,000 over 3 days
			r.Seasons = []prices.Season{eid}
		}), "2d 2h; rent: 2 days × 5,000 = 10,000; rent: 2 hours × 1,000 = 2,000; season: Eid +20 % = 800; total 12,800"},
		{"six days that cost a week are six in a season", with(func(r *prices.Request) {
			r.Span, r.Rates = lasting(6, 0, 0), corolla
			r.Seasons = []prices.Season{eid}
		}), "6d 0h; rent: 1 week × 30,000 = 30,000; season: Eid +20 % = 3,000; total 33,000"},
		{"a season is rounded half away from zero", with(func(r *prices.Request) {
			price := prices.Money(5) // 3 days: 0.15; 10 % of a day: 0.005
			r.Span, r.Rates = lasting(3, 0, 0), prices.Rates{Daily: &price}
			r.Seasons = []prices.Season{{Name: "More", Start: day(t, "2025-07-20"), End: day(t, "2025-07-20"), Percent: 1000}, {Name: "Less", Start: day(t, "2025-07-20"), End: day(t, "2025-07-20"), Percent: -1000}}
		}), "3d 0h; rent: 3 days × 0.05 = 0.15; season: More +10 % = 0.01; season: Less -10 % = -0.01; total 0.15"},
		{"seasons take at most the rent away", with(func(r *prices.Request) {
			all := func(name string, percent prices.Percent) prices.Season {
				return prices.Season{Name: name, Start: day(t, "2025-01-01"), End: day(t, "2025-12-31"), Percent: percent}
			}
			r.Seasons = []prices.Season{all("A", -7500), all("B", -7500), all("C", 1000), all("D", -5000)}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; season: A -75 % = -30,000; season: B -75 % = -14,000; season: C +10 % = 4,000; total 0"},
		{"extras by the day and by the rental", with(func(r *prices.Request) {
			r.Extras = []prices.Extra{driver, airport}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; extra: Driver = 20,000; extra: Airport = 1,500; total 61,500"},
		{"hours left over add no day of an extra", with(func(r *prices.Request) {
			r.Span, r.Rates, r.Extras = lasting(1, 8, 0), corolla, []prices.Extra{driver}
		}), "2d 0h; rent: 2 days × 5,000 = 10,000; extra: Driver = 2,000; total 12,000"},
		{"six days that cost a week are six for an extra", with(func(r *prices.Request) {
			r.Span, r.Rates, r.Extras = lasting(6, 3, 0), corolla, []prices.Extra{driver}
		}), "7d 0h; rent: 1 week × 30,000 = 30,000; extra: Driver = 12,000; total 42,000"},
		{"an extra costs a day at least", with(func(r *prices.Request) {
			r.Span, r.Extras = lasting(0, 3, 0), []prices.Extra{driver}
		}), "1d 0h; rent: 1 day × 4,000 = 4,000; extra: Driver = 2,000; total 6,000"},
		{"hours that the rule makes a full day are one for an extra", with(func(r *prices.Request) {
			r.Span, r.Rule.FullDayAfterHours, r.Extras = lasting(1, 8, 0), 4, []prices.Extra{driver}
		}), "2d 0h; rent: 2 days × 4,000 = 8,000; extra: Driver = 4,000; total 12,000"},
		{"a discount is an amount", with(func(r *prices.Request) {
			r.Discount = prices.Discount{Amount: rs(500), Reason: " regular customer "}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; discount: Discount, regular customer = -500; total 39,500"},
		{"a discount is a percentage of rent, season and extras", with(func(r *prices.Request) {
			r.Seasons, r.Extras, r.Discount = []prices.Season{eid}, []prices.Extra{airport}, prices.Discount{Percent: 1000}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; season: Eid +20 % = 2,400; extra: Airport = 1,500; discount: Discount 10 % = -4,390; total 39,510"},
		{"a discount is at most their sum", with(func(r *prices.Request) {
			r.Discount = prices.Discount{Amount: rs(50000)}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; discount: Discount = -40,000; total 0"},
		{"so is a percentage", with(func(r *prices.Request) {
			r.Discount = prices.Discount{Percent: 15000}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; discount: Discount 150 % = -40,000; total 0"},
		{"added tax", with(func(r *prices.Request) {
			r.Discount, r.Tax = prices.Discount{Amount: rs(500)}, prices.Tax{Name: "PST", Percent: 1600}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; discount: Discount = -500; tax: PST 16 % = 6,320; total 45,820, tax 6,320"},
		{"tax included", with(func(r *prices.Request) {
			r.Tax = prices.Tax{Name: "PST", Percent: 1600, Included: true}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; total 40,000, tax 5,517.24"},
		{"a tax of half a percent without a name", with(func(r *prices.Request) {
			r.Tax = prices.Tax{Percent: 50}
		}), "10d 0h; rent: 10 days × 4,000 = 40,000; tax: Tax 0.5 % = 200; total 40,200, tax 200"},
		{"a car without a daily rate has no charges", with(func(r *prices.Request) {
			r.Rates.Daily, r.Seasons, r.Extras = nil, []prices.Season{eid}, []prices.Extra{driver, airport}
			r.Discount, r.Tax = prices.Discount{Amount: rs(500)}, prices.Tax{Percent: 1600}
		}), "10d 0h; total 0"},
	} {
		if got := summary(quote(t, tt.request)); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestQuantitiesAndUnits(t *testing.T) {
	r := tenDays
	r.Rates, r.Deposit = prices.Rates{Daily: rate(5000), Weekly: rate(30000), Monthly: rate(90000), ExtraHour: rate(100)}, rs(10000)
	r.Span = lasting(38, 3, 0)
	r.Seasons = []prices.Season{{Name: "Eid", Start: day(t, "2025-07-22"), End: day(t, "2025-07-24"), Percent: 2000}}
	r.Extras = []prices.Extra{{Name: "Driver", Amount: rs(2000), PerDay: true}, {Name: "Airport", Amount: rs(1500)}}
	r.Discount, r.Tax = prices.Discount{Percent: 1000}, prices.Tax{Percent: 1600}
	q := quote(t, r)
	var got []string
	for _, line := range q.Charges {
		got = append(got, fmt.Sprintf("%s %d %s × %s", line.Kind, line.Quantity, line.Unit, pkr.Label(line.Price)))
		if line.Kind != prices.KindSeason && line.Amount != line.Price*prices.Money(line.Quantity) {
			t.Errorf("%s: got %d, want the quantity times the price", line.Label, line.Amount)
		}
	}
	want := []string{"rent 1 month × 90,000", "rent 1 week × 30,000", "rent 1 day × 5,000", "rent 3 hour × 100", "season 3 day × 0",
		"extra 38 day × 2,000", "extra 1 rental × 1,500", "discount 1 rental × -20,472.77", "tax 1 rental × 29,480.79"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if q.Deposit != rs(10000) {
		t.Errorf("deposit: got %d, want %d", q.Deposit, rs(10000))
	}
}

func TestQuoteRefuses(t *testing.T) {
	tooMuch, negative := prices.MaxAmount+1, prices.Money(-1)
	most := prices.MaxAmount
	for _, tt := range []struct {
		name   string
		change func(r *prices.Request)
		want   error
	}{
		{"an empty span", func(r *prices.Request) { r.Span.End = r.Span.Start }, prices.ErrSpan},
		{"a span that ends first", func(r *prices.Request) { r.Span.End = r.Span.Start - 1 }, prices.ErrSpan},
		{"a span before the first year", func(r *prices.Request) { r.Span.Start = day(t, "0001-01-01").At(0, 0) - 1 }, prices.ErrSpan},
		{"a span after the last year", func(r *prices.Request) { r.Span.End = day(t, "9999-12-31").At(24, 0) }, prices.ErrSpan},
		{"a negative daily rate", func(r *prices.Request) { r.Rates.Daily = &negative }, prices.ErrOutOfRange},
		{"too large a weekly rate", func(r *prices.Request) { r.Rates.Weekly = &tooMuch }, prices.ErrOutOfRange},
		{"too large a monthly rate", func(r *prices.Request) { r.Rates.Monthly = &tooMuch }, prices.ErrOutOfRange},
		{"a negative rate for hours", func(r *prices.Request) { r.Rates.ExtraHour = &negative }, prices.ErrOutOfRange},
		{"negative grace", func(r *prices.Request) { r.Rule.GraceMinutes = -1 }, prices.ErrOutOfRange},
		{"negative hours", func(r *prices.Request) { r.Rule.FullDayAfterHours = -1 }, prices.ErrOutOfRange},
		{"a negative percentage for hours", func(r *prices.Request) { r.Rule.ExtraHourPercent = -1 }, prices.ErrOutOfRange},
		{"too large a season", func(r *prices.Request) {
			r.Seasons = []prices.Season{{Start: r.Span.Start.Day(), End: r.Span.Start.Day(), Percent: prices.MaxPercent + 1}}
		}, prices.ErrOutOfRange},
		{"a negative extra", func(r *prices.Request) { r.Extras = []prices.Extra{{Amount: -1}} }, prices.ErrOutOfRange},
		{"a negative discount", func(r *prices.Request) { r.Discount.Amount = -1 }, prices.ErrOutOfRange},
		{"too large a discount", func(r *prices.Request) { r.Discount.Percent = prices.MaxPercent + 1 }, prices.ErrOutOfRange},
		{"two discounts", func(r *prices.Request) { r.Discount = prices.Discount{Amount: 1, Percent: 1} }, prices.ErrOutOfRange},
		{"a negative tax", func(r *prices.Request) { r.Tax.Percent = -1 }, prices.ErrOutOfRange},
		{"a negative deposit", func(r *prices.Request) { r.Deposit = -1 }, prices.ErrOutOfRange},
		{"too large a rent", func(r *prices.Request) { r.Span, r.Rates.Daily = lasting(1001, 0, 0), &most }, prices.ErrTooLarge},
		{"too large a sum of rents", func(r *prices.Request) {
			r.Span, r.Rates = lasting(1000, 3, 0), prices.Rates{Daily: &most, ExtraHour: rate(1)}
		}, prices.ErrTooLarge},
		{"too large an hour", func(r *prices.Request) {
			r.Span, r.Rates.Daily, r.Rule.ExtraHourPercent = lasting(999, 0, 0), &most, prices.MaxPercent
			r.Seasons = []prices.Season{{Start: 0, End: 99999, Percent: 1000}}
		}, prices.ErrTooLarge},
		{"a season too large by far", func(r *prices.Request) {
			r.Span, r.Rates.Daily = lasting(999, 0, 0), &most
			r.Seasons = []prices.Season{{Start: 0, End: 99999, Percent: prices.MaxPercent}}
		}, prices.ErrTooLarge},
		{"too large an extra", func(r *prices.Request) {
			r.Span, r.Extras = lasting(1001, 0, 0), []prices.Extra{{Amount: most, PerDay: true}}
		}, prices.ErrTooLarge},
		{"too large a sum with extras", func(r *prices.Request) {
			r.Span, r.Extras = lasting(1000, 0, 0), []prices.Extra{{Amount: most, PerDay: true}}
		}, prices.ErrTooLarge},
		{"too large a sum with tax", func(r *prices.Request) {
			r.Span, r.Rates.Daily, r.Tax.Percent = lasting(999, 0, 0), &most, 1600
		}, prices.ErrTooLarge},
		{"too large a tax", func(r *prices.Request) {
			r.Span, r.Rates.Daily, r.Tax.Percent = lasting(999, 0, 0), &most, prices.MaxPercent
		}, prices.ErrTooLarge},
	} {
		r := tenDays
		tt.change(&r)
		if q, err := r.Quote(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %s, %v, want %v", tt.name, summary(q), err, tt.want)
		}
	}
}

// TestBill computes the tax of a rental again after its return has added charges.
func TestBill(t *testing.T) {
	line := func(kind prices.Kind, rupees int64) prices.Line {
		return prices.Line{Kind: kind, Label: string(kind), Quantity: 1, Unit: prices.UnitRental, Price: rs(rupees), Amount: rs(rupees)}
	}
	onTop, included := prices.Tax{Name: "PST", Percent: 1600}, prices.Tax{Name: "PST", Percent: 1600, Included: true}
	for _, tt := range []struct {
		name    string
		tax     prices.Tax
		charges []prices.Line
		want    string // the charges, total and tax
	}{
		{"no charges", onTop, nil, "; 0, 0"},
		{"fines, tolls and damage are untaxed", onTop,
			[]prices.Line{line("rent", 1000), line("fine", 500), line("toll", 60), line("damage", 3000), line("fuel", 100), line("cleaning", 50), line("other", 50)},
			"rent 1,000, fine 500, toll 60, damage 3,000, fuel 100, cleaning 50, other 50, tax 192; 4,952, 192"},
		{"and contain none", included,
			[]prices.Line{line("rent", 1160), line("fine", 500)},
			"rent 1,160, fine 500; 1,660, 160"},
		{"an earlier tax line goes", onTop,
			[]prices.Line{line("rent", 1000), line("tax", 160), line("late", 500)},
			"rent 1,000, late 500, tax 240; 1,740, 240"},
		{"also when there is no tax any more", prices.Tax{},
			[]prices.Line{line("rent", 1000), line("tax", 160)},
			"rent 1,000; 1,000, 0"},
		{"a total is never negative", onTop,
			[]prices.Line{line("rent", 100), line("other", -500)},
			"rent 100, other -500; 0, 0"},
		{"tax is at most the total", included,
			[]prices.Line{line("rent", 1160), line("damage", -1100)},
			"rent 1,160, damage -1,100; 60, 60"},
	} {
		bill, err := tt.tax.Bill(tt.charges)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var lines []string
		for _, line := range bill.Charges {
			lines = append(lines, fmt.Sprintf("%s %s", line.Kind, pkr.Label(line.Amount)))
		}
		if got := fmt.Sprintf("%s; %s, %s", strings.Join(lines, ", "), pkr.Label(bill.Total), pkr.Label(bill.Tax)); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
	huge := prices.Line{Kind: prices.KindDamage, Amount: -prices.MaxTotal}
	rent := prices.Line{Kind: prices.KindRent, Amount: prices.MaxTotal}
	for _, charges := range [][]prices.Line{{rent, rent}, {rent, huge, rent}} {
		if bill, err := onTop.Bill(charges); !errors.Is(err, prices.ErrTooLarge) {
			t.Errorf("charges that are too large: got %+v, %v, want ErrTooLarge", bill, err)
		}
	}
}

func TestParseDiscount(t *testing.T) {
	for _, tt := range []struct {
		text string
		want prices.Discount
		err  string
	}{
		{"500", prices.Discount{Amount: rs(500)}, ""},
		{"1,500.50", prices.Discount{Amount: 150050}, ""},
		{"10%", prices.Discount{Percent: 1000}, ""},
		{" ۱۲٫۵ ٪ ", prices.Discount{Percent: 1250}, ""},
		{"-1", prices.Discount{}, "Ensure this value is greater than or equal to 0."},
		{"-1%", prices.Discount{}, "Ensure this value is greater than or equal to 0."},
		{"%", prices.Discount{}, "A valid number is required."},
		{"ten", prices.Discount{}, "A valid number is required."},
		{"1.005", prices.Discount{}, "Ensure that there are no more than 2 decimal places."},
	} {
		got, err := prices.ParseDiscount(pkr, tt.text)
		if got != tt.want || message(err) != tt.err {
			t.Errorf("ParseDiscount(%q): got %+v, %q, want %+v, %q", tt.text, got, message(err), tt.want, tt.err)
		}
	}
}

// BenchmarkQuote prices a rental with everything that a price can have.
func BenchmarkQuote(b *testing.B) {
	r := tenDays
	r.Rates = prices.Rates{Daily: rate(5000), Weekly: rate(30000), Monthly: rate(90000), ExtraHour: rate(100)}
	r.Span = lasting(38, 3, 0)
	r.Seasons = []prices.Season{{Name: "Eid", Start: day(b, "2025-07-22"), End: day(b, "2025-07-24"), Percent: 2000}}
	r.Extras = []prices.Extra{{Name: "Driver", Amount: rs(2000), PerDay: true}, {Name: "Airport", Amount: rs(1500)}}
	r.Discount, r.Tax = prices.Discount{Percent: 1000, Reason: "regular customer"}, prices.Tax{Percent: 1600}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Quote(); err != nil {
			b.Fatal(err)
		}
	}
}
