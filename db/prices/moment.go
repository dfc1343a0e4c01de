package prices

import (
	"errors"
	"time"
)

// Day is a day of the calendar, counted from 1970-01-01, which is 0. Days before
// that one are negative. The rules accept days from 0001-01-01 to 9999-12-31.
type Day int64

// Moment is a date and a time on the shop's clock, in minutes from 1970-01-01 00:00. It
// has no time zone: the minutes between two moments are the difference on that clock, also
// on a day on which daylight saving begins or ends.
type Moment int64

const (
	minutesPerHour = 60
	minutesPerDay  = 24 * minutesPerHour

	firstDay Day = -719162 // 0001-01-01
	lastDay  Day = 2932896 // 9999-12-31
)

var (
	// ErrDate is returned for text that is not a date.
	ErrDate = errors.New("not a date written YYYY-MM-DD")

	// ErrTime is returned for text that is not a time.
	ErrTime = errors.New("not a time written HH:MM, from 00:00 to 23:59")
)

// ParseDay returns the day of a date written YYYY-MM-DD, from 0001-01-01 to
// 9999-12-31. It returns ErrDate for other text.
func ParseDay(date string) (Day, error) {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil || t.Year() < 1 {
		return 0, ErrDate
	}
	return Moment(t.Unix() / 60).Day(), nil
}

// ParseMoment returns the moment of a date, written as for ParseDay, and a time written
// HH:MM. It returns ErrDate or ErrTime for other text.
func ParseMoment(date, clock string) (Moment, error) {
	day, err := ParseDay(date)
	if err != nil {
		return 0, err
	}
	const layout = "15:04"
	t, err := time.Parse(layout, clock)
	if err != nil || len(clock) != len(layout) { // Parse accepts 9:30, too
		return 0, ErrTime
	}
	return day.At(t.Hour(), t.Minute()), nil
}

// At returns the moment of an hour and a minute on that day.
func (d Day) At(hour, minute int) Moment {
	return Moment(d)*minutesPerDay + Moment(hour*minutesPerHour+minute)
}

// String returns the day as YYYY-MM-DD.
func (d Day) String() string { return d.At(0, 0).time().Format(time.DateOnly) }

// Day returns the day of the moment.
func (m Moment) Day() Day {
	day := m / minutesPerDay
	if m%minutesPerDay < 0 { // the division rounds towards zero, but the day begins before that
		day--
	}
	return Day(day)
}

// String returns the moment as YYYY-MM-DD HH:MM.
func (m Moment) String() string { return m.time().Format("2006-01-02 15:04") }

func (m Moment) time() time.Time { return time.Unix(int64(m)*60, 0).UTC() }

// Span is the time from Start to End.
type Span struct{ Start, End Moment }

// ErrSpan is returned for a rental that does not end after it starts, or has days
// that the rules do not accept.
var ErrSpan = errors.New("a rental has to end after it starts")

func (s Span) check() error {
	if s.Start >= s.End || s.Start.Day() < firstDay || s.End.Day() > lastDay {
		return ErrSpan
	}
	return nil
}

// minutes returns the length of the span.
func (s Span) minutes() int64 { return int64(s.End - s.Start) }

// begunDays returns how many days of 24 hours from Start on have begun before End,
// at least 1.
func (s Span) begunDays() int64 { return max(1, ceilDiv(s.minutes(), minutesPerDay)) }

// calendarDays returns how many days of the calendar the span touches. The days of
// both Start and End count.
func (s Span) calendarDays() int64 { return int64(s.End.Day()-s.Start.Day()) + 1 }

// ceilDiv returns a / b, rounded up. a is at least 0, and b is greater than 0.
func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
