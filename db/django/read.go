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

// source holds the rows of the first implementation's file, and the rows that Import makes
// of them.
type source struct {
	opts Options
	year int // the current year

	tables   []*table
	users    []user     // to import
	vehicles []*vehicle // to import
	bookings []*booking // to import
	rejected []*row
	highest  map[string]int64 // onenow's table → the highest id that the source has used

	report Report
}

// table is a table of the source.
type table struct {
	name    string // in the source
	noun    string // for the report
	target  string // the name of onenow's table
	needs   string // the required columns, with spaces between them
	columns []string
	rows    []*row // by ascending id
	byID    map[int64]*row
}

// row is a row of the source with all its columns as text.
type row struct {
	table  *table
	id     int64
	values []sql.NullString
	reason string // why the row cannot be imported; empty if it can
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

// readFile reads a copy of the first implementation's file and converts its rows.
func readFile(ctx context.Context, file string, o Options) (*source, error) {
	g := &source{opts: o, year: time.Now().Year(), highest: map[string]int64{}}
	users := &table{name: "auth_user", noun: "user", target: "users", needs: "id username password is_active date_joined"}
	vehicles := &table{name: "backend_api_vehicle", noun: "vehicle", target: "vehicles", needs: "id user_id make model year plate"}
	bookings := &table{name: "backend_api_booking", noun: "booking", target: "bookings", needs: "id vehicle_id start_date end_date"}
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
	g.report.Skipped = len(g.rejected)
	return g, nil
}

// read reads a table as a whole, by ascending id.
func (g *source) read(ctx context.Context, pool *sql.DB, file string, t *table) error {
	if err := t.check(ctx, pool, file); err != nil {
		return err
	}
	if err := t.readRows(ctx, pool, file); err != nil {
		return err
	}
	for id := range t.byID {
		g.highest[t.target] = max(g.highest[t.target], id)
	}
	deleted, err := store.Column(ctx, pool, "SELECT CAST(seq AS TEXT) FROM sqlite_sequence WHERE name = '"+t.name+"'")
	if err == nil && len(deleted) > 0 {
		n, _ := strconv.ParseInt(deleted[0], 10, 64)
		g.highest[t.target] = max(g.highest[t.target], n)
	}
	return nil // if no table uses AUTOINCREMENT, there is no sqlite_sequence, and err is no problem
}

// check reads the names of the table's columns, and returns an error if the table is
// not that of the first implementation, or is damaged.
func (t *table) check(ctx context.Context, pool *sql.DB, file string) (err error) {
	if t.columns, err = store.Column(ctx, pool, "SELECT name FROM pragma_table_info('"+t.name+"')"); err != nil {
		return unreadable(file, err)
	}
	if len(t.columns) == 0 {
		return foreign(file, "table "+t.name)
	}
	for c := range strings.FieldsSeq(t.needs) {
		if !slices.Contains(t.columns, c) {
			return foreign(file, "column "+c+" in table "+t.name)
		}
	}
	damage, err := store.Column(ctx, pool, "SELECT integrity_check FROM pragma_integrity_check('"+t.name+"') WHERE integrity_check <> 'ok'")
	if err != nil {
		return unreadable(file, err)
	}
	if len(damage) > 0 {
		return damaged(file, damage[0])
	}
	return nil
}

// readRows reads the table's rows, each column as text.
func (t *table) readRows(ctx context.Context, pool *sql.DB, file string) error {
	// Without the casts, the driver would return some columns as times or booleans.
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
			return foreign(file, "valid id in each row of table "+t.name)
		}
		t.rows, t.byID[r.id] = append(t.rows, r), r
	}
	if err := rows.Err(); err != nil {
		return unreadable(file, err)
	}
	return nil
}

// foreign returns the error for a file that is not of the first implementation.
func foreign(file, lacks string) error {
	return fmt.Errorf("%s is not the first implementation's database: it has no %s", file, lacks)
}

// unreadable returns the error for a file that cannot be read.
func unreadable(file string, err error) error {
	if store.IsDamage(err) {
		return damaged(file, err.Error())
	}
	return fmt.Errorf("read %s: %w", file, err)
}

func damaged(file, how string) error {
	return fmt.Errorf("%s is damaged (%s): import a sound copy of it", file, how)
}

// get returns the value of a column, or "" if it is NULL or there is no such column.
func (r *row) get(name string) string {
	if i := slices.Index(r.table.columns, name); i >= 0 {
		return r.values[i].String
	}
	return ""
}

// String returns all columns of the row, without the hash of a password.
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

// show returns a value in a form that is safe to print on a terminal.
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

// reject marks a row as one that cannot be imported. reason continues a sentence whose
// subject is the row.
func (g *source) reject(r *row, reason string, args ...any) {
	r.reason = fmt.Sprintf(reason, args...)
	g.rejected = append(g.rejected, r)
}

// rejectAndReport rejects a row and adds it to the report.
func (g *source) rejectAndReport(r *row, reason string, args ...any) {
	g.reject(r, reason, args...)
	g.report.Rejected = append(g.report.Rejected, fmt.Sprintf("%s %s", r, r.reason))
}

// note adds a note about an imported row to the report.
func (g *source) note(r *row, name, text string, args ...any) {
	g.report.Notes = append(g.report.Notes, fmt.Sprintf("%s %d, %q, %s", r.table.noun, r.id, name, fmt.Sprintf(text, args...)))
}

// takeUsers converts the rows of table users. It rejects those that cannot be imported.
func (g *source) takeUsers(users *table) {
	names := map[string]int64{}
	for _, r := range users.rows {
		u := user{row: r, name: r.get("username"), hash: r.get("password")}
		switch other, taken := names[u.name]; {
		case r.id < 1:
			g.rejectAndReport(r, "has an id that none can have here: ids begin at 1")
		case u.name == "":
			g.rejectAndReport(r, "has no name")
		case !utf8.ValidString(u.name):
			g.rejectAndReport(r, "has a name that is not UTF-8 text")
		case taken:
			g.rejectAndReport(r, "has the name of user %d", other)
		default:
			names[u.name] = r.id
			g.takeUser(u)
		}
	}
}

// takeUser imports u and notes what changes for them.
func (g *source) takeUser(u user) {
	switch {
	case strings.TrimSpace(u.name) != u.name || strings.ContainsRune(u.name, 0):
		g.note(u.row, u.name, "cannot sign in, as in the first implementation, because of spaces around the name or a null character in it")
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
		g.note(u.row, u.name, "has an invalid date_joined, %q, and gets the current time instead", u.get("date_joined"))
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
		g.note(u.row, u.name, "loses data that onenow does not store: %s", strings.Join(lost, ", "))
	}
	if u.get("is_staff") == "1" || u.get("is_superuser") == "1" {
		g.note(u.row, u.name, "was an administrator in the first implementation and is an ordinary user in onenow")
	}
	g.users = append(g.users, u)
}

// The API's limits for new vehicles, in characters; see server/vehicles.go. Imported
// vehicles may exceed them.
const (
	longestName  = 50
	longestPlate = 20
)

// takeVehicles converts the rows of table vehicles. It rejects those that cannot be
// imported.
func (g *source) takeVehicles(vehicles, users *table) {
	plates := map[[2]string]*row{} // by owner and plate
	for _, r := range vehicles.rows {
		v := &vehicle{row: r, Vehicle: db.Vehicle{Make: r.get("make"), Model: r.get("model"), Plate: r.get("plate")}}
		owner, reason := parent(users, r, "user_id")
		year, err := strconv.Atoi(r.get("year"))
		key := [2]string{r.get("user_id"), db.PlateKey(v.Plate)}
		switch other := plates[key]; {
		case reason != "":
			g.rejectAndReport(r, "%s", reason)
		case v.Make == "" || v.Model == "" || v.Plate == "":
			g.rejectAndReport(r, "has no make, model or plate")
		case !utf8.ValidString(v.Make + v.Model + v.Plate):
			g.rejectAndReport(r, "has a make, model or plate that is not UTF-8 text")
		case err != nil || year < 1886 || year > 9999:
			g.rejectAndReport(r, "has a year that is not a whole number from 1886 to 9999")
		case other != nil:
			g.rejectAndReport(r, "has the plate, letter case aside, of %s", other)
		default:
			v.owner, v.Year, plates[key] = owner.id, year, r
			if what := v.oddity(g.year + 1); what != "" {
				g.note(r, v.Plate, "keeps its %s, which the API would not accept for a new vehicle", what)
			}
			g.vehicles = append(g.vehicles, v)
		}
	}
}

// oddity returns the names of the fields of v that the API would not accept for a new
// vehicle, or "" if there are none.
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

// parent returns the row that r's column refers to, or the reason why r cannot be
// imported.
func parent(t *table, r *row, column string) (*row, string) {
	id, err := strconv.ParseInt(r.get(column), 10, 64)
	p := t.byID[id]
	switch {
	case r.id < 1:
		return nil, "has an id that none can have here: ids begin at 1"
	case err != nil || p == nil:
		return nil, fmt.Sprintf("refers to %s %s, which does not exist", t.noun, show(r.values[slices.Index(r.table.columns, column)]))
	case p.reason != "":
		return nil, fmt.Sprintf("refers to %s %d, which cannot be imported", t.noun, id)
	}
	return p, ""
}
