package django

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"onenow/db"
)

func (g *source) takeBookings(bookings, vehicles *table) {
	all := map[int64][]*booking{} // by vehicle
	for _, r := range bookings.rows {
		car, why := parent(vehicles, r, "vehicle_id")
		b := &booking{row: r}
		var ok1, ok2 bool
		b.from, ok1 = parseTime(r.get("start_date"))
		b.to, ok2 = parseTime(r.get("end_date"))
		switch {
		case why != "":
		case !ok1 || !ok2:
			why = "has a date that is not written YYYY-MM-DD HH:MM:SS"
		case !b.to.After(b.from):
			why = "does not end after it starts"
		default:
			if b.start, b.end, ok1 = days(b.from.In(g.opts.Zone), b.to.In(g.opts.Zone)); !ok1 {
				why = "has days that are not from 0001-01-01 to 9999-12-31"
			}
		}
		if why != "" {
			g.refuseAlone(r, "%s", why)
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

// parseTime reads a time as Django writes it to SQLite, which is in UTC.
func parseTime(s string) (time.Time, bool) {
	if len(s) > len("2006-01-02 15:04:05.000000") {
		return time.Time{}, false
	}
	t, err := time.Parse(time.DateTime, s) // takes a fraction, too
	return t, err == nil && t.Year() > 0 && !strings.Contains(s, ",")
}

// days returns the days that take a car as a booking from the one time to the
// other, later one did: from the day it starts up to, not including, the day it
// ends, or the day after that if it ends later in its day than it started in
// its own. It is not ok if they are not within the years 1 to 9999.
func days(from, to time.Time) (start, end db.Date, ok bool) {
	first, last := midnight(from), midnight(to)
	// Not even then when the clock is put back across midnight, and the day with it.
	if !last.After(first) {
		last = first.AddDate(0, 0, 1)
	} else if wall(to).Sub(last) > wall(from).Sub(first) {
		last = last.AddDate(0, 0, 1)
	}
	ok = first.Year() >= 1 && last.Year() <= 9999
	return db.Date(first.Format(time.DateOnly)), db.Date(last.Format(time.DateOnly)), ok
}

// wall returns what clock and calendar show at t, as if it were in UTC.
func wall(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

func midnight(t time.Time) time.Time { return wall(t).Truncate(24 * time.Hour) }

// maxPerClash bounds how many clashes are listed for one booking, as there may
// be the square of the bookings.
const maxPerClash = 100

// listClashes reports each two of a vehicle's bookings that overlap, once it is
// known which of them are kept.
func (g *source) listClashes(v *vehicle, bookings []*booking) {
	byStart := slices.Clone(bookings)
	slices.SortStableFunc(byStart, func(a, b *booking) int { return strings.Compare(string(a.start), string(b.start)) })
	var open []*booking // those that may reach into the ones to come
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

// clash is of two bookings of a vehicle that overlap, the one that starts first
// being a, or, without a, of b and some more. There may be very many, and a row
// may be long: it is put into words when it is shown.
type clash struct {
	vehicle *vehicle
	a, b    *booking
	more    int
}

func (c clash) String() string {
	v, a, b := c.vehicle, c.a, c.b
	if a == nil {
		return fmt.Sprintf("vehicle %d, %q, has %s, which overlaps %d more", v.id, v.Plate, b, c.more)
	}
	hours := ""
	if !a.to.After(b.from) {
		hours = ", though not by the hour"
	}
	if a.id > b.id {
		a, b = b, a
	}
	kept := "neither"
	if a.why == "" {
		kept = fmt.Sprintf("booking %d", a.id)
	} else if b.why == "" {
		kept = fmt.Sprintf("booking %d", b.id)
	}
	return fmt.Sprintf("vehicle %d, %q, has %s, so %s to %s, and %s, so %s to %s: they overlap%s; to be kept: %s",
		v.id, v.Plate, a, a.start, a.end, b, b.start, b.end, hours, kept)
}

// keepFirst takes of a vehicle's bookings, which are in the order they were
// made in, each that overlaps none made before it and taken.
func (g *source) keepFirst(bookings []*booking) {
	var kept []*booking // by day; they do not overlap
	for _, b := range bookings {
		i, _ := slices.BinarySearchFunc(kept, b.start, func(k *booking, start db.Date) int {
			if k.end <= start {
				return -1
			}
			return 1
		})
		if i < len(kept) && kept[i].start < b.end {
			g.refuse(b.row, "overlaps %s, which was there first", kept[i])
			continue
		}
		kept = slices.Insert(kept, i, b)
		g.bookings = append(g.bookings, b)
	}
}

// countDays reports what has become of the bookings' times.
func (g *source) countDays() {
	plain, moved := 0, 0
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
			"bookings that start and end at midnight in UTC: %d, which is how plain dates were stored there; of these, %d come to other days in this time zone. If people typed in dates, use --timezone UTC", plain, moved))
	}
}
