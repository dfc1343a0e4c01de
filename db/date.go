package db

import (
	"errors"
	"time"
)

// Date is a day of the calendar, from 0001-01-01 to 9999-12-31, written
// YYYY-MM-DD. Dates compare as strings do.
type Date string

const (
	minDate Date = "0001-01-01"
	maxDate Date = "9999-12-31"
)

// ErrDate is returned for text that is no date.
var ErrDate = errors.New("not a date written YYYY-MM-DD")

// ParseDate returns the date that s writes, or ErrDate.
func ParseDate(s string) (Date, error) {
	if len(s) != len(time.DateOnly) || Date(s) < minDate {
		return "", ErrDate
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "", ErrDate
	}
	return Date(s), nil
}
