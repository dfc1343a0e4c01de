// Package db keeps the shop's users, vehicles and bookings in one SQLite
// file. It is the only package that speaks SQL.
//
// One connection writes (see write.go), a few others read, each from a
// consistent snapshot that never waits for the writer.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// readers is how many queries run at once. More would not be faster on the
// small machines onenow is for, and each costs a page cache.
const readers = 4

// DB is an open database file. Its methods may be called from many goroutines.
type DB struct {
	// Now is the clock for everything stored or compared; time.Now unless
	// replaced before first use.
	Now func() time.Time

	path   string
	reads  *sql.DB
	stmts  sync.Map // SQL text → *sql.Stmt on reads
	writer *writer

	signInsEnded atomic.Uint64
}

// Open opens the database file at path. A file that does not exist is created
// with schema (the text of schema.sql), an older one is brought up to date, as
// by Migrate, whose errors it returns.
func Open(ctx context.Context, path, schema string) (*DB, error) {
	if _, err := Migrate(ctx, path, schema); err != nil {
		return nil, err
	}
	d := &DB{Now: time.Now, path: path}
	var err error
	if d.writer, err = openWriter(ctx, d); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, unavailable(err))
	}
	d.reads, err = sql.Open("sqlite", dsn(path, "query_only(1)"))
	if err == nil {
		d.reads.SetMaxOpenConns(readers)
		d.reads.SetMaxIdleConns(readers)
		err = d.Ping(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, unavailable(err)), d.Close())
	}
	return d, nil
}

// Close waits for the writes under way, then closes the file. No other method
// may be called after it. With no other process using the file, the file alone
// then holds everything: its -wal and -shm companions are gone.
func (d *DB) Close() error {
	var err error
	if d.reads != nil {
		err = d.reads.Close()
	}
	// The writer last: only a connection that may write can clear the log away.
	return errors.Join(err, d.writer.close())
}

// Ping reports whether the database answers a query.
func (d *DB) Ping(ctx context.Context) error {
	var n int
	return d.queryRow(ctx, "SELECT count(*) FROM instance").Scan(&n)
}

// SigningKey returns the 32 random bytes that sign this instance's tokens.
func (d *DB) SigningKey(ctx context.Context) ([]byte, error) {
	var key []byte
	if err := d.queryRow(ctx, "SELECT signing_key FROM instance").Scan(&key); err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	return key, nil
}

// dsn returns the data source name of a connection to the file at path.
func dsn(path string, pragmas ...string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path // no working directory: SQLite will say so
	}
	q := url.Values{}
	q.Add("_pragma", "busy_timeout(5000)") // first: the others may have to wait, too
	q.Add("_pragma", "journal_mode(WAL)")  // readers do not wait for the writer
	q.Add("_pragma", "synchronous(FULL)")  // an answered booking survives a power cut
	q.Add("_pragma", "foreign_keys(1)")    // off by default in SQLite
	q.Add("_pragma", "trusted_schema(0)")  // a file from elsewhere cannot run functions with effects
	q.Add("_pragma", "cache_size(-4000)")  // 4 MB a connection: small machines
	q.Add("_pragma", "temp_store(MEMORY)") // a sort needs no second writable folder
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: q.Encode()}
	return u.String()
}

// stmt returns the reading statement for query, prepared at its first use.
func (d *DB) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := d.stmts.Load(query); ok {
		return st.(*sql.Stmt), nil
	}
	st, err := d.reads.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, loaded := d.stmts.LoadOrStore(query, st); loaded {
		st.Close()
		return first.(*sql.Stmt), nil
	}
	return st, nil
}

// row is the one row of a query, or the error that kept it from running.
type row struct {
	err  error
	rows *sql.Row
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.rows.Scan(dest...)
}

// queryRow reads one row on a reading connection. Scan returns sql.ErrNoRows
// where there is none.
func (d *DB) queryRow(ctx context.Context, query string, args ...any) row {
	st, err := d.stmt(ctx, query)
	if err != nil {
		return row{err: err}
	}
	return row{rows: st.QueryRowContext(ctx, args...)}
}

// list reads all rows of a query on a reading connection, each through scan,
// which is handed the row's Scan. No rows give an empty list, not nil.
func list[T any](ctx context.Context, d *DB, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	st, err := d.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
