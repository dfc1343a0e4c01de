package prices_test

import (
	"testing"
	"time"

	"onenow/db/prices"
)

func TestParseMoment(t *testing.T) {
	for _, tt := range []struct {
		date, clock string
		want        prices.Moment
		err         error
	}{
		{"1970-01-01", "00:00", 0, nil},
		{"1970-01-02", "01:30", 1530, nil},
		{"1969-12-31", "23:59", -1, nil},
		{"2024-02-29", "10:00", 28486680, nil},
		{"0001-01-01", "00:00", -1035593280, nil},
		{"9999-12-31", "23:59", 4223371679, nil},
		{"2023-02-29", "10:00", 0, prices.ErrDate},
		{"0000-12-31", "10:00", 0, prices.ErrDate},
		{"2025-7-20", "10:00", 0, prices.ErrDate},
		{"20250720", "10:00", 0, prices.ErrDate},
		{"", "10:00", 0, prices.ErrDate},
		{"2025-07-20", "24:00", 0, prices.ErrTime},
		{"2025-07-20", "10:60", 0, prices.ErrTime},
		{"2025-07-20", "9:30", 0, prices.ErrTime},
		{"2025-07-20", "10:00:00", 0, prices.ErrTime},
		{"2025-07-20", "", 0, prices.ErrTime},
	} {
		got, err := prices.ParseMoment(tt.date, tt.clock)
		if got != tt.want || err != tt.err {
			t.Errorf("ParseMoment(%q, %q): got %d, %v, want %d, %v", tt.date, tt.clock, got, err, tt.want, tt.err)
		}
		if err != nil {
			continue
		}
		if written := got.String(); written != tt.date+" "+tt.clock {
			t.Errorf("ParseMoment(%q, %q): written again it is %q", tt.date, tt.clock, written)
		}
		if day := got.Day().String(); day != tt.date {
			t.Errorf("ParseMoment(%q, %q): its day is %s", tt.date, tt.clock, day)
		}
	}
}

// TestDaysFollowEachOther compares days with package time. 97 is a prime number, so
// that the steps meet all days of the months.
func TestDaysFollowEachOther(t *testing.T) {
	first, err := prices.ParseDay("0001-01-01")
	if err != nil {
		t.Fatal(err)
	}
	want := first
	for day := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 10000; day = day.AddDate(0, 0, 97) {
		if got, err := prices.ParseDay(day.Format(time.DateOnly)); got != want || err != nil {
			t.Fatalf("%s: got %d, %v, want %d", day, got, err, want)
		}
		want += 97
	}
	if last := (want - 97).String(); last < "9999-09-01" {
		t.Errorf("the last day compared is %s, want one of the last 97", last)
	}
}

func FuzzParseMoment(f *testing.F) {
	f.Add("2025-07-20", "10:00")
	f.Add("0001-01-01", "00:00")
	f.Add("9999-12-31", "23:59")
	f.Fuzz(func(t *testing.T, date, clock string) {
		m, err := prices.ParseMoment(date, clock)
		if err == nil && m.String() != date+" "+clock {
			t.Errorf("ParseMoment(%q, %q): written again it is %q", date, clock, m)
		}
	})
}
