package prices_test

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"onenow/db/prices"
)

var (
	pkr = prices.Currency{Code: "PKR", Digits: 2}
	jpy = prices.Currency{Code: "JPY"}
	kwd = prices.Currency{Code: "KWD", Digits: 3}
)

// TestCurrencyDigits compares the digits with list one of ISO 4217, of January 2026: all
// of its currencies that do not have two digits.
func TestCurrencyDigits(t *testing.T) {
	digits := map[string]int{"CLF": 4, "UYW": 4}
	for code := range strings.FieldsSeq("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF") {
		digits[code] = 0
	}
	for code := range strings.FieldsSeq("BHD IQD JOD KWD LYD OMR TND") {
		digits[code] = 3
	}
	for code := range strings.FieldsSeq("PKR INR BDT LKR NPR AED SAR QAR USD EUR GBP CNY AFN IRR IDR MMK LBP RSD HUF TWD") {
		digits[code] = 2
	}
	for code, want := range digits {
		c, err := prices.ParseCurrency(code)
		if err != nil || c.Code != code || c.Digits != want {
			t.Errorf("currency %s: got %+v, %v, want %d digits", code, c, err, want)
		}
	}
	for _, code := range []string{"", "pkr", "PK", "PKRS", "XXX", "XAU", "ABC", " PKR"} {
		if c, err := prices.ParseCurrency(code); err == nil || !strings.Contains(err.Error(), "ISO 4217") {
			t.Errorf("currency %q: got %+v, %v, want a refusal", code, c, err)
		}
	}
}

func TestParseMoney(t *testing.T) {
	const number = "A valid number is required."
	for _, tt := range []struct {
		currency prices.Currency
		text     string
		want     prices.Money
		err      string
	}{
		{pkr, "5000", 500000, ""},
		{pkr, "5000.00", 500000, ""},
		{pkr, "5000.5", 500050, ""},
		{pkr, " 0.01\n", 1, ""},
		{pkr, ".5", 50, ""},
		{pkr, "5.", 500, ""},
		{pkr, "0", 0, ""},
		{pkr, "-0.00", 0, ""},
		{pkr, "+12", 1200, ""},
		{pkr, "-12.34", -1234, ""},
		{pkr, "007", 700, ""},
		{pkr, "1,500.00", 150000, ""},
		{pkr, "12,500", 1250000, ""},
		{pkr, "999,500", 99950000, ""},
		{pkr, "1,234,567.89", 123456789, ""},
		{pkr, "12,50,000", 125000000, ""},
		{pkr, "1,00,00,000", 1000000000, ""},
		{pkr, "٥٠٠٠٫٥٠", 500050, ""},
		{pkr, "۱٬۵۰۰٫۲۵", 150025, ""},
		{pkr, "۱۲،۵۰،۰۰۰", 125000000, ""},
		{pkr, "1.5e3", 150000, ""},
		{pkr, "1E+2", 10000, ""},
		{pkr, "1e10", 1e12, ""},
		{pkr, "150e-2", 150, ""},
		{pkr, "0e999999999999999999999", 0, ""},
		{pkr, "10000000000.00", prices.MaxAmount, ""},
		{pkr, "-10000000000", -prices.MaxAmount, ""},
		{jpy, "5000", 5000, ""},
		{kwd, "5.125", 5125, ""},

		{pkr, "1.005", 0, "Ensure that there are no more than 2 decimal places."},
		{pkr, "1.500", 0, "Ensure that there are no more than 2 decimal places."},
		{pkr, "1e-3", 0, "Ensure that there are no more than 2 decimal places."},
		{pkr, "1e-99999999999999999999", 0, "Ensure that there are no more than 2 decimal places."},
		{jpy, "5000.0", 0, "Ensure that there are no more than 0 decimal places."},
		{kwd, "1.2345", 0, "Ensure that there are no more than 3 decimal places."},
		{pkr, "10000000000.01", 0, "Ensure this value is less than or equal to 10000000000.00."},
		{pkr, "1e11", 0, "Ensure this value is less than or equal to 10000000000.00."},
		{pkr, "1e999999999999999999999", 0, "Ensure this value is less than or equal to 10000000000.00."},
		{pkr, "-10000000000.01", 0, "Ensure this value is greater than or equal to -10000000000.00."},
		{jpy, "1000000000001", 0, "Ensure this value is less than or equal to 1000000000000."},
		{pkr, strings.Repeat("9", 1000), 0, "Ensure this value is less than or equal to 10000000000.00."},

		{pkr, "", 0, number},
		{pkr, "  ", 0, number},
		{pkr, ".", 0, number},
		{pkr, "-", 0, number},
		{pkr, "+-5", 0, number},
		{pkr, "5-", 0, number},
		{pkr, "1,5", 0, number},
		{pkr, "1,50", 0, number},
		{pkr, "1500,00", 0, number},
		{pkr, "1,5000", 0, number},
		{pkr, ",500", 0, number},
		{pkr, "1,,500", 0, number},
		{pkr, "1500,000", 0, number},
		{pkr, "123,50,000", 0, number},
		{pkr, "1,234,50,000", 0, number},
		{pkr, "1,2,500", 0, number},
		{pkr, "1,2345,678", 0, number},
		{pkr, "1.5,000", 0, number},
		{pkr, "1.2.3", 0, number},
		{pkr, "1e", 0, number},
		{pkr, "1e+", 0, number},
		{pkr, "e5", 0, number},
		{pkr, "1e1.5", 0, number},
		{pkr, "1e2e3", 0, number},
		{pkr, "0x10", 0, number},
		{pkr, "1_000", 0, number},
		{pkr, "1 000", 0, number},
		{pkr, "NaN", 0, number},
		{pkr, "Infinity", 0, number},
		{pkr, "Rs 500", 0, number},
		{pkr, "10%", 0, number},
		{pkr, "५००", 0, number}, // Devanagari
		{pkr, "5\x00", 0, number},
		{pkr, "5\xff", 0, number},
	} {
		got, err := tt.currency.Parse(tt.text)
		if got != tt.want || message(err) != tt.err {
			t.Errorf("%s.Parse(%.40q): got %d, %q, want %d, %q", tt.currency.Code, tt.text, got, message(err), tt.want, tt.err)
		}
		if input := prices.InputError(""); err != nil && !errors.As(err, &input) {
			t.Errorf("%s.Parse(%.40q): got an error of type %T, want an InputError", tt.currency.Code, tt.text, err)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestFormatMoney(t *testing.T) {
	for _, tt := range []struct {
		currency      prices.Currency
		amount        prices.Money
		format, label string
	}{
		{pkr, 500000, "5000.00", "5,000"},
		{pkr, 500050, "5000.50", "5,000.50"},
		{pkr, 0, "0.00", "0"},
		{pkr, 7, "0.07", "0.07"},
		{pkr, -7, "-0.07", "-0.07"},
		{pkr, -150000, "-1500.00", "-1,500"},
		{pkr, 99999, "999.99", "999.99"},
		{pkr, 100000, "1000.00", "1,000"},
		{pkr, 1e12, "10000000000.00", "10,000,000,000"},
		{pkr, math.MinInt64, "-92233720368547758.08", "-92,233,720,368,547,758.08"},
		{jpy, 5000, "5000", "5,000"},
		{jpy, -12, "-12", "-12"},
		{kwd, 5125, "5.125", "5.125"},
		{kwd, 5000, "5.000", "5"},
		{kwd, 1500500, "1500.500", "1,500.500"},
	} {
		if got := tt.currency.Format(tt.amount); got != tt.format {
			t.Errorf("%s.Format(%d): got %s, want %s", tt.currency.Code, tt.amount, got, tt.format)
		}
		if got := tt.currency.Label(tt.amount); got != tt.label {
			t.Errorf("%s.Label(%d): got %s, want %s", tt.currency.Code, tt.amount, got, tt.label)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		text   string
		want   prices.Percent
		string string
		err    string
	}{
		{"20", 2000, "20", ""},
		{"17.5", 1750, "17.5", ""},
		{"17.50%", 1750, "17.5", ""},
		{" 10 % ", 1000, "10", ""},
		{"۱۰٪", 1000, "10", ""},
		{"-0.25", -25, "-0.25", ""},
		{"0", 0, "0", ""},
		{"100", 10000, "100", ""},
		{"1000", prices.MaxPercent, "1000", ""},
		{"1000.01", 0, "0", "Ensure this value is less than or equal to 1000."},
		{"-1001", 0, "0", "Ensure this value is greater than or equal to -1000."},
		{"1.005", 0, "0", "Ensure that there are no more than 2 decimal places."},
		{"%", 0, "0", "A valid number is required."},
		{"10%%", 0, "0", "A valid number is required."},
	} {
		got, err := prices.ParsePercent(tt.text)
		if got != tt.want || got.String() != tt.string || message(err) != tt.err {
			t.Errorf("ParsePercent(%q): got %d, %s, %q, want %d, %s, %q", tt.text, got, got, message(err), tt.want, tt.string, tt.err)
		}
	}
}

func TestRoundingIsHalfAwayFromZero(t *testing.T) {
	for _, tt := range []struct {
		amount  prices.Money
		percent prices.Percent
		want    prices.Money
	}{
		{1, 5000, 1},   // 0.5
		{-1, 5000, -1}, // -0.5
		{1, 4999, 0},
		{3, 5000, 2},   // 1.5
		{-3, 5000, -2}, // -1.5
		{3, -5000, -2},
		{-3, -5000, 2},
		{100, 1750, 18}, // 17.5
		{0, 5000, 0},
	} {
		if got, err := tt.amount.Percent(tt.percent); got != tt.want || err != nil {
			t.Errorf("%s %% of %d: got %d, %v, want %d", tt.percent, tt.amount, got, err, tt.want)
		}
	}
}

func TestSumsAndProductsAreChecked(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  func() (prices.Money, error)
		want prices.Money // 0: refused
	}{
		{"a sum", func() (prices.Money, error) { return prices.Money(1).Add(2) }, 3},
		{"a negative sum", func() (prices.Money, error) { return prices.Money(1).Add(-3) }, -2},
		{"an addend of 0", func() (prices.Money, error) { return prices.Money(5).Add(0) }, 5},
		{"the greatest sum", func() (prices.Money, error) { return (prices.MaxTotal - 1).Add(1) }, prices.MaxTotal},
		{"more than that", func() (prices.Money, error) { return prices.MaxTotal.Add(1) }, 0},
		{"less than the least sum", func() (prices.Money, error) { return (-prices.MaxTotal).Add(-1) }, 0},
		{"a sum beyond 64 bits", func() (prices.Money, error) { return prices.Money(math.MaxInt64).Add(math.MaxInt64) }, 0},
		{"a negative sum beyond 64 bits", func() (prices.Money, error) { return prices.Money(math.MinInt64).Add(math.MinInt64) }, 0},
		{"a product", func() (prices.Money, error) { return prices.Money(-3).Times(4) }, -12},
		{"the greatest product", func() (prices.Money, error) { return prices.Money(1e9).Times(1e6) }, prices.MaxTotal},
		{"a product of 65 bits", func() (prices.Money, error) { return prices.Money(1 << 33).Times(1 << 32) }, 0},
		{"a product that 64 bits take for a small one", func() (prices.Money, error) { return prices.Money(1<<32 + 1).Times(1 << 32) }, 0},
		{"the least integers", func() (prices.Money, error) { return prices.Money(math.MinInt64).Times(math.MinInt64) }, 0},
		{"a percentage", func() (prices.Money, error) { return prices.MaxTotal.Percent(10001) }, 0},
	} {
		got, err := tt.got()
		if tt.want == 0 {
			if !errors.Is(err, prices.ErrTooLarge) {
				t.Errorf("%s: got %d, %v, want ErrTooLarge", tt.name, got, err)
			}
		} else if got != tt.want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", tt.name, got, err, tt.want)
		}
	}
}

// TestPercentOfLargeAmounts compares percentages with math/big.
func TestPercentOfLargeAmounts(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		m := prices.Money(rnd.Int64N(2e15) - 1e15)
		p := prices.Percent(rnd.Int64N(2e5) - 1e5)
		want := roundHalfAway(big.NewRat(int64(p), 10000).Mul(big.NewRat(int64(p), 10000), big.NewRat(int64(m), 1)))
		got, err := m.Percent(p)
		if tooLarge := want > int64(prices.MaxTotal) || want < -int64(prices.MaxTotal); tooLarge != (err != nil) || !tooLarge && int64(got) != want {
			t.Fatalf("%d * %d / 10000: got %d, %v, want %d", m, p, got, err, want)
		}
	}
}

// roundHalfAway returns x rounded half away from zero.
func roundHalfAway(x *big.Rat) int64 {
	half := big.NewRat(int64(x.Sign()), 2)
	x = new(big.Rat).Add(x, half)
	return new(big.Int).Quo(x.Num(), x.Denom()).Int64() // Quo truncates
}

func FuzzParseMoney(f *testing.F) {
	for _, text := range []string{"5000.00", "1,500.00", "12,50,000", "۱۲،۵۰،۰۰۰٫۵", "1e3", "-.5", "1,5", "1e999", "", "\xff"} {
		f.Add(text, uint8(2))
	}
	f.Fuzz(func(t *testing.T, text string, digits uint8) {
		c := prices.Currency{Digits: int(digits % 5)}
		m, err := c.Parse(text)
		if err != nil {
			if m != 0 || err.Error() == "" {
				t.Errorf("Parse(%q): got %d with the error %q", text, m, err)
			}
			return
		}
		if m > prices.MaxAmount || m < -prices.MaxAmount {
			t.Errorf("Parse(%q): got %d, beyond the limit", text, m)
		}
		for _, written := range []string{c.Format(m), c.Label(m)} {
			if again, err := c.Parse(written); again != m || err != nil {
				t.Errorf("Parse(%q): got %d, and %d, %v for %q", text, m, again, err, written)
			}
		}
		if m == 0 {
			return // math/big would compute 10^999999999 for 0e999999999
		}
		// Without commas and in ASCII, math/big reads the same number.
		if x, ok := new(big.Rat).SetString(strings.TrimSpace(text)); ok && !strings.ContainsAny(text, "_/xXpPoObB") {
			x.Mul(x, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Digits)), nil)))
			if x.Cmp(big.NewRat(int64(m), 1)) != 0 {
				t.Errorf("Parse(%q): got %d, want %s", text, m, x)
			}
		}
	})
}
