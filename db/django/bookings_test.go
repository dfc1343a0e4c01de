package django_test

import (
	"strings"
	"testing"
	"time"

	"onenow/db"
	"onenow/db/django"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestDays converts times to days. The times in the table are in UTC, as Django stores
// them.
func TestDays(t *testing.T) {
	for _, c := range []struct {
		zone, from, to string
		start, end     db.Date // "" if ok is false
	}{
		{"UTC", "2030-03-10 10:00:00", "2030-03-12 10:00:00", "2030-03-10", "2030-03-12"},
		{"UTC", "2030-03-10 10:00:00", "2030-03-12 09:59:59", "2030-03-10", "2030-03-12"},
		{"UTC", "2030-03-10 10:00:00", "2030-03-12 18:00:00", "2030-03-10", "2030-03-13"},
		{"UTC", "2030-03-10 10:00:00", "2030-03-12 10:00:00.000001", "2030-03-10", "2030-03-13"},
		{"UTC", "2030-03-10 10:00:00.000001", "2030-03-12 10:00:00", "2030-03-10", "2030-03-12"},
		{"UTC", "2030-03-10 10:00:00", "2030-03-10 12:00:00", "2030-03-10", "2030-03-11"},
		{"UTC", "2030-03-10 10:00:00", "2030-03-10 10:00:00.000001", "2030-03-10", "2030-03-11"},
		{"UTC", "2030-03-10 23:59:59.999999", "2030-03-11 00:00:00", "2030-03-10", "2030-03-11"},
		{"UTC", "2030-03-10 00:00:00", "2030-03-11 00:00:00", "2030-03-10", "2030-03-11"},
		{"UTC", "2030-03-10 00:00:00", "2030-03-10 23:59:59.999999", "2030-03-10", "2030-03-11"},
		{"UTC", "2030-12-31 10:00:00", "2030-12-31 11:00:00", "2030-12-31", "2031-01-01"},
		{"UTC", "2028-02-28 10:00:00", "2028-02-28 11:00:00", "2028-02-28", "2028-02-29"},
		{"UTC", "0001-01-01 00:00:00", "0001-01-01 00:00:01", "0001-01-01", "0001-01-02"},
		{"UTC", "9999-12-30 10:00:00", "9999-12-31 10:00:00", "9999-12-30", "9999-12-31"},
		{"UTC", "9999-12-30 10:00:00", "9999-12-31 10:00:01", "", ""},
		{"America/New_York", "0001-01-01 00:00:00", "0001-01-03 00:00:00", "", ""},
		{"Asia/Karachi", "9999-12-30 20:00:00", "9999-12-31 20:00:00", "", ""},

		// Across midnight in UTC, and across midnight in the zone.
		{"Asia/Karachi", "2030-03-10 18:59:59", "2030-03-10 19:00:00", "2030-03-10", "2030-03-11"},
		{"Asia/Karachi", "2030-03-10 19:00:00", "2030-03-11 18:00:00", "2030-03-11", "2030-03-12"},
		{"Asia/Karachi", "2030-03-10 00:00:00", "2030-03-12 00:00:00", "2030-03-10", "2030-03-12"},
		{"America/New_York", "2030-03-10 00:00:00", "2030-03-12 00:00:00", "2030-03-09", "2030-03-12"},

		// From winter to summer time and back: the local time of day counts.
		{"America/New_York", "2030-01-10 15:00:00", "2030-07-10 14:00:00", "2030-01-10", "2030-07-10"},
		{"America/New_York", "2030-01-10 15:00:00", "2030-07-10 14:00:01", "2030-01-10", "2030-07-11"},
		{"America/New_York", "2030-07-10 14:00:00", "2030-12-10 15:00:00", "2030-07-10", "2030-12-10"},
		// The clock is turned back at 2:00 to 1:00: from 1:30 to the second 1:10.
		{"America/New_York", "2030-11-03 05:30:00", "2030-11-03 06:10:00", "2030-11-03", "2030-11-04"},
		// The clock is turned back at 00:01 to 23:01: from 00:00:30 to 23:05 of the day before.
		{"America/St_Johns", "2010-11-07 02:30:30", "2010-11-07 02:35:00", "2010-11-07", "2010-11-08"},
		// The zone has no 2011-12-30.
		{"Pacific/Apia", "2011-12-30 09:00:00", "2011-12-30 11:00:00", "2011-12-29", "2011-12-31"},
	} {
		z := zone(t, c.zone)
		at := func(s string) time.Time {
			at, err := time.Parse(time.DateTime, s)
			if err != nil {
				t.Fatal(err)
			}
			return at.In(z)
		}
		start, end, ok := django.Days(at(c.from), at(c.to))
		if ok != (c.start != "") || ok && (start != c.start || end != c.end) {
			t.Errorf("%s to %s, in %s: got %s to %s, %v, want %s to %s", c.from, c.to, c.zone, start, end, ok, c.start, c.end)
		}
	}
}

// FuzzDays converts any two times. It wants the day of the first time as the start. As the
// end, it wants the first day after the start on which the vehicle is back by the time of
// day at which it was taken.
func FuzzDays(f *testing.F) {
	f.Add(int64(1_900_000_000), int64(0), int64(3600), int64(0), "Asia/Karachi")
	f.Add(int64(1_289_097_030), int64(1), int64(270), int64(999_999_999), "America/St_Johns")
	f.Add(int64(-62_135_596_800), int64(0), int64(1), int64(0), "America/New_York")
	f.Fuzz(func(t *testing.T, at, atNano, length, lengthNano int64, name string) {
		z, err := time.LoadLocation(name)
		if err != nil || strings.ToLower(name) == "local" {
			return
		}
		nano := func(n int64) time.Duration { return time.Duration(uint64(n) % 1e9) }
		from := time.Unix(at%250e9, 0).Add(nano(atNano)).In(z)
		to := from.Add(time.Duration(uint64(length)%1e9)*time.Second + nano(lengthNano)).In(z)
		if !to.After(from) {
			return
		}
		start, end, ok := django.Days(from, to)
		if !ok {
			if from.Year() >= 1 && to.Year() <= 9998 {
				t.Fatalf("%v to %v: not ok", from, to)
			}
			return
		}
		clock := func(t time.Time) string { return t.Format("15:04:05.000000000") }
		first, last := from.Format(time.DateOnly), to.Format(time.DateOnly)
		if string(start) != first || end <= start {
			t.Errorf("%v to %v: got %s to %s", from, to, start, end)
		}
		switch back := end == db.Date(last); {
		case last <= first: // the booking starts and ends on one day
			day, err := time.Parse(time.DateOnly, first)
			if err != nil || string(end) != day.AddDate(0, 0, 1).Format(time.DateOnly) {
				t.Errorf("%v to %v: got end %s", from, to, end)
			}
		case back != (clock(to) <= clock(from)):
			t.Errorf("%v to %v: got end %s", from, to, end)
		}
	})
}

func TestDjangoTime(t *testing.T) {
	for s, want := range map[string]bool{
		"2030-03-10 10:00:00": true, "2030-03-10 10:00:00.5": true, "2030-03-10 10:00:00.123456": true, "0001-01-01 00:00:00": true,
		"": false, "2030-03-10": false, "2030-03-10T10:00:00": false, "2030-03-10 10:00:00Z": false, "2030-03-10 10:00:00+05:00": false,
		"2030-02-30 10:00:00": false, "2030-03-10 24:00:00": false, "0000-01-01 00:00:00": false, "2030-03-10 10:00:00,5": false,
		"2030-03-10 10:00:00.1234567": false, " 2030-03-10 10:00:00": false, "12030-03-10 10:00:00": false,
	} {
		if _, got := django.ParseTime(s); got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}
