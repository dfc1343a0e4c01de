package prices

import (
	"fmt"
	"math"
	"strings"

	iso4217 "github.com/bojanz/currency"
)

// Currency is the currency of a shop. Digits is how many decimal digits its amounts
// have by ISO 4217: 2 for PKR, none for JPY, 3 for KWD, at most 4.
//
// ISO 4217 withdraws currencies: BGN is not in its list since 2026. A shop with such a
// currency keeps it. So the shop's row has to store Digits and Code.
type Currency struct {
	Code   string
	Digits int
}

// InputError is a message for the user about an amount or a percentage that they
// entered, in the words of Django REST framework.
type InputError string

func (e InputError) Error() string { return string(e) }

// ErrNumber is the InputError for text that is not a number.
const ErrNumber InputError = "A valid number is required."

// errMagnitude is returned by parseDecimal for a number that is too large or too
// small. Its callers know the limit in the user's units and write the message.
const errMagnitude InputError = "too large"

// ParseCurrency returns the currency with that code of ISO 4217, in capital letters.
// Any other code is an InputError.
func ParseCurrency(code string) (Currency, error) {
	digits, ok := iso4217.GetDigits(code)
	if !ok {
		return Currency{}, InputError(fmt.Sprintf("%q is not a currency of ISO 4217. Write a code such as PKR.", code))
	}
	return Currency{code, int(digits)}, nil
}

// Parse returns the amount in text: "1500", "1500.00", "1,500.00",
// "12,50,000" as in Pakistan, "۱۵۰۰٫۵۰", or a number of JSON such as 1.5e3. It
// ignores blanks around the number. The amount may be negative.
//
// Its errors are InputErrors: ErrNumber, and messages for an amount that has more
// decimals than the currency or is beyond MaxAmount.
func (c Currency) Parse(text string) (Money, error) {
	n, err := parseDecimal(text, c.Digits, int64(MaxAmount))
	if err == errMagnitude {
		err = magnitudeError(n, c.Format(MaxAmount))
	}
	if err != nil {
		return 0, err
	}
	return Money(n), nil
}

// Format returns m as the API writes it, with all digits of the currency: 5000.00.
func (c Currency) Format(m Money) string {
	return string(appendDecimal(nil, int64(m), c.Digits, false))
}

// Label returns m as people write it, with thousands' commas, and with decimals only
// if some are not zero: 5,000 and 5,000.50.
func (c Currency) Label(m Money) string { return string(c.appendLabel(nil, m)) }

func (c Currency) appendLabel(b []byte, m Money) []byte {
	digits, n := c.Digits, int64(m)
	if unit := powersOfTen[digits]; n%unit == 0 {
		digits, n = 0, n/unit
	}
	return appendDecimal(b, n, digits, true)
}

var powersOfTen = [...]int64{1, 10, 100, 1000, 10000}

// ParsePercent returns the percentage in text, with at most two decimals
// and with or without a percent sign: "20", "17.5", "10%", "۱۰٪". It may be
// negative. Its errors are InputErrors, like those of Currency.Parse.
func ParsePercent(text string) (Percent, error) {
	number, _ := cutPercentSign(text)
	n, err := parseDecimal(number, percentDigits, int64(MaxPercent))
	if err == errMagnitude {
		err = magnitudeError(n, MaxPercent.String())
	}
	if err != nil {
		return 0, err
	}
	return Percent(n), nil
}

// cutPercentSign returns text without the percent sign at its end, and whether it
// has one. U+066A is the Arabic percent sign.
func cutPercentSign(text string) (number string, found bool) {
	text = strings.TrimSpace(text)
	if number, found = strings.CutSuffix(text, "%"); !found {
		number, found = strings.CutSuffix(text, "\u066a")
	}
	return number, found
}

// magnitudeError returns the message for a number with the sign of n that is further
// from zero than limit.
func magnitudeError(n int64, limit string) error {
	if n < 0 {
		return InputError("Ensure this value is greater than or equal to -" + limit + ".")
	}
	return InputError("Ensure this value is less than or equal to " + limit + ".")
}

// parseDecimal returns text * 10^digits. It returns ErrNumber if text is not a number,
// and an InputError if text has more decimals than digits. If the number is beyond
// limit, it returns errMagnitude and a number with the same sign.
//
// Decimals are counted as Django REST framework counts them: 1.50 has two, and so
// has 150e-2.
func parseDecimal(text string, digits int, limit int64) (int64, error) {
	var buf [32]byte
	number, ok := asciiNumber(buf[:0], text)
	if !ok {
		return 0, ErrNumber
	}
	sign := int64(1)
	if number != "" && (number[0] == '-' || number[0] == '+') {
		if number[0] == '-' {
			sign = -1
		}
		number = number[1:]
	}
	mantissa, exponent, ok := cutExponent(number)
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if !ok || !wellGrouped(whole) || strings.Trim(fraction, "0123456789") != "" || len(whole)+len(fraction) == 0 {
		return 0, ErrNumber
	}
	exponent -= int64(len(fraction))
	if exponent < -int64(digits) {
		return 0, InputError(fmt.Sprintf("Ensure that there are no more than %d decimal places.", digits))
	}
	n := int64(0)
	for _, part := range [...]string{whole, fraction} {
		for _, digit := range []byte(part) {
			if digit == ',' {
				continue
			}
			if n = 10*n + int64(digit-'0'); n > limit {
				return sign, errMagnitude
			}
		}
	}
	for exponent += int64(digits); exponent > 0 && n > 0; exponent-- {
		if n *= 10; n > limit {
			return sign, errMagnitude
		}
	}
	return sign * n, nil
}

// asciiNumber appends to b the characters of a number in ASCII, without the blanks
// around it. Arabic-Indic and Extended Arabic-Indic digits become 0 to 9. The Arabic
// decimal separator becomes a point. The Arabic thousands separator and the Arabic comma,
// which is on Urdu keyboards, become a comma. ok is false if text has a character
// that no number has.
func asciiNumber(b []byte, text string) (number string, ok bool) {
	for _, r := range strings.TrimSpace(text) {
		switch {
		case r >= '0' && r <= '9', strings.ContainsRune("+-.,eE", r):
			b = append(b, byte(r))
		case r >= '\u0660' && r <= '\u0669':
			b = append(b, byte('0'+r-'\u0660'))
		case r >= '\u06f0' && r <= '\u06f9':
			b = append(b, byte('0'+r-'\u06f0'))
		case r == '\u066b':
			b = append(b, '.')
		case r == '\u066c', r == '\u060c':
			b = append(b, ',')
		default:
			return "", false
		}
	}
	return string(b), true
}

// cutExponent cuts the exponent off a number such as 15e2. In place of an exponent that is
// too large for any amount, it may return a smaller one that is too large as well.
func cutExponent(number string) (mantissa string, exponent int64, ok bool) {
	mantissa, text := number, ""
	i := strings.IndexAny(number, "eE")
	if i < 0 {
		return mantissa, 0, true
	}
	mantissa, text = number[:i], number[i+1:]
	negative := strings.HasPrefix(text, "-")
	if negative || strings.HasPrefix(text, "+") {
		text = text[1:]
	}
	for _, digit := range []byte(text) {
		if digit < '0' || digit > '9' {
			return "", 0, false
		}
		exponent = min(10*exponent+int64(digit-'0'), math.MaxInt32)
	}
	if negative {
		exponent = -exponent
	}
	return mantissa, exponent, text != ""
}

// wellGrouped reports whether whole consists of digits, without commas or with
// thousands' commas: 1,250,000 or, as in Pakistan, 12,50,000. It is false for 1,5, which
// may mean one and a half.
func wellGrouped(whole string) bool {
	if strings.Trim(whole, "0123456789,") != "" {
		return false
	}
	last := strings.LastIndexByte(whole, ',')
	if last < 0 {
		return true
	}
	if len(whole)-last-1 != 3 {
		return false
	}
	groups := strings.Split(whole[:last], ",")
	size := 3
	if len(groups) > 1 {
		size = len(groups[1])
	}
	if size != 2 && size != 3 || groups[0] == "" || len(groups[0]) > size {
		return false
	}
	for _, group := range groups[1:] {
		if len(group) != size {
			return false
		}
	}
	return true
}
