package db_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"onenow/db"
	"onenow/db/dbtest"
	"onenow/db/store"
)

// newFile returns the path of a database with a user, cars 1 and 2, and a
// booking of each from the 20th to the 25th of July 2025.
func newFile(t testing.TB) string {
	t.Helper()
	return newFileOf(t, dbtest.Format(t))
}

// newFileOf is newFile with another format.
func newFileOf(t testing.TB, format store.Format) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "onenow.db")
	migrate(t, path, format, store.Migration{From: 0, To: format.Version()})
	dbtest.Exec(t, path, `
		INSERT INTO users (username, password_hash, created_at) VALUES ('shop', 'x', 0);
		INSERT INTO vehicles (user_id, make, model, year, plate) VALUES (1, 'Kia', 'Rio', 2020, 'A1'), (1, 'Kia', 'Rio', 2020, 'A2');
		INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-07-20', '2025-07-25'), (2, '2025-07-20', '2025-07-25');`)
	return path
}

// migrate opens and closes the file at path with that format, and checks the Migration.
func migrate(t testing.TB, path string, format store.Format, want store.Migration) {
	t.Helper()
	d, err := store.Open(t.Context(), path, format, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Migrated != want {
		t.Errorf("got %v, want %v", d.Migrated, want)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestSchemaRefuses runs statements that the schema must refuse.
func TestSchemaRefuses(t *testing.T) {
	path := newFile(t)
	const overlap = "the vehicle is already booked in this time"
	for statement, want := range map[string]string{
		"INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-07-24', '2025-07-26')":                                  overlap,
		"INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-07-19', '2025-07-21')":                                  overlap,
		"INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-07-01', '2025-08-01')":                                  overlap,
		"INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-07-22', '2025-07-23')":                                  overlap,
		"INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-07-20', '2025-07-25')":                                  overlap,
		"INSERT OR REPLACE INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-07-20', '2025-07-25')":                       overlap,
		"INSERT OR IGNORE INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-07-20', '2025-07-25')":                        overlap,
		"INSERT OR REPLACE INTO bookings (id, vehicle_id, start_date, end_date) VALUES (2, 1, '2025-07-24', '2025-07-26')":                overlap,
		"INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-08-01', '2025-08-09'), (1, '2025-08-08', '2025-08-10')": overlap,
		"UPDATE bookings SET vehicle_id = 1 WHERE id = 2":                                                                                 overlap,
		"UPDATE OR REPLACE bookings SET vehicle_id = 1, start_date = '2025-07-10' WHERE id = 2":                                           overlap,
		"INSERT INTO bookings (id, vehicle_id, start_date, end_date) VALUES (-1, 1, '2025-08-01', '2025-08-02')":                          "CHECK",
		"UPDATE bookings SET end_date = '2025-02-30' WHERE id = 1":                                                                        "CHECK",
		"UPDATE bookings SET start_date = '2025-7-1' WHERE id = 1":                                                                        "CHECK",
		"UPDATE bookings SET start_date = 'now' WHERE id = 1":                                                                             "non-deterministic",
		"UPDATE bookings SET start_date = '2025-07-20 00:00:00' WHERE id = 1":                                                             "CHECK",
		"UPDATE bookings SET end_date = start_date WHERE id = 1":                                                                          "CHECK",
		"UPDATE bookings SET end_date = 20250725 WHERE id = 1":                                                                            "CHECK",
		"UPDATE bookings SET end_date = NULL WHERE id = 1":                                                                                "NOT NULL",
		"UPDATE bookings SET end_date = x'00' WHERE id = 1":                                                                               "cannot store BLOB",
		"UPDATE vehicles SET plate = 'a1' WHERE id = 2":                                                                                   "UNIQUE",
		"UPDATE vehicles SET year = 1885":                                                                                                 "CHECK",
		"INSERT INTO users (username, password_hash, created_at) VALUES ('shop', 'x', 0)":                                                 "UNIQUE",
		"INSERT INTO instance (id, signing_key, created_at) VALUES (2, zeroblob(32), 0)":                                                  "CHECK",
		"PRAGMA foreign_keys = 1; INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (9, '2025-07-20', '2025-07-25')":         "FOREIGN KEY",
	} {
		err := dbtest.TryExec(t, path, statement)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", statement, err, want)
		}
	}
	// Bookings that only touch are allowed, and so is a change within a booking's own days.
	dbtest.Exec(t, path, `
		INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-07-25', '2025-07-27'), (1, '2025-07-18', '2025-07-20');
		UPDATE bookings SET start_date = '2025-07-21', end_date = '2025-07-24' WHERE id = 1;
		UPDATE bookings SET start_date = '2025-07-20' WHERE id = 1;`)
	if got := dbtest.Count(t, path, "bookings"); got != 4 {
		t.Errorf("got %d bookings, want 4", got)
	}
}

// plan returns SQLite's query plan, one line for each step.
func plan(t testing.TB, path, query string, args ...any) string {
	t.Helper()
	shell, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer shell.Close()
	rows, err := shell.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var id, parent, unused int
		var line string
		if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// TestListsReadOnlyTheirRows compares the query plans of the lists of bookings: they read
// a range of dates, or a page of ids for each vehicle.
func TestListsReadOnlyTheirRows(t *testing.T) {
	path := newFile(t)
	const byDate = `SEARCH v USING COVERING INDEX vehicles_user_id_plate_key (user_id=?)
SEARCH b USING COVERING INDEX bookings_vehicle_id_dates (vehicle_id=? AND start_date>? AND start_date<?)
CORRELATED SCALAR SUBQUERY 1
SEARCH n USING COVERING INDEX bookings_vehicle_id_dates (vehicle_id=? AND start_date<?)
USE TEMP B-TREE FOR ORDER BY`
	const byID = `SEARCH v USING COVERING INDEX vehicles_user_id_plate_key (user_id=?)
SEARCH b USING INTEGER PRIMARY KEY (rowid=?)
CORRELATED LIST SUBQUERY 1
SEARCH n USING COVERING INDEX bookings_vehicle_id (vehicle_id=? AND rowid>?)
USE TEMP B-TREE FOR ORDER BY`
	const chosen = "\nLIST SUBQUERY 2\nSCAN json_each VIRTUAL TABLE INDEX 1:\nCREATE BLOOM FILTER"
	after := db.BookingID(5)
	for name, c := range map[string]struct {
		filter db.BookingFilter
		want   string
	}{
		"all":        {db.BookingFilter{}, byDate},
		"from to":    {db.BookingFilter{From: "2025-07-01", To: "2025-08-01"}, byDate},
		"window":     {db.BookingFilter{EndAfter: "2025-07-01", StartBefore: "2025-08-01", Vehicles: []db.VehicleID{1, 2}}, strings.Replace(byDate, "\n", chosen+"\n", 1)},
		"page":       {db.BookingFilter{Limit: 10, After: &after}, byID},
		"page a car": {db.BookingFilter{Limit: 10, Vehicles: []db.VehicleID{1}}, strings.Replace(byID, "\n", chosen+"\n", 1)},
	} {
		query, args := c.filter.Query(db.Principal{User: 1})
		if got := plan(t, path, query, args...); got != c.want {
			t.Errorf("%s: got plan\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// TestTriggersReadOneNeighbour compares the plan of the query in the two overlap triggers.
func TestTriggersReadOneNeighbour(t *testing.T) {
	path := newFile(t)
	questions := regexp.MustCompile(`(?s)WHEN \(\s*(SELECT.*?LIMIT 1)\s*\)`).FindAllStringSubmatch(dbtest.Schema(t), -1)
	if len(questions) != 2 {
		t.Fatalf("found %d triggers, want 2", len(questions))
	}
	for _, q := range questions {
		query := regexp.MustCompile(`(NEW|OLD)\.\w+`).ReplaceAllString(q[1], "?")
		const want = "SEARCH bookings USING COVERING INDEX bookings_vehicle_id_dates (vehicle_id=? AND start_date<?)"
		if got := plan(t, path, query, 1, "2025-07-25", 1); got != want {
			t.Errorf("got plan\n%s\nwant\n%s", got, want)
		}
	}
}

// TestOverlapRule compares the result of CreateBooking with the overlap rule, for every
// pair of bookings within one week.
func TestOverlapRule(t *testing.T) {
	d := dbtest.New(t)
	id, err := d.CreateUser(t.Context(), "shop", "x")
	if err != nil {
		t.Fatal(err)
	}
	owner := db.Principal{User: id}
	car, err := d.CreateVehicle(t.Context(), owner, db.Vehicle{Make: "Kia", Model: "Rio", Year: 2020, Plate: "A1"})
	if err != nil {
		t.Fatal(err)
	}
	day := func(n int) db.Date { return db.Date(fmt.Sprintf("2025-07-%02d", n)) }
	book := func(from, to int) (db.Booking, error) {
		return d.CreateBooking(t.Context(), owner, db.Booking{Vehicle: car.ID, Start: day(from), End: day(to)})
	}
	for from := 1; from <= 6; from++ {
		for to := from + 1; to <= 7; to++ {
			first, err := book(from, to)
			if err != nil {
				t.Fatal(err)
			}
			for f := 1; f <= 6; f++ {
				for e := f + 1; e <= 7; e++ {
					second, err := book(f, e)
					if overlaps := f < to && from < e; overlaps != (err != nil) {
						t.Errorf("%d-%d after %d-%d: got %v", f, e, from, to, err)
					}
					if err == nil {
						if err := d.DeleteBooking(t.Context(), owner, second.ID, nil); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			if err := d.DeleteBooking(t.Context(), owner, first.ID, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}
