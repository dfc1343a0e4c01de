package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"onenow/db/dbtest"
)

// TestCheck runs onenow check on files with each kind of problem. The command reports the
// problem and does not change the file.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "onenow.db")
	for name, c := range map[string]struct{ damage, want string }{
		"an overlap": {`DROP TRIGGER bookings_insert_overlap;
			INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-01-01', '2025-01-09'), (1, '2025-01-02', '2025-01-03'), (1, '2025-01-05', '2025-01-06')`,
			"the schema lacks the trigger bookings_insert_overlap\nbooking 2 of vehicle 1 starts before an earlier booking of this vehicle ends\nbooking 3 of vehicle 1 starts before an earlier booking of this vehicle ends\n"},
		"an orphan":                 {"DROP TRIGGER bookings_insert_orphan; INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (99, '2025-01-01', '2025-01-09')", "row 1 of bookings refers to a row of vehicles that does not exist\n"},
		"an unknown table":          {"CREATE TABLE notes (x)", "the schema has a table notes that is not onenow's\n"},
		"another index by the name": {"DROP INDEX bookings_vehicle_id; CREATE INDEX bookings_vehicle_id ON bookings (id)", "the index bookings_vehicle_id is not as in schema.sql\n"},
		"a missing row of an index": {"PRAGMA writable_schema = 1; UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'sign_ins_user_id') WHERE name = 'bookings_vehicle_id'", "bookings_vehicle_id"},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(path)
			p, _ := fleet(t, dir)
			p.stop(os.Interrupt)
			dbtest.Exec(t, path, c.damage)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			out, stderr := onenow(t, dir, "", 1, "check")
			if !strings.Contains(out, c.want) {
				t.Errorf("got %s\nwant %s", out, c.want)
			}
			sentence(t, stderr, "onenow.db", "has problems")
			if after, _ := os.ReadFile(path); string(after) != string(before) || files(t, dir) != "onenow.db" {
				t.Error("the file was changed")
			}
		})
	}
	if err := os.Truncate(path, 20_000); err != nil {
		t.Fatal(err)
	}
	onenow(t, dir, "", 1, "check")
	// The command works while a server runs, and after a crash.
	_ = os.Remove(path)
	p, _ := fleet(t, dir)
	if out, _ := onenow(t, dir, "", 0, "check"); out != "onenow.db is sound: version 2, users: 1, vehicles: 8, bookings: 0\n" {
		t.Errorf("got %s", out)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	before := files(t, dir)
	if out, _ := onenow(t, dir, "", 0, "check"); out != "onenow.db is sound: version 2, users: 1, vehicles: 8, bookings: 0\n" {
		t.Errorf("got %s", out)
	}
	if got := files(t, dir); got != before {
		t.Errorf("got files %s, want %s", got, before)
	}
}
