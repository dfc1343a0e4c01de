package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"onenow/db"
	"onenow/db/dbtest"
	"onenow/db/store"
)

// TestOnlyOurFiles opens files that are not onenow's. Open refuses them and does not
// change them.
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
		_, err := store.Open(t.Context(), path, dbtest.Format(t), store.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error with %q", path, err, want)
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Errorf("%s: the file was changed", path)
		}
	}
}

// TestMigrateCreates opens an empty file, which Open turns into a database, and opens the
// database again, which Open does not change.
func TestMigrateCreates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "onenow.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	format := dbtest.Format(t)
	for _, want := range []store.Migration{{From: 0, To: format.Version()}, {From: format.Version(), To: format.Version()}} {
		migrate(t, path, format, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a file of mode 0600", info, err)
	}
	// If the schema has an error, Open creates no file.
	path = filepath.Join(t.TempDir(), "onenow.db")
	format.Schema += "nonsense"
	if _, err := store.Open(t.Context(), path, format, store.Options{}); err == nil {
		t.Error("got no error for nonsense")
	}
	if names, _ := filepath.Glob(filepath.Dir(path) + "/*"); len(names) != 0 {
		t.Errorf("got files %v, want none", names)
	}
}

// TestMigrations upgrades files of every version of an invented history to its last
// version. The upgraded files keep their rows and have the same schema as a new file. A
// step that fails leaves the file at the version before the step.
func TestMigrations(t *testing.T) {
	run := func(queries ...string) store.Step {
		return func(_ context.Context, tx *sql.Tx, _ *slog.Logger) error {
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
	const last = "    plate_key TEXT "
	second := replace(first, last, last+",\n    colour  TEXT    NOT NULL DEFAULT 'white' ")
	third := replace(second, "CREATE TABLE users", "CREATE TABLE notes (\n    id   INTEGER PRIMARY KEY, -- a comment\n    text TEXT NOT NULL\n) STRICT;\n\nCREATE TABLE users")
	vehicles := regexp.MustCompile(`(?s)CREATE TABLE vehicles .*?\) STRICT`).FindString(third)
	others := regexp.MustCompile(`(?ms)^CREATE UNIQUE INDEX vehicles_.*?;|^CREATE TRIGGER vehicles_.*?^END;`).FindAllString(third, -1)
	history := []store.Step{
		run("ALTER TABLE vehicles ADD COLUMN colour TEXT NOT NULL DEFAULT 'white'"),
		run("CREATE TABLE new_notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT", "ALTER TABLE new_notes RENAME TO notes",
			"INSERT INTO notes (text) SELECT plate || ' is ' || colour FROM vehicles",
			// Replace a table as SQLite's documentation says: the rows that refer to it stay.
			"PRAGMA legacy_alter_table = 1", // triggers of other tables name the table
			"CREATE TABLE new_vehicles "+strings.TrimPrefix(vehicles, "CREATE TABLE vehicles "),
			"INSERT INTO new_vehicles SELECT * FROM vehicles", "DROP TABLE vehicles", "ALTER TABLE new_vehicles RENAME TO vehicles",
			"PRAGMA legacy_alter_table = 0", strings.Join(others, "\n")),
	}
	formats := map[int]store.Format{
		1: db.WithMigrations(first, nil),
		2: db.WithMigrations(second, history[:1]),
		3: db.WithMigrations(third, history),
	}
	open := func(path string, format store.Format) error {
		s, err := store.Open(t.Context(), path, format, store.Options{})
		if err == nil {
			dbtest.MustClose(t, s)
		}
		return err
	}
	check := func(path string, format store.Format, version, bookings int) {
		t.Helper()
		got := 0
		r, err := store.Check(t.Context(), path, format, func(pool *sql.DB) error {
			return pool.QueryRow("SELECT count(*) FROM bookings").Scan(&got)
		})
		if err != nil || len(r.Problems) > 0 || r.Version != version || got != bookings {
			t.Errorf("%s: got %+v, %v with %d bookings, want version %d with %d", path, r, err, got, version, bookings)
		}
	}
	for from := range formats {
		path := newFileOf(t, formats[1])
		if from > 1 {
			migrate(t, path, formats[from], store.Migration{From: 1, To: from})
		}
		migrate(t, path, formats[3], store.Migration{From: from, To: 3})
		check(path, formats[3], 3, 2)
		if got := dbtest.Count(t, path, "users") + 10*dbtest.Count(t, path, "vehicles"); got != 21 {
			t.Errorf("from %d: got %d vehicles and users, want 2 and 1", from, got)
		}
		if got := dbtest.Count(t, path, "notes"); got != 2 {
			t.Errorf("from %d: got %d notes, want 2", from, got)
		}
		migrate(t, path, formats[3], store.Migration{From: 3, To: 3})
		// A backup of the older file is next to it.
		if from < 3 {
			check(fmt.Sprintf("%s.v%d.bak", path, from), formats[3], from, 2)
		}
		if err := open(path, formats[1]); err == nil || !strings.Contains(err.Error(), "from a newer onenow") {
			t.Errorf("got %v, want a refusal of the newer file", err)
		}
	}

	// A step that leaves references to rows that do not exist is rolled back.
	path := newFileOf(t, formats[1])
	orphaning := db.WithMigrations(first, []store.Step{run("DROP TRIGGER vehicles_delete", "DELETE FROM vehicles WHERE id = 1")})
	if err := open(path, orphaning); err == nil || !strings.Contains(err.Error(), "refer to rows that do not exist") {
		t.Errorf("got %v, want a refusal", err)
	}
	if got := dbtest.Count(t, path, "vehicles"); got != 2 {
		t.Errorf("got %d vehicles, want 2", got)
	}

	fault := errors.New("fault")
	path = newFileOf(t, formats[1])
	half := func(ctx context.Context, tx *sql.Tx, log *slog.Logger) error {
		return errors.Join(run("DELETE FROM bookings")(ctx, tx, log), fault)
	}
	err := open(path, db.WithMigrations(third, []store.Step{history[0], half}))
	if !errors.Is(err, fault) || !strings.Contains(err.Error(), "from version 2 to 3") {
		t.Errorf("got %v, want the fault in the second step", err)
	}
	check(path, formats[2], 2, 2)
	// Open does not upgrade a file that an older onenow is serving, and a backup of an
	// older file has the older version.
	path = newFileOf(t, formats[1])
	serving, err := store.Open(t.Context(), path, formats[1], store.Options{Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := open(path, formats[3]); err == nil || !strings.Contains(err.Error(), "being served") {
		t.Errorf("got %v, want a refusal", err)
	}
	dbtest.MustClose(t, serving)
	old, err := store.Open(t.Context(), path, formats[3], store.Options{MustExist: true, KeepVersion: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Backup(t.Context(), path+".copy", false, nil); err != nil {
		t.Error(err)
	}
	dbtest.MustClose(t, old)
	check(path+".copy", formats[3], 1, 2)
}
