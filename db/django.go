package db

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	sqlite3 "modernc.org/sqlite/lib"
)

// django is what is read from the first implementation's file: rows that come
// over, as they will be here, and rows that do not.
type django struct {
	opts ImportOptions
	year int // the one it is now

	tables   []*djangoTable
	users    []djangoUser
	vehicles []*djangoVehicle
	bookings []*djangoBooking
	refused  []*djangoRow
	highest  map[string]int64 // our table → the highest id it has had there

	report Import
}

type djangoTable struct {
	name    string
	noun    string
	ours    string // our name for it
	needs   string // columns
	columns []string
	rows    []*djangoRow
	byID    map[int64]*djangoRow
}

// djangoRow is a row as it is there, whole: all columns as text.
type djangoRow struct {
	table  *djangoTable
	id     int64
	values []sql.NullString
	why    string // it does not come over; empty if it does
}

type djangoUser struct {
	*djangoRow
	name, hash string
	joined     int64
}

type djangoVehicle struct {
	*djangoRow
	owner int64
	Vehicle
}

type djangoBooking struct {
	*djangoRow
	vehicle    int64
	from, to   time.Time
	start, end Date
}

// readDjango reads the first implementation's file, through a copy of it.
func readDjango(ctx context.Context, file string, o ImportOptions) (*django, error) {
	g := &django{opts: o, year: time.Now().Year(), highest: map[string]int64{}}
	users := &djangoTable{name: "auth_user", noun: "user", ours: "users", needs: "id username password is_active date_joined"}
	vehicles := &djangoTable{name: "backend_api_vehicle", noun: "vehicle", ours: "vehicles", needs: "id user_id make model year plate"}
	bookings := &djangoTable{name: "backend_api_booking", noun: "booking", ours: "bookings", needs: "id vehicle_id start_date end_date"}
	g.tables = []*djangoTable{users, vehicles, bookings}
	err := withSnapshot(ctx, file, func(pool *sql.DB) error {
		for _, t := range g.tables {
			if err := g.read(ctx, pool, file, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	g.takeUsers(users)
	g.takeVehicles(vehicles, users)
	g.takeBookings(bookings, vehicles)
	g.report.Users, g.report.Vehicles, g.report.Bookings = len(g.users), len(g.vehicles), len(g.bookings)
	g.report.Left = len(g.refused)
	return g, nil
}

// read reads a table whole, by ascending id.
func (g *django) read(ctx context.Context, pool *sql.DB, file string, t *djangoTable) error {
	foreign := func(lacks string) error {
		return fmt.Errorf("%s is not the first implementation's database: it has no %s", file, lacks)
	}
	var err error
	if t.columns, err = column(ctx, pool, "SELECT name FROM pragma_table_info('"+t.name+"')"); err != nil {
		return unreadable(file, err)
	}
	if len(t.columns) == 0 {
		return foreign("table " + t.name)
	}
	for c := range strings.FieldsSeq(t.needs) {
		if !slices.Contains(t.columns, c) {
			return foreign("column " + c + " in table " + t.name)
		}
	}
	damage, err := column(ctx, pool, "SELECT integrity_check FROM pragma_integrity_check('"+t.name+"') WHERE integrity_check <> 'ok'")
	if err != nil {
		return unreadable(file, err)
	}
	if len(damage) > 0 {
		return damaged(file, damage[0])
	}
	// As text, or the driver would make times and booleans of some.
	casts := make([]string, len(t.columns))
	for i, c := range t.columns {
		casts[i] = `CAST("` + strings.ReplaceAll(c, `"`, `""`) + `" AS TEXT)`
	}
	rows, err := pool.QueryContext(ctx, "SELECT "+strings.Join(casts, ", ")+" FROM "+t.name+" ORDER BY id")
	if err != nil {
		return unreadable(file, err)
	}
	defer rows.Close()
	t.byID = map[int64]*djangoRow{}
	for rows.Next() {
		r := &djangoRow{table: t, values: make([]sql.NullString, len(t.columns))}
		dest := make([]any, len(r.values))
		for i := range r.values {
			dest[i] = &r.values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return unreadable(file, err)
		}
		if r.id, err = strconv.ParseInt(r.get("id"), 10, 64); err != nil || t.byID[r.id] != nil {
			return foreign("proper id in each row of table " + t.name)
		}
		t.rows, t.byID[r.id] = append(t.rows, r), r
		g.highest[t.ours] = max(g.highest[t.ours], r.id)
	}
	if err := rows.Err(); err != nil {
		return unreadable(file, err)
	}
	rows.Close() // or the one connection is not free
	deleted, err := column(ctx, pool, "SELECT CAST(seq AS TEXT) FROM sqlite_sequence WHERE name = '"+t.name+"'")
	if err == nil && len(deleted) > 0 {
		n, _ := strconv.ParseInt(deleted[0], 10, 64)
		g.highest[t.ours] = max(g.highest[t.ours], n)
	}
	return nil // without AUTOINCREMENT there is no such table, and nothing to know
}

// unreadable tells of a failure to read the file.
func unreadable(file string, err error) error {
	if c := code(err) & 0xff; c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB {
		return damaged(file, err.Error())
	}
	return fmt.Errorf("read %s: %w", file, err)
}

func damaged(file, how string) error {
	return fmt.Errorf("%s is damaged (%s): take a copy of it that is not", file, how)
}

// get returns a column's value, "" where there is none.
func (r *djangoRow) get(name string) string {
	if i := slices.Index(r.table.columns, name); i >= 0 {
		return r.values[i].String
	}
	return ""
}

// String returns the row whole, but for the hash of a password.
func (r *djangoRow) String() string {
	var all []string
	for i, c := range r.table.columns {
		v := r.values[i]
		text := v.String
		switch {
		case c == "id":
			continue
		case c == "password":
			text = "…"
		case !v.Valid:
			text = "NULL"
		case strings.Trim(text, "0123456789-:. ") != "" || text != strings.TrimSpace(text) || text == "":
			text = strconv.Quote(text)
		}
		all = append(all, c+" "+text)
	}
	return fmt.Sprintf("%s %d (%s)", r.table.noun, r.id, strings.Join(all, ", "))
}

// refuse notes why a row does not come over, in words that follow "it".
func (g *django) refuse(r *djangoRow, why string, args ...any) {
	r.why = fmt.Sprintf(why, args...)
	g.refused = append(g.refused, r)
}

// refuseAlone is refuse for a row that nothing else in the report names.
func (g *django) refuseAlone(r *djangoRow, why string, args ...any) {
	g.refuse(r, why, args...)
	g.report.Refused = append(g.report.Refused, fmt.Sprintf("%s %s", r, r.why))
}

// note tells of a row that comes over.
func (g *django) note(r *djangoRow, name, text string, args ...any) {
	g.report.Notes = append(g.report.Notes, fmt.Sprintf("%s %d, %q, %s", r.table.noun, r.id, name, fmt.Sprintf(text, args...)))
}

func (g *django) takeUsers(users *djangoTable) {
	names := map[string]int64{}
	for _, r := range users.rows {
		u := djangoUser{djangoRow: r, name: r.get("username"), hash: r.get("password")}
		switch other, taken := names[u.name]; {
		case r.id < 1:
			g.refuseAlone(r, "has an id that none can have here: ids begin at 1")
		case u.name == "":
			g.refuseAlone(r, "has no name")
		case !utf8.ValidString(u.name):
			g.refuseAlone(r, "has a name that is not UTF-8 text")
		case taken:
			g.refuseAlone(r, "has the name of user %d", other)
		default:
			names[u.name] = r.id
			g.takeUser(u)
		}
	}
}

func (g *django) takeUser(u djangoUser) {
	switch {
	case strings.TrimSpace(u.name) != u.name || strings.ContainsRune(u.name, 0):
		g.note(u.djangoRow, u.name, "cannot sign in, here as there, because of spaces around the name or a null character in it")
	case g.opts.UsernameProblem(u.name) != "":
		g.note(u.djangoRow, u.name, "keeps and may use a name that no new user can have: %s", g.opts.UsernameProblem(u.name))
	}
	locked := ""
	switch {
	case u.get("is_active") != "1":
		locked = "is inactive"
	case strings.HasPrefix(u.hash, "!"):
		locked = "has no password"
	case !g.opts.CanVerify(u.hash):
		locked = "has a password hash other than pbkdf2_sha256, which cannot be read"
	}
	if locked != "" {
		u.hash = g.opts.Locked
		g.report.Locked++
		g.note(u.djangoRow, u.name, "%s and stays locked out", locked)
	}
	joined, ok := djangoTime(u.get("date_joined"))
	if !ok {
		g.note(u.djangoRow, u.name, "has a date_joined that cannot be read, %q: now is taken for it", u.get("date_joined"))
		joined = time.Now()
	}
	u.joined = joined.Unix()
	var lost []string
	for _, c := range []string{"first_name", "last_name", "email"} {
		if u.get(c) != "" {
			lost = append(lost, fmt.Sprintf("%s %q", c, u.get(c)))
		}
	}
	if len(lost) > 0 {
		g.note(u.djangoRow, u.name, "loses what users do not have here: %s", strings.Join(lost, ", "))
	}
	if u.get("is_staff") == "1" || u.get("is_superuser") == "1" {
		g.note(u.djangoRow, u.name, "was an administrator there and is a user like all others here")
	}
	g.users = append(g.users, u)
}

// The API's limits of what is typed in anew (server/vehicles.go), which what
// comes over may exceed.
const (
	longestName  = 50
	longestPlate = 20
)

func (g *django) takeVehicles(vehicles, users *djangoTable) {
	plates := map[[2]string]*djangoRow{} // by owner and plate
	for _, r := range vehicles.rows {
		v := &djangoVehicle{djangoRow: r, Vehicle: Vehicle{Make: r.get("make"), Model: r.get("model"), Plate: r.get("plate")}}
		owner, why := parent(users, r, "user_id")
		year, err := strconv.Atoi(r.get("year"))
		key := [2]string{r.get("user_id"), foldCase(v.Plate)}
		switch other := plates[key]; {
		case why != "":
			g.refuseAlone(r, "%s", why)
		case v.Make == "" || v.Model == "" || v.Plate == "":
			g.refuseAlone(r, "has no make, model or plate")
		case !utf8.ValidString(v.Make + v.Model + v.Plate):
			g.refuseAlone(r, "has a make, model or plate that is not UTF-8 text")
		case err != nil || year < 1886 || year > 9999:
			g.refuseAlone(r, "has a year that is not a whole number from 1886 to 9999")
		case other != nil:
			g.refuseAlone(r, "has the plate, letter case aside, of %s", other)
		default:
			v.owner, v.Year, plates[key] = owner.id, year, r
			if what := v.oddity(g.year + 1); what != "" {
				g.note(r, v.Plate, "keeps its %s as it is, which could not be typed in anew", what)
			}
			g.vehicles = append(g.vehicles, v)
		}
	}
}

// oddity names what the API would not take of v as it is, "" for nothing.
func (v *djangoVehicle) oddity(lastYear int) string {
	var odd []string
	for _, f := range []struct {
		name, text string
		most       int
	}{{"make", v.Make, longestName}, {"model", v.Model, longestName}, {"plate", v.Plate, longestPlate}} {
		if utf8.RuneCountInString(f.text) > f.most || strings.TrimSpace(f.text) != f.text || strings.ContainsRune(f.text, 0) {
			odd = append(odd, f.name)
		}
	}
	if v.Year > lastYear {
		odd = append(odd, "year")
	}
	return strings.Join(odd, " and ")
}

// parent returns the row that r's column refers to, or why r cannot come over.
func parent(t *djangoTable, r *djangoRow, column string) (*djangoRow, string) {
	id, err := strconv.ParseInt(r.get(column), 10, 64)
	p := t.byID[id]
	switch {
	case r.id < 1:
		return nil, "has an id that none can have here: ids begin at 1"
	case err != nil || p == nil:
		return nil, fmt.Sprintf("refers to %s %s, which does not exist", t.noun, r.get(column))
	case p.why != "":
		return nil, fmt.Sprintf("refers to %s %d, which does not come over", t.noun, id)
	}
	return p, ""
}

// foldCase returns a text that is the same for all that strings.EqualFold finds
// equal: each letter as the first of those that differ in case only.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		first := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			first = min(first, f)
		}
		return first
	}, s)
}

func (g *django) takeBookings(bookings, vehicles *djangoTable) {
	all := map[int64][]*djangoBooking{} // by vehicle
	for _, r := range bookings.rows {
		car, why := parent(vehicles, r, "vehicle_id")
		b := &djangoBooking{djangoRow: r}
		var ok1, ok2 bool
		b.from, ok1 = djangoTime(r.get("start_date"))
		b.to, ok2 = djangoTime(r.get("end_date"))
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
	slices.SortFunc(g.bookings, func(a, b *djangoBooking) int { return cmp.Compare(a.id, b.id) })
	g.countDays()
}

// djangoTime reads a time as Django writes it to SQLite, which is in UTC.
func djangoTime(s string) (time.Time, bool) {
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
func days(from, to time.Time) (start, end Date, ok bool) {
	first, last := midnight(from), midnight(to)
	// Not even then when the clock is put back across midnight, and the day with it.
	if !last.After(first) {
		last = first.AddDate(0, 0, 1)
	} else if wall(to).Sub(last) > wall(from).Sub(first) {
		last = last.AddDate(0, 0, 1)
	}
	ok = first.Year() >= 1 && last.Year() <= 9999
	return Date(first.Format(time.DateOnly)), Date(last.Format(time.DateOnly)), ok
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
func (g *django) listClashes(v *djangoVehicle, bookings []*djangoBooking) {
	byStart := slices.Clone(bookings)
	slices.SortStableFunc(byStart, func(a, b *djangoBooking) int { return strings.Compare(string(a.start), string(b.start)) })
	var open []*djangoBooking // those that may reach into the ones to come
	for _, b := range byStart {
		open = slices.DeleteFunc(open, func(o *djangoBooking) bool { return o.end <= b.start })
		for i, o := range open {
			if i == maxPerClash {
				g.report.Clashes = append(g.report.Clashes, fmt.Sprintf("%s overlaps %d more", b, len(open)-i))
				break
			}
			g.report.Clashes = append(g.report.Clashes, clash(v, o, b))
		}
		open = append(open, b)
	}
}

// clash tells of two bookings of v that overlap, the one that starts first
// being a.
func clash(v *djangoVehicle, a, b *djangoBooking) string {
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
func (g *django) keepFirst(bookings []*djangoBooking) {
	var kept []*djangoBooking // by day; they do not overlap
	for _, b := range bookings {
		i, _ := slices.BinarySearchFunc(kept, b.start, func(k *djangoBooking, start Date) int {
			if k.end <= start {
				return -1
			}
			return 1
		})
		if i < len(kept) && kept[i].start < b.end {
			g.refuse(b.djangoRow, "overlaps %s, which was there first", kept[i])
			continue
		}
		kept = slices.Insert(kept, i, b)
		g.bookings = append(g.bookings, b)
	}
}

// countDays reports what has become of the bookings' times.
func (g *django) countDays() {
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
