// Package dbtest makes databases for tests.
package dbtest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"onenow/db"
)

// New opens a new database in a temporary folder of the test's, closed when
// the test ends.
func New(t testing.TB) *db.DB {
	t.Helper()
	return Open(t, filepath.Join(t.TempDir(), "onenow.db"))
}

// Open opens, or creates, the database at path, closed when the test ends.
func Open(t testing.TB, path string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), path, Schema(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close %s: %v", path, err)
		}
	})
	return d
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
