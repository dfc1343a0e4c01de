package body

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// errNotWhole is the error for a text or a number that is not a whole number.
var errNotWhole = errors.New("not a whole number")

// maxDigits is the greatest number of digits of a whole number in a text.
const maxDigits = 100

// parseWhole returns the whole number in s, such as "2020", "-5" or "2020.0". The
// error is errNotWhole, or strconv.ErrRange with the int64 nearest to the number.
func parseWhole(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if i := strings.IndexByte(s, '.'); i >= 0 && strings.Trim(s[i+1:], "0") == "" {
		s = s[:i]
	}
	if len(strings.TrimLeft(s, "+-")) > maxDigits {
		return 0, errNotWhole
	}
	return parseInt(s)
}

// parseInt is strconv.ParseInt with the errors of parseWhole.
func parseInt(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return n, strconv.ErrRange
	case err != nil:
		return 0, errNotWhole
	}
	return n, nil
}

// wholeNumber returns n if it is a whole number, such as 2020, 2020.0 or 2.02e3.
// Its errors are those of parseWhole.
func wholeNumber(n json.Number) (int64, error) {
	i, err := parseWhole(n.String())
	if err != errNotWhole {
		return i, err
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	switch {
	case err != nil || f != math.Trunc(f):
		return 0, errNotWhole
	case f >= 1<<63:
		return math.MaxInt64, strconv.ErrRange
	case f < -1<<63:
		return math.MinInt64, strconv.ErrRange
	}
	return int64(f), nil
}

// outOfRange returns a message unless n is a number from least to most; otherwise it
// returns "". n and err are the results of parseWhole or wholeNumber.
func outOfRange(n int64, err error, least, most int) string {
	switch {
	case err == errNotWhole:
		return msgInteger
	case n < int64(least):
		return fmt.Sprintf("Ensure this value is greater than or equal to %d.", least)
	case n > int64(most):
		return fmt.Sprintf("Ensure this value is less than or equal to %d.", most)
	}
	return ""
}
