package db_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
		migrate(t, path, want)
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

// TestMigrations brings a file up through an invented history, and leaves it
// at the last good version when a step fails.
func TestMigrations(t *testing.T) {
	path := newFile(t)
	run := func(query string) db.Step {
		return func(tx *sql.Tx) error { _, err := tx.Exec(query); return err }
	}
	fault := errors.New("fault")
	good := run("ALTER TABLE vehicles ADD COLUMN colour TEXT NOT NULL DEFAULT 'white'")
	half := func(tx *sql.Tx) error { return errors.Join(run("DELETE FROM bookings")(tx), fault) }
	db.WithMigrations([]db.Step{good, half}, func() {
		_, err := db.Open(t.Context(), path, dbtest.Schema(t), db.Options{})
		if !errors.Is(err, fault) || !strings.Contains(err.Error(), "from version 2 to 3") {
			t.Errorf("got %v, want the fault in the second step", err)
		}
	})
	if got := dbtest.Count(t, path, "bookings"); got != 2 {
		t.Errorf("got %d bookings, want both: the step failed", got)
	}
	db.WithMigrations([]db.Step{good, run("CREATE TABLE notes (text TEXT) STRICT")}, func() {
		migrate(t, path, db.Migration{From: 2, To: 3})
	})
	if got := dbtest.Count(t, path, "vehicles WHERE colour = 'white'"); got != 2 {
		t.Errorf("got %d white vehicles, want 2", got)
	}
	if _, err := db.Open(t.Context(), path, dbtest.Schema(t), db.Options{}); err == nil || !strings.Contains(err.Error(), "from a newer onenow") {
		t.Errorf("got %v, want a refusal of the newer file", err)
	}
	// The file as it was before each attempt lies beside it.
	for version, want := range map[int]int{1: 1, 2: 2} {
		var got int
		shell, err := sql.Open("sqlite", fmt.Sprintf("%s.v%d.bak", path, version))
		if err != nil {
			t.Fatal(err)
		}
		defer shell.Close()
		if err := shell.QueryRow("PRAGMA user_version").Scan(&got); err != nil || got != want {
			t.Errorf("got version %d, %v of the copy, want %d", got, err, want)
		}
	}
}
