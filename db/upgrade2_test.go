package db_test

import (
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"onenow/db"
	"onenow/db/dbtest"
	"onenow/db/store"
)

// version1 returns the path of a file that version 1 of onenow has written. It has rows
// that version 2 does not allow: users and plates that look the same, days that do not
// exist, and references to rows that do not exist.
func version1(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "v1.db"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "onenow.db")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rows returns the rows of a query, one line for each row.
func rows(t testing.TB, path, query string) string {
	t.Helper()
	shell, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer shell.Close()
	lines, err := store.Column(t.Context(), shell, query)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// TestUpgrade2 upgrades a file of version 1 to version 2. Afterwards, the file has the
// schema of schema.sql, no row is lost, and the log mentions each row that was changed or
// moved.
func TestUpgrade2(t *testing.T) {
	path := version1(t)
	var log strings.Builder
	s, err := store.Open(t.Context(), path, dbtest.Format(t), store.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	d := db.New(s)
	for name, want := range map[string]db.UserID{"ali": 1, "ali\u200b": 2, "Zo\u00eb": 3, "Zoe\u0308": 3, "old clerk": 4, "old\u00a0 clerk": 4, "ali\ufeff": 1} {
		if u, err := d.UserByName(t.Context(), name); err != nil || u.ID != want {
			t.Errorf("%q: got user %d, %v, want %d", name, u.ID, err, want)
		}
	}
	// A vehicle with the plate of another vehicle can be changed as long as its plate stays.
	year := 2022
	if v, err := d.UpdateVehicle(t.Context(), db.Principal{User: 1}, 2, db.VehicleFields{Year: &year}, nil); err != nil || v.Year != 2022 || v.Plate != "ABC\u00a0123" {
		t.Errorf("got %+v, %v", v, err)
	}
	plate := " abc 123"
	if _, err := d.UpdateVehicle(t.Context(), db.Principal{User: 1}, 3, db.VehicleFields{Plate: &plate}, nil); err == nil {
		t.Error("a plate that looks like another one's was taken")
	}
	b, err := d.CreateBooking(t.Context(), db.Principal{User: 1}, db.Booking{Vehicle: 1, Start: "2031-01-01", End: "2031-01-02"})
	if err != nil || b.ID != 61 {
		t.Errorf("got booking %d, %v, want 61: ids are never used again", b.ID, err)
	}
	dbtest.MustClose(t, s)

	if r, err := db.Check(t.Context(), path, dbtest.Schema(t)); err != nil || r.Version != 2 || len(r.Problems) > 0 {
		t.Errorf("got %+v, %v, want a sound file of version 2", r, err)
	}
	const bookings = `1 1 2020-01-01 2020-01-05
2 1 2020-01-05 2020-01-09
3 2 2026-02-25 2026-03-01
4 3 9999-12-30 9999-12-31
41 6 2026-03-03 2026-03-09
42 6 2026-11-20 2026-12-20
44 7 2026-03-02 2026-03-05
46 7 2026-01-01 2026-03-01
47 6 2026-02-20 2026-03-02
61 1 2031-01-01 2031-01-02`
	if got := rows(t, path, "SELECT format('%d %d %s %s', id, vehicle_id, start_date, end_date) FROM bookings ORDER BY id"); got != bookings {
		t.Errorf("got bookings\n%s\nwant\n%s", got, bookings)
	}
	const leftovers = `vehicles {"id":9,"user_id":99,"make":"Kia","model":"Rio","year":2020,"plate":"GONE-1"}: its owner does not exist
bookings {"id":48,"vehicle_id":8,"start_date":"2025-01-01","end_date":"2025-01-09"}: its vehicle does not exist
bookings {"id":49,"vehicle_id":9,"start_date":"2025-01-01","end_date":"2025-01-09"}: its vehicle does not exist
bookings {"id":45,"vehicle_id":6,"start_date":"2026-02-30","end_date":"2026-03-02"}: it has a day that does not exist`
	if got := rows(t, path, "SELECT format('%s %s: %s', table_name, row, reason) FROM leftovers ORDER BY id"); got != leftovers {
		t.Errorf("got leftovers\n%s\nwant\n%s", got, leftovers)
	}
	for _, want := range []string{"booking=44", "booking=45", "rows=4", `user=2 name="ali\u200b" first=1`, `vehicle=2 name="ABC\u00a0123" first=1`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
}

// TestSchemaRefusesOrphans tries to create rows that refer to rows that do not exist. It
// uses SQL shells with foreign keys switched off: the driver and, if it is installed, the
// program sqlite3, whose version of SQLite may be much older.
func TestSchemaRefusesOrphans(t *testing.T) {
	shells := map[string]func(path, statement string) error{
		"driver": func(path, statement string) error { return dbtest.TryExec(t, path, statement) },
	}
	if program, err := exec.LookPath("sqlite3"); err == nil {
		shells["sqlite3"] = func(path, statement string) error {
			if out, err := exec.Command(program, "-bail", path, statement).CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		}
	} else {
		t.Log("there is no sqlite3 program: only the driver's version is tried")
	}
	for name, exec := range shells {
		path := newFile(t)
		dbtest.Exec(t, path, `
			INSERT INTO sign_ins (user_id, created_at, expires_at) VALUES (1, 0, 4000000000);
			INSERT INTO refresh_tokens (id, sign_in_id, expires_at) VALUES ('a', 1, 4000000000);
			INSERT INTO known_addresses (user_id, address, used_at) VALUES (1, '127.0.0.1', 0)`)
		for statement, want := range map[string]string{
			"INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (9, '2025-07-20', '2025-07-25')":                "FOREIGN KEY",
			"UPDATE bookings SET vehicle_id = 9 WHERE id = 1":                                                               "FOREIGN KEY",
			"UPDATE vehicles SET id = 9 WHERE id = 1":                                                                       "FOREIGN KEY",
			"UPDATE vehicles SET rowid = 9 WHERE id = 1":                                                                    "FOREIGN KEY",
			"UPDATE users SET oid = 9":                                                                                      "FOREIGN KEY",
			"UPDATE sign_ins SET _rowid_ = 9":                                                                               "FOREIGN KEY",
			"UPDATE vehicles SET user_id = 9 WHERE id = 1":                                                                  "FOREIGN KEY",
			"INSERT INTO vehicles (user_id, make, model, year, plate) VALUES (9, 'Kia', 'Rio', 2020, 'X')":                  "FOREIGN KEY",
			"INSERT OR REPLACE INTO vehicles (id, user_id, make, model, year, plate) VALUES (5, 1, 'Kia', 'R', 2020, 'a1')": "UNIQUE",
			"INSERT OR REPLACE INTO vehicles (id, user_id, make, model, year, plate) VALUES (1, 1, 'Kia', 'R', 2020, 'X')":  "UNIQUE",
			"UPDATE OR REPLACE vehicles SET plate = 'A2' WHERE id = 1":                                                      "UNIQUE",
			"INSERT OR REPLACE INTO users (username, password_hash, created_at) VALUES ('shop', 'x', 0)":                    "UNIQUE",
			"UPDATE users SET id = 2":                                                                                       "FOREIGN KEY",
			"INSERT INTO sign_ins (user_id, created_at, expires_at) VALUES (9, 0, 0)":                                       "FOREIGN KEY",
			"INSERT INTO refresh_tokens (id, sign_in_id, expires_at) VALUES ('b', 9, 0)":                                    "FOREIGN KEY",
			"UPDATE refresh_tokens SET sign_in_id = 9":                                                                      "FOREIGN KEY",
			"INSERT INTO known_addresses (user_id, address, used_at) VALUES (9, 'x', 0)":                                    "FOREIGN KEY",
			// Days that do not exist, which date() of older versions of SQLite accepts.
			"INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2026-02-30', '2026-03-05')": "CHECK",
			"UPDATE bookings SET end_date = '2026-02-29' WHERE id = 1":                                       "CHECK",
		} {
			if err := exec(path, statement); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %s: got %v, want an error with %q", name, statement, err, want)
			}
		}
		// The rows that refer to a deleted row are deleted, too.
		if err := exec(path, "DELETE FROM vehicles WHERE id = 1; DELETE FROM sign_ins"); err != nil {
			t.Error(err)
		}
		if b, r := dbtest.Count(t, path, "bookings"), dbtest.Count(t, path, "refresh_tokens"); b != 1 || r != 0 {
			t.Errorf("%s: got %d bookings and %d refresh tokens, want 1 and 0", name, b, r)
		}
		if err := exec(path, "DELETE FROM users"); err != nil {
			t.Error(err)
		}
		if b := dbtest.Count(t, path, "bookings"); b != 0 {
			t.Errorf("%s: got %d bookings, want none", name, b)
		}
		if r, err := db.Check(t.Context(), path, dbtest.Schema(t)); err != nil || len(r.Problems) > 0 {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
	}
}
