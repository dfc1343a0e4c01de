package django

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"onenow/db"
)

// takeBookings converts the rows of table bookings. It rejects those that cannot be
// imported.
func (g *source) takeBookings(bookings, vehicles *table) {
	all := map[int64][]*booking{} // by vehicle
	for _, r := range bookings.rows {
		car, reason := parent(vehicles, r, "vehicle_id")
		b := &booking{row: r}
		var ok1, ok2 bool
		b.from, ok1 = parseTime(r.get("start_date"))
		b.to, ok2 = parseTime(r.get("end_date"))
		switch {
		case reason != "":
		case !ok1 || !ok2:
			reason = "has a date that is not written YYYY-MM-DD HH:MM:SS"
		case !b.to.After(b.from):
			reason = "does not end after it starts"
		default:
			if b.start, b.end, ok1 = days(b.from.In(g.opts.Zone), b.to.In(g.opts.Zone)); !ok1 {
				reason = "has days that are not from 0001-01-01 to 9999-12-31"
			}
		}
		if reason != "" {
			g.rejectAndReport(r, "%s", reason)
			continue
		}
		b.vehicle = car.id
		all[car.id] = append(all[car.id], b)
	}
	for _, v := range g.vehicles {
		g.keepFirst(all[v.id])
		g.listClashes(v, all[v.id])
	}
	slices.SortFunc(g.bookings, func(a, b *booking) int { return cmp.Compare(a.id, b.id) })
	g.countDays()
}

// parseTime parses a time in the format in which Django stores it in SQLite. The time is
// in UTC.
func parseTime(s string) (time.Time, bool) {
	if len(s) > len("2006-01-02 15:04:05.000000") {
		return time.Time{}, false
	}
	t, err := time.Parse(time.DateTime, s) // also accepts a fraction of a second
	return t, err == nil && t.Year() > 0 && !strings.Contains(s, ",")
}

// days converts the times of a booking to days. start is the day of from. end is the day
// of to; it is one day later if to has a later time of day than from, or if end would not
// be after start. to must be after from. ok is false if a day is not within the years 1 to
// 9999.
func days(from, to time.Time) (start, end db.Date, ok bool) {
	first, last := midnight(from), midnight(to)
	// last is before first if the clock is turned back across midnight during the booking.
	if !last.After(first) {
		last = first.AddDate(0, 0, 1)
	} else if wall(to).Sub(last) > wall(from).Sub(first) {
		last = last.AddDate(0, 0, 1)
	}
	ok = first.Year() >= 1 && last.Year() <= 9999
	return db.Date(first.Format(time.DateOnly)), db.Date(last.Format(time.DateOnly)), ok
}

// wall returns the time in UTC with the same date and time of day as t.
func wall(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// midnight returns the time in UTC at which the day of t begins.
func midnight(t time.Time) time.Time { return wall(t).Truncate(24 * time.Hour) }

// maxPerClash limits how many overlaps the report lists for one booking: the number of all
// overlaps may be the square of the number of bookings.
const maxPerClash = 100

// listClashes adds each pair of a vehicle's bookings that overlap to the report. It must be
// called after keepFirst.
func (g *source) listClashes(v *vehicle, bookings []*booking) {
	byStart := slices.Clone(bookings)
	slices.SortStableFunc(byStart, func(a, b *booking) int { return strings.Compare(string(a.start), string(b.start)) })
	var open []*booking // the earlier bookings that end after the current one starts
	for _, b := range byStart {
		open = slices.DeleteFunc(open, func(o *booking) bool { return o.end <= b.start })
		for i, o := range open {
			if i == maxPerClash {
				g.report.Clashes = append(g.report.Clashes, clash{v, nil, b, len(open) - i})
				break
			}
			g.report.Clashes = append(g.report.Clashes, clash{v, o, b, 0})
		}
		open = append(open, b)
	}
}

// clash is a pair of bookings of a vehicle that overlap. a starts first. If a is nil, the
// clash stands for all further bookings that overlap b. String formats the text only when
// it is printed, because there may be very many clashes and the rows may be long.
type clash struct {
	vehicle *vehicle
	a, b    *booking
	more    int // if a is nil: the number of further bookings
}

func (c clash) String() string {
	v, a, b := c.vehicle, c.a, c.b
	if a == nil {
		return fmt.Sprintf("vehicle %d, %q, has %s, which overlaps %d more bookings", v.id, v.Plate, b, c.more)
	}
	hours := ""
	if !a.to.After(b.from) {
		hours = " by day, but not by hour"
	}
	if a.id > b.id {
		a, b = b, a
	}
	kept := "neither"
	if a.reason == "" {
		kept = fmt.Sprintf("booking %d", a.id)
	} else if b.reason == "" {
		kept = fmt.Sprintf("booking %d", b.id)
	}
	return fmt.Sprintf("vehicle %d, %q, has %s, which becomes %s to %s, and %s, which becomes %s to %s: they overlap%s; kept: %s",
		v.id, v.Plate, a, a.start, a.end, b, b.start, b.end, hours, kept)
}

// keepFirst keeps each of a vehicle's bookings that overlaps no kept booking with a lower
// id, and rejects the others. bookings are in the order of their ids.
func (g *source) keepFirst(bookings []*booking) {
	var kept []*booking // in the order of their days; they do not overlap
	for _, b := range bookings {
		i, _ := slices.BinarySearchFunc(kept, b.start, func(k *booking, start db.Date) int {
			if k.end <= start {
				return -1
			}
			return 1
		})
		if i < len(kept) && kept[i].start < b.end {
			g.reject(b.row, "overlaps %s, which was made first", kept[i])
			continue
		}
		kept = slices.Insert(kept, i, b)
		g.bookings = append(g.bookings, b)
	}
}

// countDays counts, for the report, how the conversion to days changed the bookings.
func (g *source) countDays() {
	plain, moved := 0, 0 // bookings from midnight to midnight in UTC; those of them whose days change
	for _, b := range g.bookings {
		from, to := wall(b.from.In(g.opts.Zone)), wall(b.to.In(g.opts.Zone))
		if from != midnight(from) || to != midnight(to) {
			g.report.Hours++
		}
		if string(b.end) != to.Format(time.DateOnly) {
			g.report.Longer++
		}
		if b.from == midnight(b.from) && b.to == midnight(b.to) {
			plain++
			if from.Day() != b.from.Day() || to.Day() != b.to.Day() {
				moved++
			}
		}
	}
	if moved > 0 {
		g.report.Notes = append(g.report.Notes, fmt.Sprintf(
			"bookings that start and end at midnight in UTC: %d, which is how the first implementation stored plain dates; %d of these get other days in this time zone. If the frontend sent plain dates, use --timezone UTC", plain, moved))
	}
}
