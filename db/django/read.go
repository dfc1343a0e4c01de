package django

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"onenow/db"
	"onenow/db/store"
)

// source holds the rows of the first implementation's file: those that come over,
// as they will be here, and those that do not.
type source struct {
	opts Options
	year int // the one it is now

	tables   []*table
	users    []user
	vehicles []*vehicle
	bookings []*booking
	refused  []*row
	highest  map[string]int64 // our table → the highest id it has had there

	report Report
}

type table struct {
	name    string
	noun    string
	ours    string // our name for it
	needs   string // columns
	columns []string
	rows    []*row
	byID    map[int64]*row
}

// row is a row as it is there, whole: all columns as text.
type row struct {
	table  *table
	id     int64
	values []sql.NullString
	why    string // it does not come over; empty if it does
}

type user struct {
	*row
	name, hash string
	joined     int64
}

type vehicle struct {
	*row
	owner int64
	db.Vehicle
}

type booking struct {
	*row
	vehicle    int64
	from, to   time.Time
	start, end db.Date
}

// readFile reads the first implementation's file, through a copy of it.
func readFile(ctx context.Context, file string, o Options) (*source, error) {
	g := &source{opts: o, year: time.Now().Year(), highest: map[string]int64{}}
	users := &table{name: "auth_user", noun: "user", ours: "users", needs: "id username password is_active date_joined"}
	vehicles := &table{name: "backend_api_vehicle", noun: "vehicle", ours: "vehicles", needs: "id user_id make model year plate"}
	bookings := &table{name: "backend_api_booking", noun: "booking", ours: "bookings", needs: "id vehicle_id start_date end_date"}
	g.tables = []*table{users, vehicles, bookings}
	err := store.WithSnapshot(ctx, file, func(pool *sql.DB) error {
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
func (g *source) read(ctx context.Context, pool *sql.DB, file string, t *table) error {
	foreign := func(lacks string) error {
		return fmt.Errorf("%s is not the first implementation's database: it has no %s", file, lacks)
	}
	var err error
	if t.columns, err = store.Column(ctx, pool, "SELECT name FROM pragma_table_info('"+t.name+"')"); err != nil {
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
	damage, err := store.Column(ctx, pool, "SELECT integrity_check FROM pragma_integrity_check('"+t.name+"') WHERE integrity_check <> 'ok'")
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
	t.byID = map[int64]*row{}
	for rows.Next() {
		r := &row{table: t, values: make([]sql.NullString, len(t.columns))}
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
	deleted, err := store.Column(ctx, pool, "SELECT CAST(seq AS TEXT) FROM sqlite_sequence WHERE name = '"+t.name+"'")
	if err == nil && len(deleted) > 0 {
		n, _ := strconv.ParseInt(deleted[0], 10, 64)
		g.highest[t.ours] = max(g.highest[t.ours], n)
	}
	return nil // without AUTOINCREMENT there is no such table, and nothing to know
}

// unreadable tells of a failure to read the file.
func unreadable(file string, err error) error {
	if store.IsDamage(err) {
		return damaged(file, err.Error())
	}
	return fmt.Errorf("read %s: %w", file, err)
}

func damaged(file, how string) error {
	return fmt.Errorf("%s is damaged (%s): take a copy of it that is not", file, how)
}

// get returns a column's value, "" where there is none.
func (r *row) get(name string) string {
	if i := slices.Index(r.table.columns, name); i >= 0 {
		return r.values[i].String
	}
	return ""
}

// String returns the row whole, but for the hash of a password.
func (r *row) String() string {
	var all []string
	for i, c := range r.table.columns {
		text := show(r.values[i])
		switch c {
		case "id":
			continue
		case "password":
			text = "…"
		}
		all = append(all, strings.Trim(strconv.Quote(c), `"`)+" "+text)
	}
	return fmt.Sprintf("%s %d (%s)", r.table.noun, r.id, strings.Join(all, ", "))
}

// show returns a value as it may be shown on a terminal, whatever is in it.
func show(v sql.NullString) string {
	switch text := v.String; {
	case !v.Valid:
		return "NULL"
	case strings.Trim(text, "0123456789-:. ") != "" || text != strings.TrimSpace(text) || text == "":
		return strconv.Quote(text)
	default:
		return text
	}
}

// refuse notes why a row does not come over, in words that follow "it".
func (g *source) refuse(r *row, why string, args ...any) {
	r.why = fmt.Sprintf(why, args...)
	g.refused = append(g.refused, r)
}

// refuseAlone is refuse for a row that nothing else in the report names.
func (g *source) refuseAlone(r *row, why string, args ...any) {
	g.refuse(r, why, args...)
	g.report.Refused = append(g.report.Refused, fmt.Sprintf("%s %s", r, r.why))
}

// note tells of a row that comes over.
func (g *source) note(r *row, name, text string, args ...any) {
	g.report.Notes = append(g.report.Notes, fmt.Sprintf("%s %d, %q, %s", r.table.noun, r.id, name, fmt.Sprintf(text, args...)))
}

func (g *source) takeUsers(users *table) {
	names := map[string]int64{}
	for _, r := range users.rows {
		u := user{row: r, name: r.get("username"), hash: r.get("password")}
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

func (g *source) takeUser(u user) {
	switch {
	case strings.TrimSpace(u.name) != u.name || strings.ContainsRune(u.name, 0):
		g.note(u.row, u.name, "cannot sign in, here as there, because of spaces around the name or a null character in it")
	case g.opts.UsernameProblem(u.name) != "":
		g.note(u.row, u.name, "keeps and may use a name that no new user can have: %s", g.opts.UsernameProblem(u.name))
	}
	locked := ""
	switch {
	case u.get("is_active") != "1":
		locked = "is inactive"
	case strings.HasPrefix(u.hash, "!"):
		locked = "has no password"
	case !g.opts.CanVerify(u.hash):
		locked = "has a password hash that cannot be used here"
	}
	if locked != "" {
		u.hash = g.opts.Locked
		g.report.Locked++
		g.note(u.row, u.name, "%s and stays locked out", locked)
	}
	joined, ok := parseTime(u.get("date_joined"))
	if !ok {
		g.note(u.row, u.name, "has a date_joined that cannot be read, %q: now is taken for it", u.get("date_joined"))
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
		g.note(u.row, u.name, "loses what users do not have here: %s", strings.Join(lost, ", "))
	}
	if u.get("is_staff") == "1" || u.get("is_superuser") == "1" {
		g.note(u.row, u.name, "was an administrator there and is a user like all others here")
	}
	g.users = append(g.users, u)
}

// The API's limits of what is typed in anew (server/vehicles.go), which what
// comes over may exceed.
const (
	longestName  = 50
	longestPlate = 20
)

func (g *source) takeVehicles(vehicles, users *table) {
	plates := map[[2]string]*row{} // by owner and plate
	for _, r := range vehicles.rows {
		v := &vehicle{row: r, Vehicle: db.Vehicle{Make: r.get("make"), Model: r.get("model"), Plate: r.get("plate")}}
		owner, why := parent(users, r, "user_id")
		year, err := strconv.Atoi(r.get("year"))
		key := [2]string{r.get("user_id"), db.PlateKey(v.Plate)}
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
func (v *vehicle) oddity(lastYear int) string {
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
func parent(t *table, r *row, column string) (*row, string) {
	id, err := strconv.ParseInt(r.get(column), 10, 64)
	p := t.byID[id]
	switch {
	case r.id < 1:
		return nil, "has an id that none can have here: ids begin at 1"
	case err != nil || p == nil:
		return nil, fmt.Sprintf("refers to %s %s, which does not exist", t.noun, show(r.values[slices.Index(r.table.columns, column)]))
	case p.why != "":
		return nil, fmt.Sprintf("refers to %s %d, which does not come over", t.noun, id)
	}
	return p, ""
}
