package cmd_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"onenow/db/dbtest"
)

// djangoSchema is the part of the first implementation's schema with its own models and
// its users, as Django's migrations create it.
const djangoSchema = `

CREATE TABLE "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL);
CREATE TABLE "auth_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL, "username" varchar(150) NOT NULL UNIQUE, "last_name" varchar(150) NOT NULL, "email" varchar(254) NOT NULL, "is_staff" bool NOT NULL, "is_active" bool NOT NULL, "date_joined" datetime NOT NULL, "first_name" varchar(150) NOT NULL);
CREATE TABLE "backend_api_vehicle" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "make" varchar(50) NOT NULL, "model" varchar(50) NOT NULL, "year" integer unsigned NOT NULL CHECK ("year" >= 0), "plate" varchar(20) NOT NULL UNIQUE, "user_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "backend_api_booking" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "start_date" datetime NOT NULL, "end_date" datetime NOT NULL, "vehicle_id" bigint NOT NULL REFERENCES "backend_api_vehicle" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX "backend_api_vehicle_user_id_c75dc7f6" ON "backend_api_vehicle" ("user_id");
CREATE INDEX "backend_api_booking_vehicle_id_6f8f4b3c" ON "backend_api_booking" ("vehicle_id");
`

// django is a database of the first implementation.
type django struct {
	t    *testing.T
	path string
	pool *sql.DB
}

// newDjango creates a django without rows in dir.
func newDjango(t *testing.T, dir string) *django {
	t.Helper()
	d := &django{t: t, path: filepath.Join(dir, "db.sqlite3")}
	dbtest.Exec(t, d.path, djangoSchema)
	var err error
	if d.pool, err = sql.Open("sqlite", d.path); err != nil {
		t.Fatal(err)
	}
	d.pool.SetMaxOpenConns(1)
	t.Cleanup(func() { d.pool.Close() })
	return d
}

func (d *django) exec(query string, args ...any) int64 {
	d.t.Helper()
	res, err := d.pool.ExecContext(d.t.Context(), query, args...)
	if err != nil {
		d.t.Fatal(err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		d.t.Fatal(err)
	}
	return id
}

func (d *django) user(name, hash string, active bool) int64 {
	d.t.Helper()
	return d.exec(`INSERT INTO auth_user (password, is_superuser, username, last_name, email, is_staff, is_active, date_joined, first_name)
		VALUES (?, 0, ?, '', '', 0, ?, '2025-07-01 08:30:00.123456', '')`, hash, name, active)
}

func (d *django) vehicle(owner int64, plate string, year any) int64 {
	d.t.Helper()
	return d.exec("INSERT INTO backend_api_vehicle (make, model, year, plate, user_id) VALUES ('Toyota', 'Corolla', ?, ?, ?)", year, plate, owner)
}

func (d *django) booking(vehicle int64, start, end string) int64 {
	d.t.Helper()
	return d.exec("INSERT INTO backend_api_booking (start_date, end_date, vehicle_id) VALUES (?, ?, ?)", start, end, vehicle)
}

// shop creates a user "shop", password "pass123", with the car ABC-1.
func (d *django) shop() (car int64) {
	d.t.Helper()
	return d.vehicle(d.user("shop", dbtest.DjangoHash(d.t, "pass123", 20_000), true), "ABC-1", 2020)
}

// read returns the rows of a query with one column, on the file at path.
func read(t *testing.T, path, query string) string {
	t.Helper()
	shell, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer shell.Close()
	rows, err := shell.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// unchanged fails the test if the files of that folder change until the test
// ends.
func unchanged(t *testing.T, dir string) {
	t.Helper()
	look := func() string {
		var all strings.Builder
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&all, "%s %v %x\n", e.Name(), info.ModTime(), sha256.Sum256(text))
		}
		return all.String()
	}
	before := look()
	t.Cleanup(func() {
		if after := look(); after != before {
			t.Errorf("the folder of the source was\n%sand is\n%s", before, after)
		}
	})
}

// holds fails the test if text lacks one of the words.
func holds(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("got\n%swant %q in it", text, w)
		}
	}
}

// TestImport imports unusual rows that can be imported, and then uses them.
func TestImport(t *testing.T) {
	source, temporary := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	d := newDjango(t, source)
	car := d.shop()
	long := strings.Repeat("n", 299) + "é"
	d.user(long, dbtest.DjangoHash(t, " pw ", 20_000), true)
	d.user(" padded ", dbtest.DjangoHash(t, "pass123", 20_000), true)
	d.user("a\x00b", dbtest.DjangoHash(t, "pass123", 20_000), true)
	d.user("new\nline", dbtest.DjangoHash(t, "pass123", 20_000), true)
	d.user("inactive", dbtest.DjangoHash(t, "pass123", 20_000), false)
	d.user("unusable", "!kFGrnVwAtGxVc0Ljnp9nJvkxTmDgPmZ4z6wPzXUB", true)
	d.user("old", "pbkdf2_sha1$1$x$y", true)
	admin := d.user("Shop", dbtest.DjangoHash(t, "other", 20_000), true)
	d.exec("UPDATE auth_user SET is_staff = 1, is_superuser = 1, email = 'a@example.com', first_name = 'Ali' WHERE id = ?", admin)
	second := d.vehicle(admin, "ABC-١٢٣", 1886)
	third := d.vehicle(admin, " PADDED-1 ", 9999)
	d.exec("UPDATE backend_api_vehicle SET make = ?, model = ' x ' WHERE id = ?", strings.Repeat("m", 51), third)
	d.booking(car, "2030-03-10 10:00:00", "2030-03-12 10:00:00")
	d.booking(car, "2030-03-12 10:00:00", "2030-03-14 18:00:00")
	d.booking(second, "2030-03-10 10:00:00.000001", "2030-03-10 10:00:00.000002")
	d.booking(car, "2030-04-01 00:00:00", "2030-04-02 00:00:00")
	d.exec("DELETE FROM auth_user WHERE id = ?", d.user("gone", "x", true))
	d.exec("UPDATE sqlite_sequence SET seq = 700 WHERE name = 'backend_api_vehicle'")
	d.exec("DELETE FROM backend_api_booking WHERE id = ?", d.booking(car, "2031-01-01 00:00:00", "2031-01-02 00:00:00"))
	d.exec("UPDATE sqlite_sequence SET seq = 2000000000 WHERE name = 'backend_api_booking'")
	d.pool.Close()
	unchanged(t, source)

	dir := t.TempDir()
	dry, _ := onenow(t, dir, "", 0, "import-django", d.path, "--timezone", "UTC", "--dry-run", "--skip-conflicts", "left.csv")
	if got := files(t, dir); got != "" {
		t.Errorf("a dry run left %s", got)
	}
	out, _ := onenow(t, dir, "", 0, "import-django", d.path, "--timezone", "UTC", "--skip-conflicts", "left.csv")
	summary, last, _ := strings.Cut(out, "imported ")
	if want := d.path + " into onenow.db\n"; last != want || dry != summary+"this was a dry run: nothing was written\n" {
		t.Errorf("got\n%safter the dry run's\n%s", out, dry)
	}
	holds(t, out, "users: 9, vehicles: 3, bookings: 4, in the time zone UTC\n",
		"user 2, ", "user 3, \" padded \", cannot sign in", `user 4, "a\x00b", cannot sign in`, `user 5, "new\nline", keeps and may use`,
		`user 6, "inactive", is inactive`, `user 7, "unusable", has no password`, `user 8, "old", has a password hash that cannot be used here`,
		`email "a@example.com"`, `first_name "Ali"`, "was an administrator", `vehicle 3, " PADDED-1 ", keeps its make and model and plate and year`,
		"users who cannot sign in until onenow set-password NAME gives them a password: 3\n", "lose their time of day: 3\n", "or on the same day: 2\n")
	if strings.Contains(out, "pbkdf2_sha256$") || strings.Contains(out, "not imported") {
		t.Errorf("got\n%s", out)
	}
	if got := files(t, dir); got != "onenow.db" { // no row was rejected
		t.Errorf("got files %s, want onenow.db alone", got)
	}
	path := filepath.Join(dir, "onenow.db")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 0600", info, err)
	}
	onenow(t, dir, "", 0, "check")
	for query, want := range map[string]string{
		"SELECT group_concat(id || hex(username), ' ') FROM users WHERE id IN (2, 3, 4, 5)":                                                   fmt.Sprintf("2%X 3%X 4%X 5%X", long, " padded ", "a\x00b", "new\nline"),
		"SELECT password_hash FROM users WHERE id = 1":                                                                                        dbtest.DjangoHash(t, "pass123", 20_000),
		"SELECT DISTINCT created_at FROM users":                                                                                               "1751358600",
		"SELECT group_concat(id || make || model || year || plate) FROM vehicles":                                                             "1ToyotaCorolla2020ABC-1,2ToyotaCorolla1886ABC-١٢٣,3" + strings.Repeat("m", 51) + " x 9999 PADDED-1 ",
		"SELECT group_concat(name || seq) FROM (SELECT * FROM sqlite_sequence WHERE name IN ('users', 'vehicles', 'bookings') ORDER BY name)": "bookings2000000000,users10,vehicles700",
	} {
		if got := read(t, path, query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}

	if got := files(t, temporary); got != "" {
		t.Errorf("it left %s", got)
	}

	p := serve(t, dir)
	token := p.login("shop", "pass123")
	if status, body := p.get("/vehicles/", token); status != 200 || body != `[{"id":1,"make":"Toyota","model":"Corolla","year":2020,"plate":"ABC-1","user":"shop"}]` {
		t.Errorf("got %d %s", status, body)
	}
	if status, body := p.get("/bookings/", token); status != 200 || body != `[{"id":1,"vehicle":1,"start_date":"2030-03-10","end_date":"2030-03-12"},`+
		`{"id":2,"vehicle":1,"start_date":"2030-03-12","end_date":"2030-03-15"},{"id":4,"vehicle":1,"start_date":"2030-04-01","end_date":"2030-04-02"}]` {
		t.Errorf("got %d %s", status, body)
	}
	if status, body := p.post("/bookings/", token, `{"vehicle":1,"start_date":"2030-03-14","end_date":"2030-03-15"}`); status != 409 {
		t.Errorf("got %d %s, want 409", status, body)
	}
	if status, body := p.post("/bookings/", token, `{"vehicle":1,"start_date":"2030-03-15","end_date":"2030-03-16"}`); status != 201 || !strings.HasPrefix(body, `{"id":2000000001,`) {
		t.Errorf("got %d %s, want an id never used", status, body)
	}
	if status, body := p.post("/vehicles/", token, `{"make":"Kia","model":"Rio","year":2020,"plate":"ABC-2"}`); status != 201 || !strings.HasPrefix(body, `{"id":701,`) {
		t.Errorf("got %d %s, want an id never used", status, body)
	}
	p.login(long, " pw ")
	p.login("new\nline", "pass123")
	if status, body := p.get("/bookings/", p.login("Shop", "other")); status != 200 || body != `[{"id":3,"vehicle":2,"start_date":"2030-03-10","end_date":"2030-03-11"}]` {
		t.Errorf("got %d %s", status, body)
	}
	for name, password := range map[string]string{"inactive": "pass123", "unusable": "", "old": "x", " padded ": "pass123", "shop": "pass124"} {
		body, err := json.Marshal(map[string]string{"username": name, "password": password + "!"})
		if err != nil {
			t.Fatal(err)
		}
		if status, text := p.post("/login/", "", string(body)); status != 401 {
			t.Errorf("%s: got %d %s, want 401", name, status, text)
		}
	}
	if status, text := p.post("/login/", "", `{"username":"inactive","password":"pass123"}`); status != 401 {
		t.Errorf("got %d %s, want 401", status, text)
	}
	onenow(t, dir, "back\n", 0, "set-password", "inactive")
	p.login("inactive", "back")
	if got := read(t, path, "SELECT substr(password_hash, 1, 10) FROM users WHERE id IN (1, 2, 5, 6, 9)"); got != strings.Repeat("$argon2id$\n", 4)+"$argon2id$" {
		t.Errorf("got hashes\n%s\nwant argon2id hashes after the sign-ins", got)
	}
	p.login("shop", "pass123")
}

// TestImportClashes imports a file with bookings that overlap. The command imports
// nothing, or, with --skip-conflicts, all other rows.
func TestImportClashes(t *testing.T) {
	source := t.TempDir()
	d := newDjango(t, source)
	car := d.shop()
	other := d.vehicle(1, "ABC-2", 2020)
	d.booking(car, "2030-03-10 10:00:00", "2030-03-15 10:00:00")   // 1, kept
	d.booking(car, "2030-03-14 10:00:00", "2030-03-20 10:00:00")   // 2, overlaps 1
	d.booking(car, "2030-03-19 10:00:00", "2030-03-22 10:00:00")   // 3, overlaps 2 alone: kept
	d.booking(car, "2030-03-10 10:00:00", "2030-03-15 10:00:00")   // 4, like 1
	d.booking(other, "2030-03-12 19:00:00", "2030-03-13 19:00:00") // 5, kept
	d.booking(other, "2030-03-10 10:00:00", "2030-03-12 18:00:00") // 6, by day only
	d.booking(other, "2030-03-13 19:00:00", "2030-03-14 19:00:00") // 7, kept
	d.booking(other, "2030-03-11 19:00:00", "2030-03-12 19:00:00") // 8, kept
	d.exec("INSERT INTO backend_api_booking (id, start_date, end_date, vehicle_id) VALUES (100, '2030-03-21 00:00:00', '2030-03-22 00:00:00', 1)")
	d.pool.Close()
	unchanged(t, source)

	clashes := []string{
		"booking 1 (start_date 2030-03-10 10:00:00, end_date 2030-03-15 10:00:00, vehicle_id 1), which becomes 2030-03-10 to 2030-03-15, and booking 2 (start_date 2030-03-14 10:00:00, end_date 2030-03-20 10:00:00, vehicle_id 1), which becomes 2030-03-14 to 2030-03-20: they overlap; kept: booking 1\n",
		"which becomes 2030-03-14 to 2030-03-20, and booking 3 (start_date 2030-03-19 10:00:00, end_date 2030-03-22 10:00:00, vehicle_id 1), which becomes 2030-03-19 to 2030-03-22: they overlap; kept: booking 3\n",
		"which becomes 2030-03-10 to 2030-03-15, and booking 4 (start_date 2030-03-10 10:00:00, end_date 2030-03-15 10:00:00, vehicle_id 1), which becomes 2030-03-10 to 2030-03-15: they overlap; kept: booking 1\n",
		"which becomes 2030-03-14 to 2030-03-20, and booking 4 ", "they overlap; kept: neither\n",
		`vehicle 2, "ABC-2", has booking 5 (start_date 2030-03-12 19:00:00, end_date 2030-03-13 19:00:00, vehicle_id 2), which becomes 2030-03-12 to 2030-03-13, and booking 6 (start_date 2030-03-10 10:00:00, end_date 2030-03-12 18:00:00, vehicle_id 2), which becomes 2030-03-10 to 2030-03-13: they overlap by day, but not by hour; kept: booking 5` + "\n",
		"and booking 100 (start_date 2030-03-21 00:00:00, end_date 2030-03-22 00:00:00, vehicle_id 1), which becomes 2030-03-21 to 2030-03-22: they overlap; kept: booking 3\n",
	}
	dir := t.TempDir()
	args := []string{"import-django", d.path, "--timezone", "UTC"}
	out, stderr := onenow(t, dir, "", 1, args...)
	sentence(t, stderr, "nothing was imported", "cannot be imported: 4", "--skip-conflicts")
	holds(t, out, clashes...)
	if n := strings.Count(out, "they overlap"); n != 7 {
		t.Errorf("got %d overlaps, want 7:\n%s", n, out)
	}
	dry, dryErr := onenow(t, dir, "", 1, append(args, "--dry-run")...)
	if dry != out || dryErr != stderr || files(t, dir) != "" {
		t.Errorf("the dry run prints\n%s%swant\n%s%s; it left %q", dry, dryErr, out, stderr, files(t, dir))
	}

	// The command overwrites no file and leaves no part of a database.
	args = append(args, "--skip-conflicts", "left.csv")
	if err := os.WriteFile(filepath.Join(dir, "left.csv"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{nil, {"--dry-run"}} {
		_, stderr = onenow(t, dir, "", 1, append(args, more...)...)
		sentence(t, stderr, "left.csv already exists")
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "left.csv")); string(text) != "mine" || files(t, dir) != "left.csv" {
		t.Errorf("left.csv has %q, and the files are %s", text, files(t, dir))
	}
	if err := os.Remove(filepath.Join(dir, "left.csv")); err != nil {
		t.Fatal(err)
	}
	dry, _ = onenow(t, dir, "", 0, append(args, "--dry-run")...)
	if got := files(t, dir); got != "" {
		t.Errorf("a dry run left %s", got)
	}
	out, _ = onenow(t, dir, "", 0, args...)
	if strings.Replace(dry, "this was a dry run: nothing was written\n", "imported "+d.path+" into onenow.db\n", 1) != out {
		t.Errorf("got\n%safter the dry run's\n%s", out, dry)
	}
	holds(t, out, append(clashes, "bookings: 5,", "rows that are not imported, which go to left.csv: 4\n")...)
	if got := read(t, filepath.Join(dir, "onenow.db"), "SELECT id || ' ' || start_date || ' ' || end_date FROM bookings ORDER BY id"); got !=
		"1 2030-03-10 2030-03-15\n3 2030-03-19 2030-03-22\n5 2030-03-12 2030-03-13\n7 2030-03-13 2030-03-14\n8 2030-03-11 2030-03-12" {
		t.Errorf("got bookings\n%s", got)
	}
	const want = `table,why,id,password,last_login,is_superuser,username,last_name,email,is_staff,is_active,date_joined,first_name,make,model,year,plate,user_id,start_date,end_date,vehicle_id
backend_api_booking,"overlaps booking 1 (start_date 2030-03-10 10:00:00, end_date 2030-03-15 10:00:00, vehicle_id 1), which was made first",2,,,,,,,,,,,,,,,,2030-03-14 10:00:00,2030-03-20 10:00:00,1
backend_api_booking,"overlaps booking 1 (start_date 2030-03-10 10:00:00, end_date 2030-03-15 10:00:00, vehicle_id 1), which was made first",4,,,,,,,,,,,,,,,,2030-03-10 10:00:00,2030-03-15 10:00:00,1
backend_api_booking,"overlaps booking 3 (start_date 2030-03-19 10:00:00, end_date 2030-03-22 10:00:00, vehicle_id 1), which was made first",100,,,,,,,,,,,,,,,,2030-03-21 00:00:00,2030-03-22 00:00:00,1
backend_api_booking,"overlaps booking 5 (start_date 2030-03-12 19:00:00, end_date 2030-03-13 19:00:00, vehicle_id 2), which was made first",6,,,,,,,,,,,,,,,,2030-03-10 10:00:00,2030-03-12 18:00:00,2
`
	if got, _ := os.ReadFile(filepath.Join(dir, "left.csv")); string(got) != want {
		t.Errorf("got left.csv\n%swant\n%s", got, want)
	}
	if info, err := os.Stat(filepath.Join(dir, "left.csv")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 0600", info, err)
	}
	// The id of a rejected booking is not used for a new one.
	p := serve(t, dir)
	if status, body := p.post("/bookings/", p.login("shop", "pass123"), `{"vehicle":1,"start_date":"2031-01-01","end_date":"2031-01-02"}`); status != 201 || !strings.HasPrefix(body, `{"id":101,`) {
		t.Errorf("got %d %s, want id 101", status, body)
	}
}

// TestImportOddRows imports a file with rows that cannot be imported. The command writes
// all their columns to the CSV file.
func TestImportOddRows(t *testing.T) {
	d := newDjango(t, t.TempDir())
	car := d.shop()
	d.exec("PRAGMA ignore_check_constraints = 1")
	nameless := d.user("", dbtest.DjangoHash(t, "pass123", 20_000), true)
	d.exec("INSERT INTO auth_user SELECT -1, password, NULL, 0, 'below', '', '', 0, 1, date_joined, '' FROM auth_user WHERE id = 1")
	invalid := d.user("x", "hash", true)
	d.exec("UPDATE auth_user SET username = CAST(x'ff' AS TEXT) WHERE id = ?", invalid)
	var vehicles []int64
	for i, year := range []any{0, 1, 1885, 10000, -1, int64(1<<63 - 1), 2020.5, "new", nil} {
		if year == nil {
			year = 2020
		}
		vehicles = append(vehicles, d.vehicle(1, fmt.Sprint("Y-", i), year))
	}
	d.exec("UPDATE backend_api_vehicle SET plate = '' WHERE id = ?", vehicles[8])
	caseTwin := d.vehicle(1, "abc-1", 2020)
	d.vehicle(nameless, "N-1", 2020)
	orphan := d.vehicle(99, "O-1", 2020)
	d.booking(vehicles[0], "2030-03-10 10:00:00", "2030-03-12 10:00:00")
	for _, dates := range [][2]string{
		{"2030-03-12 10:00:00", "2030-03-12 10:00:00"}, {"2030-03-12 10:00:00", "2030-03-10 10:00:00"}, {"2030-03-12", "2030-03-14"},
		{"2030-02-30 10:00:00", "2030-03-14 10:00:00"}, {"9999-12-31 10:00:00", "9999-12-31 11:00:00"}, {"soon", "later"},
	} {
		d.booking(car, dates[0], dates[1])
	}
	d.booking(99, "2030-03-10 10:00:00", "2030-03-12 10:00:00")
	d.booking(car, "2030-03-10 10:00:00", "2030-03-12 10:00:00")
	hash := read(t, d.path, "SELECT password FROM auth_user WHERE id = 2")
	d.pool.Close()

	dir := t.TempDir()
	out, stderr := onenow(t, dir, "", 1, "import-django", d.path)
	sentence(t, stderr, "nothing was imported", "cannot be imported: 23")
	if got := files(t, dir); got != "" {
		t.Errorf("got files %s, want none", got)
	}
	want := []string{
		`user 2 (password …, last_login NULL, is_superuser 0, username "", last_name "", email "", is_staff 0, is_active 1, date_joined 2025-07-01 08:30:00.123456, first_name "") has no name`,
		"ids begin at 1", `username "\xff"`, "not UTF-8 text",
		`vehicle 2 (make "Toyota", model "Corolla", year 0, plate "Y-0", user_id 1) has a year that is not a whole number from 1886 to 9999`,
		"year 1,", "year 1885,", "year 10000,", "year -1,", "year 9223372036854775807,", "year 2020.5,", `year "new",`, "has no make, model or plate",
		`plate "abc-1", user_id 1) has the plate, letter case aside, of vehicle 1 (make "Toyota", model "Corolla", year 2020, plate "ABC-1", user_id 1)`,
		"refers to user 2, which cannot be imported", "refers to user 99, which does not exist",
		"refers to vehicle 2, which cannot be imported", "refers to vehicle 99, which does not exist",
		"does not end after it starts", "not written YYYY-MM-DD HH:MM:SS", "not from 0001-01-01 to 9999-12-31",
	}
	holds(t, out, want...)
	out, _ = onenow(t, dir, "", 0, "import-django", d.path, "--skip-conflicts", "left.csv")
	holds(t, out, append(want, "users: 1, vehicles: 1, bookings: 1,")...)
	onenow(t, dir, "", 0, "check")

	f, err := os.Open(filepath.Join(dir, "left.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) != 24 {
		t.Fatalf("got %d lines, %v, want 24", len(lines), err)
	}
	left := map[string]map[string]string{} // the rows of left.csv, by table and id
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		left[row["table"]+" "+row["id"]] = row
	}
	for _, c := range []struct{ row, column, want string }{
		{"auth_user 2", "password", hash},
		{"auth_user 2", "date_joined", "2025-07-01 08:30:00.123456"},
		{fmt.Sprint("auth_user ", invalid), "username", "\xff"},
		{fmt.Sprint("backend_api_vehicle ", vehicles[5]), "year", "9223372036854775807"},
		{fmt.Sprint("backend_api_vehicle ", caseTwin), "plate", "abc-1"},
		{fmt.Sprint("backend_api_vehicle ", orphan), "user_id", "99"},
		{"backend_api_booking 7", "start_date", "soon"},
	} {
		if got := left[c.row][c.column]; got != c.want {
			t.Errorf("%s in %s: got %q, want %q", c.column, c.row, got, c.want)
		}
	}
}

// TestImportZones imports the same bookings with different time zones.
func TestImportZones(t *testing.T) {
	d := newDjango(t, t.TempDir())
	car := d.shop()
	d.booking(car, "2030-03-10 19:30:00", "2030-03-12 19:30:00")
	d.booking(car, "2030-07-10 00:00:00", "2030-07-12 00:00:00")
	d.booking(car, "2030-10-20 14:00:00", "2030-11-10 15:00:00") // to winter
	d.pool.Close()
	for _, c := range []struct{ flag, env, want, note string }{
		{"UTC", "Asia/Karachi", "2030-03-10 2030-03-12\n2030-07-10 2030-07-12\n2030-10-20 2030-11-11", ""},
		{"Asia/Karachi", "UTC", "2030-03-11 2030-03-13\n2030-07-10 2030-07-12\n2030-10-20 2030-11-11", ""},
		{"America/New_York", "UTC", "2030-03-10 2030-03-12\n2030-07-09 2030-07-11\n2030-10-20 2030-11-10", "start and end at midnight in UTC: 1, which is how the first implementation stored plain dates; 1 of these get other days"},
		{"", "Asia/Karachi", "2030-03-11 2030-03-13\n2030-07-10 2030-07-12\n2030-10-20 2030-11-11", ""},
	} {
		t.Setenv("TZ", c.env)
		dir := t.TempDir()
		args := []string{"import-django", d.path}
		zone := "of this machine, now PKT, UTC+05:00"
		if c.flag != "" {
			args = append(args, "--timezone", c.flag)
			zone = c.flag
		}
		out, _ := onenow(t, dir, "", 0, args...)
		holds(t, out, "in the time zone "+zone+"\n", c.note)
		if c.note == "" && strings.Contains(out, "midnight") {
			t.Errorf("got\n%s", out)
		}
		if got := read(t, filepath.Join(dir, "onenow.db"), "SELECT start_date || ' ' || end_date FROM bookings ORDER BY id"); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", zone, got, c.want)
		}
	}
	dir := t.TempDir()
	for _, bad := range []string{"Karachi", "PKT+5", "../x", "Asia/Nowhere"} {
		_, stderr := onenow(t, dir, "", 1, "import-django", d.path, "--timezone", bad)
		sentence(t, stderr, "--timezone", bad, "Asia/Karachi")
	}
	if runtime.GOOS == "linux" { // without the system's files of time zones
		t.Setenv("ZONEINFO", "/nonexistent")
		if out, err := os.ReadFile(binary); err != nil || !bytes.Contains(out, []byte("Asia/Karachi")) {
			t.Errorf("the binary does not contain the time zones: %v", err)
		}
	}
}

// TestImportSources imports a file with a WAL, a file that a crash has left in the middle
// of a transaction, and a file in a read-only folder. The import changes none of them.
func TestImportSources(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, d *django, car int64){
		"WAL": func(t *testing.T, d *django, car int64) {
			d.exec("PRAGMA journal_mode = WAL")
			d.booking(car, "2030-03-10 10:00:00", "2030-03-12 10:00:00")
		},
		"closed WAL": func(t *testing.T, d *django, car int64) {
			d.exec("PRAGMA journal_mode = WAL")
			d.booking(car, "2030-03-10 10:00:00", "2030-03-12 10:00:00")
			d.pool.Close()
		},
		"hot journal": func(t *testing.T, d *django, car int64) {
			d.booking(car, "2030-03-10 10:00:00", "2030-03-12 10:00:00")
			d.exec("PRAGMA cache_size = 1") // so that it writes to the file before it commits
			d.exec("BEGIN")
			d.exec("DELETE FROM backend_api_vehicle")
			d.exec("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO backend_api_booking (start_date, end_date, vehicle_id) SELECT '2030-03-10 10:00:00', '2030-03-12 10:00:00', 1 FROM n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			made := t.TempDir()
			d := newDjango(t, made)
			leave(t, d, d.shop())
			// The files are as after a crash, or while the first implementation runs.
			source := t.TempDir()
			for f := range strings.FieldsSeq(files(t, made)) {
				if f == "db.sqlite3-shm" {
					continue
				}
				text, err := os.ReadFile(filepath.Join(made, f))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(source, f), text, 0o400); err != nil {
					t.Fatal(err)
				}
			}
			unchanged(t, made)
			unchanged(t, source)
			if err := os.Chmod(source, 0o500); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(source, 0o700) })
			for _, from := range []string{made, source} {
				out, _ := onenow(t, t.TempDir(), "", 0, "import-django", filepath.Join(from, "db.sqlite3"))
				holds(t, out, "users: 1, vehicles: 1, bookings: 1,")
			}
		})
	}
}

// TestImportOnTerminal imports texts with control characters for terminals. The command
// does not print these characters.
func TestImportOnTerminal(t *testing.T) {
	d := newDjango(t, t.TempDir())
	d.shop()
	const escape = "99\x1b[2J\nimported"
	d.exec("ALTER TABLE backend_api_vehicle ADD COLUMN \"" + escape + "\" TEXT")
	d.exec("UPDATE backend_api_vehicle SET user_id = CAST(? AS TEXT) WHERE id = ?", escape, d.vehicle(99, "O-2", 2020))
	d.user(escape, "!"+escape, true)
	d.booking(d.vehicle(1, escape, 2020), escape, escape)
	d.pool.Close()
	out, stderr := onenow(t, t.TempDir(), "", 1, "import-django", d.path)
	if strings.Contains(out+stderr, "\x1b") || strings.Contains(out+stderr, "\nimported") {
		t.Errorf("got %q", out+stderr)
	}
}

// TestImportRefuses imports from files that are not databases of the first implementation,
// and to files that the command must not write.
func TestImportRefuses(t *testing.T) {
	dir := t.TempDir()
	d := newDjango(t, dir)
	d.shop()
	d.pool.Close()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("notes.txt", "no database\n")
	write("empty", "")
	write("old.db-wal", "bookings")
	dbtest.Exec(t, filepath.Join(dir, "other.sqlite3"), "CREATE TABLE auth_user (id INTEGER PRIMARY KEY)")
	dbtest.Exec(t, filepath.Join(dir, "users.sqlite3"), strings.Split(djangoSchema, ";")[1])
	text, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 2 * 4096; i < len(text); i++ {
		text[i] = 'x'
	}
	write("damaged.sqlite3", string(text))
	if err := os.Symlink("db.sqlite3", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	onenow(t, dir, "pass123\n", 0, "create-user", "shop", "--db", "used.db")
	before := files(t, dir)
	for _, c := range []struct {
		args string
		want string
	}{
		{"typo.sqlite3", "cannot open typo.sqlite3: it does not exist"},
		{".", "cannot open .: it is a folder"},
		{"fifo", "fifo is not the first implementation's database: it is not a regular file"},
		{"notes.txt", "notes.txt is not the first implementation's database: it is not an SQLite file"},
		{"empty", "empty is not the first implementation's database: it is not an SQLite file"},
		{"other.sqlite3", "it has no column username in table auth_user"},
		{"users.sqlite3", "it has no table backend_api_vehicle"},
		{"used.db", "it has no table auth_user"},
		{"damaged.sqlite3", "damaged.sqlite3 is damaged"},
		{"db.sqlite3 --db db.sqlite3", "db.sqlite3 is the file to import and cannot be the new database"},
		{"link --db db.sqlite3", "db.sqlite3 is the file to import and cannot be the new database"},
		{"db.sqlite3 --db used.db", "used.db already has users"},
		{"db.sqlite3 --skip-conflicts onenow.db", "onenow.db is the name of a database or of a part of one"},
		{"db.sqlite3 --skip-conflicts onenow.db-wal", "onenow.db-wal is the name of a database or of a part of one"},
		{"db.sqlite3 --skip-conflicts db.sqlite3-journal", "db.sqlite3-journal is the name of a database or of a part of one"},
		{"db.sqlite3 --db notes.txt", "notes.txt is not a onenow database"},
		{"db.sqlite3 --db no/where.db", "the folder no does not exist"},
		{"db.sqlite3 --db old.db", "old.db-wal next to it holds data of another database"},
		{"db.sqlite3 --db new.db --skip-conflicts notes.txt", "notes.txt already exists"},
		{"db.sqlite3 --db new.db --skip-conflicts no/left.csv", "cannot create no/left.csv: the folder no does not exist"},
		{"db.sqlite3 --db new.db --skip-conflicts ./new.db", "./new.db is the name of a database or of a part of one"},
	} {
		for _, more := range []string{"", " --dry-run"} {
			_, stderr := onenow(t, dir, "", 1, strings.Fields("import-django "+c.args+more)...)
			sentence(t, stderr, c.want)
		}
	}
	for _, args := range []string{"import-django", "import-django db.sqlite3 x"} {
		_, stderr := onenow(t, dir, "", 1, strings.Fields(args)...)
		sentence(t, stderr, "the SQLite file of the first implementation", "write onenow import-django FILE")
	}
	if got := files(t, dir); got != before {
		t.Errorf("got files %s, want %s", got, before)
	}

	// A database that is served is refused; an existing one without users is not.
	p := serve(t, dir, "--db", "new.db")
	for _, more := range []string{"", " --dry-run"} {
		_, stderr := onenow(t, dir, "", 1, strings.Fields("import-django db.sqlite3 --db new.db"+more)...)
		sentence(t, stderr, "new.db is being served by another onenow: stop that onenow first")
	}
	p.stop(syscall.SIGTERM)
	onenow(t, dir, "", 0, "import-django", "db.sqlite3", "--db", "new.db")
	onenow(t, dir, "", 0, "import-django", "link", "--db", "empty") // in place of an empty file
	for _, name := range []string{"new.db", "empty"} {
		if out, _ := onenow(t, dir, "", 0, "check", name); !strings.Contains(out, "users: 1, vehicles: 1, bookings: 0\n") {
			t.Errorf("%s: got %s", name, out)
		}
		_, stderr := onenow(t, dir, "", 1, "import-django", "db.sqlite3", "--db", name)
		sentence(t, stderr, name+" already has users")
	}
}

// TestImportInterrupted stops or kills the import at different moments. Afterwards, the
// database has all rows or does not exist.
func TestImportInterrupted(t *testing.T) {
	source := t.TempDir()
	d := newDjango(t, source)
	d.shop()
	d.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
		INSERT INTO backend_api_booking (start_date, end_date, vehicle_id)
		SELECT date('2030-01-01', i || ' days') || ' 10:00:00', date('2030-01-01', (i + 1) || ' days') || ' 10:00:00', 1 FROM n`)
	d.booking(1, "2030-01-05 10:00:00", "2030-01-07 10:00:00")
	d.pool.Close()
	unchanged(t, source)
	t.Setenv("TMPDIR", t.TempDir())
	const moments = 50
	done := 0
	for i := range 2 * moments {
		sig := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[i%2]
		dir := t.TempDir()
		cmd := exec.Command(binary, "import-django", d.path, "--skip-conflicts", "left.csv")
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i/2) * 2 * time.Millisecond)
		_ = cmd.Process.Signal(sig) // it may have ended
		_ = cmd.Wait()
		got := files(t, dir)
		if there := strings.Fields(got); !slices.Contains(there, "onenow.db") {
			if sig == syscall.SIGTERM && got != "" {
				t.Errorf("stopped after %d ms: got files %s, want none", i/2*2, got)
			}
			continue
		} else if !slices.Contains(there, "left.csv") || sig == syscall.SIGTERM && len(there) != 2 {
			t.Errorf("after %d ms and %v: got files %s", i/2*2, sig, got)
		}
		done++
		if out, _ := onenow(t, dir, "", 0, "check"); !strings.Contains(out, "bookings: 3000\n") {
			t.Errorf("got %s", out)
		}
	}
	t.Logf("%d of %d imports were done before the signal", done, 2*moments)
}
