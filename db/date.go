package db

import (
	"errors"
	"time"
)

// Date is a day from 0001-01-01 to 9999-12-31, in the form YYYY-MM-DD. The operators < and
// > compare dates by time. The empty Date is no day.
type Date string

const (
	minDate Date = "0001-01-01"
	maxDate Date = "9999-12-31"
)

// ErrDate is the error of ParseDate.
var ErrDate = errors.New("not a date written YYYY-MM-DD")

// ParseDate returns s as a Date, or ErrDate if s is not a valid day in the form
// YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	if len(s) != len(time.DateOnly) || Date(s) < minDate {
		return "", ErrDate
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "", ErrDate
	}
	return Date(s), nil
}
