// Package dbtest creates databases for tests.
package dbtest

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"onenow/db"
	"onenow/db/store"
)

// New creates a database in a temporary folder. It is closed when the test ends.
func New(t testing.TB) *db.DB {
	t.Helper()
	return Open(t, filepath.Join(t.TempDir(), "onenow.db"))
}

// Open opens or creates the database at path. It is closed when the test ends.
func Open(t testing.TB, path string) *db.DB {
	t.Helper()
	return db.New(OpenStore(t, path))
}

// OpenStore is Open, but returns the store of the database.
func OpenStore(t testing.TB, path string) *store.Store {
	t.Helper()
	s := MustOpen(t, path, store.Options{})
	t.Cleanup(func() { MustClose(t, s) })
	return s
}

// MustOpen opens or creates the store at path. The caller closes it.
func MustOpen(t testing.TB, path string, opts store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path, Format(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// MustClose closes a store.
func MustClose(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// Format returns the format of onenow's files.
func Format(t testing.TB) store.Format {
	t.Helper()
	return db.Format(Schema(t))
}

// Exec runs SQL on the file at path, and fails the test on an error. Like the sqlite3
// shell, it has foreign keys switched off.
func Exec(t testing.TB, path, query string) {
	t.Helper()
	if err := TryExec(t, path, query); err != nil {
		t.Fatal(err)
	}
}

// TryExec is Exec, but returns the error.
func TryExec(t testing.TB, path, query string) error {
	t.Helper()
	shell := open(t, path)
	defer shell.Close()
	_, err := shell.ExecContext(t.Context(), query)
	return err
}

// Lock holds the write lock of the file at path until release is called.
func Lock(t testing.TB, path string) (release func()) {
	t.Helper()
	shell := open(t, path)
	shell.SetMaxOpenConns(1)
	if _, err := shell.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return func() { shell.Close() }
}

// Count returns the number of rows of a table. table may end with a WHERE clause.
func Count(t testing.TB, path, table string) int {
	t.Helper()
	shell := open(t, path)
	defer shell.Close()
	var n int
	if err := shell.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func open(t testing.TB, path string) *sql.DB {
	t.Helper()
	shell, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	return shell
}

// Scale returns the number in an environment variable, which makes a test longer, or few
// if the variable is empty.
func Scale(t testing.TB, variable string, few int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// Schema returns the text of schema.sql.
func Schema(t testing.TB) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(here), "..", "..", "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// DjangoHash returns a hash of password in Django's format.
func DjangoHash(t testing.TB, password string, iterations int) string {
	t.Helper()
	const salt = "0123456789abcdefABCDEF"
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, 32)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("pbkdf2_sha256$%d$%s$%s", iterations, salt, base64.StdEncoding.EncodeToString(key))
}
