package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Report is what Check finds in a file.
type Report struct {
	Version  int
	Problems []string // one sentence for each problem; empty if the file is sound
	Warnings []string // sentences for the owner of the file; a sound file may have some
}

// Check reads the whole database file at path and reports its problems: damage,
// references to rows that do not exist, the problems that f.Problems lists, and a
// schema that differs from f.Schema. If the file is not damaged and count is not nil,
// Check calls count with a connection to the file. Check does not change the file. It
// returns an error for a file that is not onenow's or that a newer onenow has written.
func Check(ctx context.Context, path string, f Format, count func(*sql.DB) error) (Report, error) {
	var r Report
	named := path
	path, err := Resolve(named) // the -wal file is next to the file itself, not next to a link
	if err != nil {
		return r, err
	}
	file, err := openFile(named, os.O_RDONLY, f)
	if err != nil {
		return r, err
	}
	if err := checkNames(file, named); err != nil {
		r.Warnings = append(r.Warnings, err.Error())
	}
	file.Close()
	open := openImmutable
	if _, err := os.Stat(path + "-wal"); err == nil { // the file is in use, or its process has crashed
		open = openReadOnly
	}
	pool, err := open(path)
	if err != nil {
		return r, err
	}
	defer pool.Close()
	if err := pool.QueryRowContext(ctx, "PRAGMA user_version").Scan(&r.Version); err != nil {
		return r, fmt.Errorf("read %s: %w", path, unavailable(err))
	}
	if err := f.checkVersion(path, r.Version); err != nil {
		return r, err
	}
	if r.Problems, err = damage(ctx, pool); err != nil {
		return r, fmt.Errorf("check %s: %w", path, err)
	}
	if len(r.Problems) > 0 {
		return r, nil // queries on a damaged file may return anything
	}
	lists := []func(context.Context, *sql.DB) ([]string, error){orphans}
	if r.Version == f.Version() {
		lists = append(lists, f.compareSchema)
	}
	if f.Problems != nil {
		lists = append(lists, f.Problems)
	}
	for _, list := range lists {
		problems, err := list(ctx, pool)
		if err != nil {
			return r, fmt.Errorf("check %s: %w", path, err)
		}
		r.Problems = append(r.Problems, problems...)
	}
	if count != nil {
		if err := count(pool); err != nil {
			return r, fmt.Errorf("check %s: %w", path, err)
		}
	}
	return r, nil
}

// openImmutable opens a file that no program writes. SQLite then creates no -wal and
// -shm files next to it.
func openImmutable(path string) (*sql.DB, error) { return openForReading(path, "immutable=1") }

// openReadOnly opens a file that other programs may be writing.
func openReadOnly(path string) (*sql.DB, error) { return openForReading(path, "mode=ro") }

func openForReading(path, query string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, Cannot("open", path, err)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: query + "&_pragma=busy_timeout(" + busyTimeout + ")"}
	pool, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	return pool, nil
}

// damage lists the problems that SQLite's integrity check finds in a file.
func damage(ctx context.Context, pool *sql.DB) ([]string, error) {
	problems, err := Column(ctx, pool, "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'")
	if err != nil {
		// The file may be too damaged for the check itself.
		return []string{err.Error()}, nil
	}
	return problems, nil
}

// orphans lists the rows that refer to rows that do not exist.
func orphans(ctx context.Context, pool *sql.DB) ([]string, error) {
	return Column(ctx, pool, `SELECT format('row %d of %s refers to a row of %s that does not exist', rowid, "table", parent) FROM pragma_foreign_key_check`)
}

// compareSchema lists the differences between the schema of a file and f.Schema.
func (f Format) compareSchema(ctx context.Context, pool *sql.DB) ([]string, error) {
	fresh, err := sql.Open("sqlite", "file::memory:")
	if err != nil {
		return nil, err
	}
	defer fresh.Close()
	fresh.SetMaxOpenConns(1)
	if _, err := fresh.ExecContext(ctx, f.Schema); err != nil {
		return nil, err
	}
	want, err := definitions(ctx, fresh)
	if err != nil {
		return nil, err
	}
	got, err := definitions(ctx, pool)
	if err != nil {
		return nil, err
	}
	var differences []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if text, ok := got[name]; !ok {
			differences = append(differences, fmt.Sprintf("the schema lacks the %s", name))
		} else if text != want[name] {
			differences = append(differences, fmt.Sprintf("the %s is not as in schema.sql", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			differences = append(differences, fmt.Sprintf("the schema has a %s that is not onenow's", name))
		}
	}
	return differences, nil
}

// definitions returns the SQL of each table, index and trigger, keyed by kind and
// name. It removes comments, quotes and extra spaces, because ALTER TABLE changes
// them. It leaves out SQLite's own tables, such as sqlite_stat1.
func definitions(ctx context.Context, pool *sql.DB) (map[string]string, error) {
	rows, err := pool.QueryContext(ctx, "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		text = comments.ReplaceAllString(text, "")
		text = strings.Join(strings.Fields(text), " ")
		all[name] = punctuation.ReplaceAllString(strings.ReplaceAll(text, `"`, ""), "$1")
	}
	return all, rows.Err()
}

var (
	comments    = regexp.MustCompile(`--.*`)
	punctuation = regexp.MustCompile(` ?([(),]) ?`)
)

// Column returns the rows of a query that has one text column.
func Column(ctx context.Context, pool *sql.DB, query string) ([]string, error) {
	rows, err := pool.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}
