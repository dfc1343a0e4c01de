package prices

import "errors"

// DayRule says how a shop counts the days of a rental.
//
// Most shops count days of 24 hours from pick-up, with some free minutes and then a price
// for each hour. In Lahore an hour costs a fifth of the daily rate, and some shops count
// days of the calendar instead.
type DayRule struct {
	// Calendar counts the days of the calendar, including the first and the last one.
	// The other fields then have no effect. Without it, days are 24 hours from pick-up.
	Calendar bool

	// GraceMinutes is how many minutes beyond the last full day are free.
	GraceMinutes int64

	// ExtraHourPercent is what an hour beyond the last full day costs, in percent
	// of the daily rate, for a car without a rate of its own for an hour.
	ExtraHourPercent Percent

	// FullDayAfterHours is the greatest number of hours beyond the last full day that
	// are paid as hours: more hours are a full day. 0 means that there is no limit.
	FullDayAfterHours int64
}

// ErrOutOfRange is returned for a rate, an amount, a percentage or a part of a day
// rule that is negative or beyond its limit.
var ErrOutOfRange = errors.New("a rate, an amount or a percentage is out of range")

func (r DayRule) check() error {
	if r.GraceMinutes < 0 || r.FullDayAfterHours < 0 || r.ExtraHourPercent < 0 || r.ExtraHourPercent > MaxPercent {
		return ErrOutOfRange
	}
	return nil
}

// count returns the full days of s, at least 1, and the hours beyond them, whatever
// they cost. A begun hour counts, and the grace counts as soon as it is exceeded:
// with 60 minutes' grace, 25 h are one day, and 25 h 1 min are one day and 2 hours.
//
// GraceMinutes takes precedence over FullDayAfterHours: time within the grace is free
// even if it is longer than those hours.
func (r DayRule) count(s Span) (full, hours int64) {
	if r.Calendar {
		return s.calendarDays(), 0
	}
	full, left := s.minutes()/minutesPerDay, s.minutes()%minutesPerDay
	switch {
	case full == 0:
		return 1, 0
	case left <= r.GraceMinutes:
		return full, 0
	case r.FullDayAfterHours > 0 && ceilDiv(left, minutesPerHour) > r.FullDayAfterHours:
		return full + 1, 0
	}
	return full, ceilDiv(left, minutesPerHour)
}
