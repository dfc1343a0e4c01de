package prices_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"onenow/db/prices"
)

// charge returns a line as text, or "none".
func charge(line *prices.Line) string {
	if line == nil {
		return "none"
	}
	return fmt.Sprintf("%s: %s = %s", line.Kind, line.Label, pkr.Label(line.Amount))
}

func TestLateReturn(t *testing.T) {
	eid := []prices.Season{{Name: "Eid", Start: day(t, "2025-07-24"), End: day(t, "2025-07-26"), Percent: 2000}}
	for _, tt := range []struct {
		name    string
		span    prices.Span
		rule    prices.DayRule
		seasons []prices.Season
		late    int64 // minutes
		want    string
	}{
		{"early", lasting(4, 0, 0), by24h, nil, -1440, "none"},
		{"before pick-up", lasting(4, 0, 0), by24h, nil, -10000, "none"},
		{"on time", lasting(4, 0, 0), by24h, nil, 0, "none"},
		{"within the grace", lasting(4, 0, 0), by24h, nil, 60, "none"},
		{"beyond the grace", lasting(4, 0, 0), by24h, nil, 61, "late: Late return = 2,000"},
		{"hours that cost a day", lasting(4, 0, 0), by24h, nil, 8 * 60, "late: Late return = 5,000"},
		{"a day and hours", lasting(3, 0, 0), by24h, nil, 26 * 60, "late: Late return = 7,000"},
		{"a day that the week covers", lasting(6, 0, 0), by24h, nil, 1440, "none"},
		{"hours of the last day were paid", lasting(1, 3, 0), by24h, nil, 60, "late: Late return = 1,000"},
		{"the rest of a day that was paid", lasting(0, 5, 0), by24h, nil, 19 * 60, "none"},
		{"a later day of the calendar", lasting(4, 0, 0), prices.DayRule{Calendar: true}, nil, 14 * 60, "late: Late return = 5,000"},
		{"the same day of the calendar", lasting(4, 0, 0), prices.DayRule{Calendar: true}, nil, 13*60 + 59, "none"},
		{"into a season", lasting(4, 0, 0), by24h, eid, 1440, "late: Late return = 6,000"},
		{"into a season by a week that spreads the rent thinner", lasting(6, 0, 0), by24h,
			[]prices.Season{{Name: "Eid", Start: 0, End: day(t, "2025-07-25"), Percent: 10000}}, 1440, "none"},
	} {
		r := prices.Request{Currency: pkr, Span: tt.span, Rule: tt.rule, Rates: corolla, Seasons: tt.seasons,
			Extras: []prices.Extra{{Name: "Driver", Amount: rs(2000), PerDay: true}}, Discount: prices.Discount{Percent: 1000}, Tax: prices.Tax{Percent: 1600}}
		line, err := r.Late(tt.span.End + prices.Moment(tt.late))
		if got := charge(line); got != tt.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
}

func TestLateReturnRefuses(t *testing.T) {
	r := tenDays
	r.Span.End = r.Span.Start
	for _, returned := range []prices.Moment{r.Span.End, r.Span.End + 1} {
		if line, err := r.Late(returned); err != prices.ErrSpan {
			t.Errorf("an empty span: got %s, %v, want ErrSpan", charge(line), err)
		}
	}
	r = tenDays
	if line, err := r.Late(day(t, "9999-12-31").At(24, 0)); err != prices.ErrSpan {
		t.Errorf("a return after the last year: got %s, %v, want ErrSpan", charge(line), err)
	}
	most := prices.MaxAmount
	r.Rates.Daily = &most
	if line, err := r.Late(r.Span.Start + 1001*1440); err != prices.ErrTooLarge {
		t.Errorf("a rent that is too large: got %s, %v, want ErrTooLarge", charge(line), err)
	}
}

// TestLateReturnIsTheDifference compares late charges with the difference of two
// quotes, which is never negative.
func TestLateReturnIsTheDifference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 3000 {
		r := randomRequest(rnd)
		r.Extras, r.Discount, r.Tax = nil, prices.Discount{}, prices.Tax{}
		longer := r
		longer.Span.End += prices.Moment(1 + rnd.Int64N(20*1440))
		line, err := r.Late(longer.Span.End)
		if err != nil {
			t.Fatalf("%s: %v", describe(r), err)
		}
		got := prices.Money(0)
		if line != nil {
			got = line.Amount
		}
		if want := max(0, quote(t, longer).Total-quote(t, r).Total); got != want {
			t.Fatalf("%s, returned %s: got %d, want %d", describe(r), longer.Span.End, got, want)
		}
	}
}

func TestMileage(t *testing.T) {
	perDay := func(km int64) *int64 { return &km }
	for _, tt := range []struct {
		name    string
		mileage prices.Mileage
		span    prices.Span
		rule    prices.DayRule
		want    string
	}{
		{"within the allowance", prices.Mileage{800, perDay(200), rate(15)}, lasting(4, 0, 0), by24h, "none"},
		{"beyond it", prices.Mileage{920, perDay(200), rate(15)}, lasting(4, 0, 0), by24h, "km: 120 extra km × 15 = 1,800"},
		{"a begun day counts, whatever the grace", prices.Mileage{1120, perDay(200), rate(15)}, lasting(4, 0, 1), by24h, "km: 120 extra km × 15 = 1,800"},
		{"the first day counts", prices.Mileage{201, perDay(200), rate(15)}, lasting(0, 0, 1), by24h, "km: 1 extra km × 15 = 15"},
		{"days of the calendar", prices.Mileage{1120, perDay(200), rate(15)}, lasting(4, 0, 0), prices.DayRule{Calendar: true}, "km: 120 extra km × 15 = 1,800"},
		{"none included", prices.Mileage{1200, perDay(0), rate(15)}, lasting(4, 0, 0), by24h, "km: 1,200 extra km × 15 = 18,000"},
		{"any distance", prices.Mileage{9000, nil, rate(15)}, lasting(4, 0, 0), by24h, "none"},
		{"no rate", prices.Mileage{9000, perDay(200), nil}, lasting(4, 0, 0), by24h, "none"},
		{"a rate of nothing", prices.Mileage{9000, perDay(200), rate(0)}, lasting(4, 0, 0), by24h, "none"},
		{"not driven", prices.Mileage{0, perDay(200), rate(15)}, lasting(4, 0, 0), by24h, "none"},
	} {
		line, err := tt.mileage.Charge(pkr, tt.span, tt.rule)
		if got := charge(line); got != tt.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
	most := prices.MaxAmount
	for _, tt := range []struct {
		name    string
		mileage prices.Mileage
		span    prices.Span
		want    error
	}{
		{"an empty span", prices.Mileage{1, perDay(1), rate(1)}, lasting(0, 0, 0), prices.ErrSpan},
		{"a negative distance", prices.Mileage{-1, perDay(1), rate(1)}, lasting(1, 0, 0), prices.ErrOutOfRange},
		{"a negative allowance", prices.Mileage{1, perDay(-1), rate(1)}, lasting(1, 0, 0), prices.ErrOutOfRange},
		{"a negative rate", prices.Mileage{1, perDay(1), rate(-1)}, lasting(1, 0, 0), prices.ErrOutOfRange},
		{"too large a charge", prices.Mileage{1e9, perDay(1), &most}, lasting(1, 0, 0), prices.ErrTooLarge},
	} {
		if line, err := tt.mileage.Charge(pkr, tt.span, by24h); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %s, %v, want %v", tt.name, charge(line), err, tt.want)
		}
	}
}

func TestFuel(t *testing.T) {
	litres := func(n int64) *int64 { return &n }
	price := prices.Money(27250)
	for _, tt := range []struct {
		name string
		fuel prices.Fuel
		want string
	}{
		{"three eighths of 48 litres are 18", prices.Fuel{8, 5, litres(48), &price, rate(500)}, "fuel: 3/8 of 48 litres × 272.50 + 500 = 5,405"},
		{"an eighth of a litre is charged", prices.Fuel{6, 5, litres(45), rate(270), nil}, "fuel: 1/8 of 45 litres × 270 = 1,518.75"},
		{"rounded half away from zero", prices.Fuel{1, 0, litres(4), new(prices.Money(1)), nil}, "fuel: 1/8 of 4 litres × 0.01 = 0.01"},
		{"as full as it went out", prices.Fuel{4, 4, litres(48), &price, rate(500)}, "none"},
		{"fuller is not paid back", prices.Fuel{4, 8, litres(48), &price, rate(500)}, "none"},
		{"an unknown tank", prices.Fuel{8, 0, nil, &price, rate(500)}, "none"},
		{"no price", prices.Fuel{8, 0, litres(48), nil, rate(500)}, "none"},
		{"a price of nothing", prices.Fuel{8, 0, litres(48), rate(0), nil}, "none"},
	} {
		line, err := tt.fuel.Charge(pkr)
		if got := charge(line); got != tt.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
	most := prices.MaxAmount
	for _, tt := range []struct {
		name string
		fuel prices.Fuel
		want error
	}{
		{"more than full", prices.Fuel{9, 0, litres(48), &price, nil}, prices.ErrOutOfRange},
		{"less than empty", prices.Fuel{8, -1, litres(48), &price, nil}, prices.ErrOutOfRange},
		{"a negative tank", prices.Fuel{8, 0, litres(-1), &price, nil}, prices.ErrOutOfRange},
		{"a negative price", prices.Fuel{8, 0, litres(48), rate(-1), nil}, prices.ErrOutOfRange},
		{"a negative fee", prices.Fuel{8, 0, litres(48), &price, rate(-1)}, prices.ErrOutOfRange},
		{"too large a charge", prices.Fuel{8, 0, litres(1001), &most, nil}, prices.ErrTooLarge},
		{"too large a charge with the fee", prices.Fuel{8, 0, litres(1000), &most, rate(1)}, prices.ErrTooLarge},
	} {
		if line, err := tt.fuel.Charge(pkr); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %s, %v, want %v", tt.name, charge(line), err, tt.want)
		}
	}
}

func TestDueLines(t *testing.T) {
	rates := prices.Rates{Daily: rate(5000), Weekly: rate(30000), Monthly: rate(90000), ExtraHour: rate(100)}
	due := func(span prices.Span) []prices.DueLine {
		t.Helper()
		q := quote(t, prices.Request{Currency: pkr, Span: span, Rates: rates, Extras: []prices.Extra{{Name: "Airport", Amount: rs(1500)}}, Tax: prices.Tax{Percent: 1600}})
		lines, err := prices.DueLines(pkr, q.Charges, span.Start.Day())
		if err != nil {
			t.Fatal(err)
		}
		var sum prices.Money
		for _, line := range lines {
			sum += line.Amount
			if line.Amount != line.Price*prices.Money(line.Quantity) {
				t.Errorf("%s is %d, want quantity times price", line.Label, line.Amount)
			}
		}
		if sum != q.Total {
			t.Errorf("the lines of %s add up to %d", summary(q), sum)
		}
		return lines
	}
	text := func(lines []prices.DueLine) string {
		var b strings.Builder
		for _, line := range lines {
			fmt.Fprintf(&b, "%s %s\n", line.Due, line.Label)
		}
		return b.String()
	}
	for _, tt := range []struct {
		name string
		span prices.Span
		want string
	}{
		{"a rental without months is due at pick-up", lasting(8, 2, 0),
			"2025-07-20 1 week × 30,000\n2025-07-20 1 day × 5,000\n2025-07-20 2 hours × 100\n2025-07-20 Airport\n2025-07-20 Tax 16 %\n"},
		{"each month is due on its first day", lasting(98, 2, 0),
			"2025-07-20 1 month × 90,000\n2025-08-19 1 month × 90,000\n2025-09-18 1 month × 90,000\n" +
				"2025-10-18 1 week × 30,000\n2025-10-18 1 day × 5,000\n2025-10-18 2 hours × 100\n2025-07-20 Airport\n2025-07-20 Tax 16 %\n"},
	} {
		if got := text(due(tt.span)); got != tt.want {
			t.Errorf("%s:\ngot\n%swant\n%s", tt.name, got, tt.want)
		}
	}

	tenYears := due(lasting(3653, 0, 0)) // with three leap days
	if got := len(tenYears); got != 122+2 {
		t.Errorf("ten years: got %d lines, want 122 months, the extra and the tax", got)
	}
	if got, want := text(tenYears[121:122]), "2035-06-28 1 month × 90,000\n"; got != want {
		t.Errorf("the last month of ten years: got %s, want %s", got, want)
	}
	long := due(prices.Span{Start: day(t, "1999-01-01").At(10, 0), End: day(t, "9998-12-31").At(10, 0)})
	if got, want := text(long[121:]), "2008-12-09 1 month × 90,000\n2009-01-08 97,276 months × 90,000\n1999-01-01 Airport\n1999-01-01 Tax 16 %\n"; got != want {
		t.Errorf("8,000 years: got\n%swant\n%s", got, want)
	}

	tooLarge := []prices.Line{{Kind: prices.KindRent, Unit: prices.UnitMonth, Quantity: 2000, Price: prices.MaxAmount}}
	if lines, err := prices.DueLines(pkr, tooLarge, 0); !errors.Is(err, prices.ErrTooLarge) {
		t.Errorf("months that are too large: got %d lines, %v, want ErrTooLarge", len(lines), err)
	}
}
