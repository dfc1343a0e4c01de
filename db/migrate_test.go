package db_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"onenow/db"
	"onenow/db/dbtest"
)

// TestOnlyOurFiles refuses what is no database of ours and leaves it as it was.
func TestOnlyOurFiles(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	dbtest.Exec(t, foreign, "CREATE TABLE users (id INTEGER)")
	newer := newFile(t)
	dbtest.Exec(t, newer, "PRAGMA user_version = 99")
	without := newFile(t)
	dbtest.Exec(t, without, "PRAGMA user_version = 0")
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]string{
		foreign:                  "is not a onenow database",
		newer:                    "from a newer onenow",
		without:                  "it has no version",
		write("text", "hello\n"): "is not a onenow database",
		write("long", strings.Repeat("hello\n", 1000)): "is not a onenow database",
		dir:                            "it is a folder",
		filepath.Join(dir, "no", "db"): "the folder " + filepath.Join(dir, "no") + " does not exist",
		filepath.Join(foreign, "db"):   "not a directory",
	} {
		before, _ := os.ReadFile(path)
		_, err := db.Open(t.Context(), path, dbtest.Schema(t), db.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error with %q", path, err, want)
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Errorf("%s: the file was changed", path)
		}
	}
}

// TestMigrateCreates makes a file where there is none, or an empty one, and
// leaves one of ours alone.
func TestMigrateCreates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "onenow.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, want := range []db.Migration{{From: 0, To: db.Version()}, {From: db.Version(), To: db.Version()}} {
		migrate(t, path, dbtest.Schema(t), want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a file of mode 0600", info, err)
	}
	// A half-made file is never seen: one with a fault in its schema is none.
	path = filepath.Join(t.TempDir(), "onenow.db")
	if _, err := db.Open(t.Context(), path, dbtest.Schema(t)+"nonsense", db.Options{}); err == nil {
		t.Error("got no error for nonsense")
	}
	if names, _ := filepath.Glob(filepath.Dir(path) + "/*"); len(names) != 0 {
		t.Errorf("got files %v, want none", names)
	}
}

// TestMigrations brings files of every version of an invented history up to
// its end, with their data, and finds them equal to a new one of its schema; a
// step that fails leaves the version before it.
func TestMigrations(t *testing.T) {
	run := func(queries ...string) db.Step {
		return func(tx *sql.Tx) error {
			for _, q := range queries {
				if _, err := tx.Exec(q); err != nil {
					return err
				}
			}
			return nil
		}
	}
	first := dbtest.Schema(t)
	replace := func(schema, old, new string) string {
		t.Helper()
		if !strings.Contains(schema, old) {
			t.Fatalf("schema.sql has no %q", old)
		}
		return strings.Replace(schema, old, new, 1)
	}
	const plate = "plate   TEXT    NOT NULL CHECK (plate <> '')"
	second := replace(first, plate, plate+",\n    colour  TEXT    NOT NULL DEFAULT 'white'")
	third := replace(second, "CREATE TABLE users", "CREATE TABLE notes (\n    id   INTEGER PRIMARY KEY, -- a comment\n    text TEXT NOT NULL\n) STRICT;\n\nCREATE TABLE users")
	vehicles := regexp.MustCompile(`(?s)CREATE TABLE vehicles .*?\) STRICT`).FindString(third)
	index := regexp.MustCompile(`CREATE UNIQUE INDEX vehicles_user_id_plate .*`).FindString(third)
	history := []db.Step{
		run("ALTER TABLE vehicles ADD COLUMN colour TEXT NOT NULL DEFAULT 'white'"),
		run("CREATE TABLE new_notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT", "ALTER TABLE new_notes RENAME TO notes",
			"INSERT INTO notes (text) SELECT plate || ' is ' || colour FROM vehicles",
			// A table made anew, as SQLite's documentation has it: what refers to it stays.
			"CREATE TABLE new_vehicles "+strings.TrimPrefix(vehicles, "CREATE TABLE vehicles "),
			"INSERT INTO new_vehicles SELECT * FROM vehicles", "DROP TABLE vehicles", "ALTER TABLE new_vehicles RENAME TO vehicles", index),
	}
	for from, schema := range map[int]string{1: first, 2: second, 3: third} {
		path := newFile(t)
		if from > 1 {
			db.WithMigrations(history[:from-1], func() { migrate(t, path, schema, db.Migration{From: 1, To: from}) })
		}
		db.WithMigrations(history, func() {
			migrate(t, path, third, db.Migration{From: from, To: 3})
			r, err := db.Check(t.Context(), path, third)
			if err != nil || len(r.Problems) > 0 || r.Users != 1 || r.Vehicles != 2 || r.Bookings != 2 {
				t.Errorf("from %d: got %+v, %v", from, r, err)
			}
			if got := dbtest.Count(t, path, "notes"); got != 2 {
				t.Errorf("from %d: got %d notes, want 2", from, got)
			}
			migrate(t, path, third, db.Migration{From: 3, To: 3})
		})
		// The file as it was before lies beside it.
		if from < 3 {
			copied := fmt.Sprintf("%s.v%d.bak", path, from)
			db.WithMigrations(history, func() {
				if r, err := db.Check(t.Context(), copied, third); err != nil || r.Version != from || len(r.Problems) > 0 || r.Bookings != 2 {
					t.Errorf("got %+v, %v of %s", r, err, copied)
				}
			})
		}
		if _, err := db.Open(t.Context(), path, first, db.Options{}); err == nil || !strings.Contains(err.Error(), "from a newer onenow") {
			t.Errorf("got %v, want a refusal of the newer file", err)
		}
	}

	// A step that leaves what refers to nothing is undone.
	path := newFile(t)
	db.WithMigrations([]db.Step{run("DELETE FROM vehicles WHERE id = 1")}, func() {
		if _, err := db.Open(t.Context(), path, first, db.Options{}); err == nil || !strings.Contains(err.Error(), "refer to nothing") {
			t.Errorf("got %v, want a refusal", err)
		}
	})
	if got := dbtest.Count(t, path, "vehicles"); got != 2 {
		t.Errorf("got %d vehicles, want 2", got)
	}

	fault := errors.New("fault")
	path = newFile(t)
	half := func(tx *sql.Tx) error { return errors.Join(run("DELETE FROM bookings")(tx), fault) }
	db.WithMigrations([]db.Step{history[0], half}, func() {
		_, err := db.Open(t.Context(), path, third, db.Options{})
		if !errors.Is(err, fault) || !strings.Contains(err.Error(), "from version 2 to 3") {
			t.Errorf("got %v, want the fault in the second step", err)
		}
		if r, err := db.Check(t.Context(), path, second); err != nil || r.Version != 2 || r.Bookings != 2 {
			t.Errorf("got %+v, %v, want version 2 with its bookings", r, err)
		}
	})
	// An upgrade has to wait for a server that runs the older version, and a
	// backup of the older version does not upgrade it.
	path = newFile(t)
	serving, err := db.Open(t.Context(), path, first, db.Options{Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	db.WithMigrations(history, func() {
		if _, err := db.Open(t.Context(), path, third, db.Options{}); err == nil || !strings.Contains(err.Error(), "being served") {
			t.Errorf("got %v, want a refusal", err)
		}
	})
	if err := serving.Close(); err != nil {
		t.Error(err)
	}
	db.WithMigrations(history, func() {
		d, err := db.Open(t.Context(), path, third, db.Options{MustExist: true, KeepVersion: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Backup(t.Context(), path+".copy", false, nil); err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if r, err := db.Check(t.Context(), path+".copy", third); err != nil || r.Version != 1 {
			t.Errorf("got %+v, %v, want version 1", r, err)
		}
	})
}
