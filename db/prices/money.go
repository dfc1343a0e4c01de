package prices

import (
	"errors"
	"math/bits"
	"strconv"
)

// Money is an amount in whole minor units of a currency: paisa, cents, or yen.
type Money int64

const (
	// MaxAmount is the greatest amount that a user may enter: a rate, a payment, a
	// deposit. The least one is -MaxAmount.
	MaxAmount Money = 1e12

	// MaxTotal is the greatest amount that the rules compute. It is greater than
	// MaxAmount, because 8,000 years at 5,000.00 a day are 1.5 * 10^12 minor units. It
	// is small enough for a report that adds up 9,000 such totals in an int64.
	MaxTotal Money = 1e15
)

// ErrTooLarge is returned when a sum or a product is greater than MaxTotal or less
// than -MaxTotal.
var ErrTooLarge = errors.New("the amount is too large")

// Add returns m + n, or ErrTooLarge.
func (m Money) Add(n Money) (Money, error) {
	sum := m + n
	if (sum > m) != (n > 0) || sum > MaxTotal || sum < -MaxTotal {
		return 0, ErrTooLarge
	}
	return sum, nil
}

// Times returns m * n, or ErrTooLarge.
func (m Money) Times(n int64) (Money, error) { return m.fraction(n, 1) }

// Percent returns p percent of m, rounded half away from zero, or ErrTooLarge.
func (m Money) Percent(p Percent) (Money, error) { return m.fraction(int64(p), int64(hundredPercent)) }

// fraction returns m * n / d, rounded half away from zero, or ErrTooLarge. The
// product may have 128 bits. d is greater than zero.
func (m Money) fraction(n, d int64) (Money, error) {
	hi, lo := bits.Mul64(magnitude(int64(m)), magnitude(n))
	if hi >= uint64(d) { // the quotient would not fit into 64 bits
		return 0, ErrTooLarge
	}
	quo, rem := bits.Div64(hi, lo, uint64(d))
	if rem >= uint64(d)-rem {
		quo++
	}
	if quo > uint64(MaxTotal) {
		return 0, ErrTooLarge
	}
	if (m < 0) != (n < 0) {
		return -Money(quo), nil
	}
	return Money(quo), nil
}

// magnitude returns n without its sign. It accepts the least int64 as well.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// Percent is a percentage in hundredths of a percent: 1,750 is 17.5 %.
type Percent int64

const (
	hundredPercent Percent = 100 * 100

	// MaxPercent is the greatest percentage that a user may enter: 1,000 %. The least
	// one is -MaxPercent.
	MaxPercent Percent = 10 * hundredPercent

	percentDigits = 2
)

// String returns p without zeros at its end: 20, 17.5, -0.25.
func (p Percent) String() string {
	s := appendDecimal(nil, int64(p), percentDigits, false)
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return string(s)
}

// appendDecimal appends n / 10^digits in decimal, with thousands' commas if grouped.
func appendDecimal(b []byte, n int64, digits int, grouped bool) []byte {
	if n < 0 {
		b = append(b, '-')
	}
	var buf [20]byte
	text := strconv.AppendUint(buf[:0], magnitude(n), 10)
	whole := len(text) - digits
	if whole <= 0 {
		b = append(b, '0')
	}
	for i := range max(whole, 0) {
		if grouped && i > 0 && (whole-i)%3 == 0 {
			b = append(b, ',')
		}
		b = append(b, text[i])
	}
	if digits == 0 {
		return b
	}
	b = append(b, '.')
	for range -min(whole, 0) {
		b = append(b, '0')
	}
	return append(b, text[max(whole, 0):]...)
}
