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
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// readers is how many queries run at once. More would not be faster on the
// small machines onenow is for, and each costs a page cache.
const readers = 4

// busyTimeout is how long, in milliseconds, to wait for another process that
// writes.
const busyTimeout = "5000"

// DB is an open database file. Its methods may be called from many goroutines.
type DB struct {
	// Now is the clock for everything stored or compared; time.Now unless
	// replaced before first use.
	Now func() time.Time

	// Migrated says what Open did to the schema.
	Migrated Migration

	path         string // as the caller named it
	real         string // absolute and without links: what SQLite opens
	identity     os.FileInfo
	file         *os.File // held open, and shared with SQLite where there are leases
	lease        *lease
	writer       *writer
	checkpointer *checkpointer
	logIndex     *logIndex // nil where there is none
	reads        *sql.DB
	stmts        sync.Map // SQL text → *sql.Stmt on reads

	probe struct {
		sync.Mutex
		at  time.Time
		err error
	}
}

// Options are what a use of the file may ask for beside what every use gets.
type Options struct {
	// Serve makes this process the one that serves the file. Open fails if
	// there is one already.
	Serve bool

	MustExist   bool // fail rather than create the file
	KeepVersion bool // leave an older file as it is; then only Backup will do

	// Log takes what the owner of the file should know; nil discards it.
	Log *slog.Logger
}

// Open opens the database file at path. One that does not exist, or is empty,
// is created with schema (the text of schema.sql), readable by its owner only;
// an older one is brought up to date, after a copy of it has been put beside
// it. Open refuses a file that is not onenow's or that a newer onenow has
// written, and leaves it untouched.
func Open(ctx context.Context, path, schema string, opts Options) (*DB, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	d := &DB{Now: time.Now, path: path}
	if err := d.open(ctx, schema, opts); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *DB) open(ctx context.Context, schema string, opts Options) error {
	var err error
	if d.real, err = resolve(d.path); err != nil {
		return err
	}
	created := false
	if !opts.MustExist {
		if created, err = createFile(ctx, d.real, schema, nil); err != nil {
			return err
		}
	}
	if d.file, err = openFile(d.path, os.O_RDWR); err != nil {
		return err
	}
	if opts.Serve {
		if err := lockToServe(d.file, d.path); err != nil {
			return err
		}
	}
	if d.identity, err = d.file.Stat(); err != nil {
		return cannot("open", d.path, err)
	}
	var noLease error
	d.lease, noLease = newLease(d.file, d.real)
	if d.writer, err = openWriter(ctx, d, dsn(d.real)); err != nil {
		return fmt.Errorf("open %s: %w", d.path, unavailable(err))
	}
	if noLease == nil {
		noLease = d.lease.checkShared()
	}
	if noLease != nil {
		opts.Log.Warn("a plain copy of the database file is not safe here while onenow serves: make copies with onenow backup", "reason", noLease)
	}
	d.checkpointer = newCheckpointer(d.writer, d.lease, noLease == nil, opts.Log)
	d.writer.keeper = d.checkpointer
	if noLease == nil {
		go d.lease.watchClosed(func() { d.checkpointer.take() })
	}
	go d.writer.run()
	if d.Migrated, err = d.migrate(ctx, created, opts); err != nil {
		return err
	}
	d.reads, err = sql.Open("sqlite", dsn(d.real, "query_only(1)"))
	if err == nil {
		d.reads.SetMaxOpenConns(readers)
		d.reads.SetMaxIdleConns(readers)
		err = d.Ping(ctx)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", d.path, unavailable(err))
	}
	if d.logIndex, err = openLogIndex(d.real); err != nil {
		return cannot("open", d.path, err)
	}
	return nil
}

// lockToServe takes the lock of the one process that serves the file, whose
// name is path. A command that ends may have it for a moment.
func lockToServe(f *os.File, path string) error {
	for start := time.Now(); lockFile(f) != nil; time.Sleep(busyPoll) {
		if time.Since(start) > peerWait {
			return fmt.Errorf("%s is being served by another onenow: stop that one first", path)
		}
	}
	return nil
}

// Close waits for the writes under way, then closes the file. No other method
// may be called after it. The file alone then holds everything, and its -wal
// and -shm companions are gone, unless another process has the file open.
func (d *DB) Close() error {
	var errs []error
	if d.reads != nil {
		errs = append(errs, d.reads.Close())
	}
	mayClose := true
	if d.checkpointer != nil {
		d.writer.stop()
		var err error
		mayClose, err = d.checkpointer.stop(d.file)
		errs = append(errs, err)
	}
	// Where it may not be closed, all is left as by a crash, which is safe.
	if d.writer != nil && mayClose {
		errs = append(errs, d.writer.close())
	}
	if d.lease != nil {
		d.lease.close()
	}
	if d.logIndex != nil && mayClose {
		errs = append(errs, d.logIndex.close())
	}
	if d.file != nil && mayClose {
		errs = append(errs, d.file.Close()) // last: it takes SQLite's locks along
	}
	return errors.Join(errs...)
}

// Ping reports whether the database answers a query.
func (d *DB) Ping(ctx context.Context) error {
	var n int
	return d.queryRow(ctx, "SELECT count(*) FROM instance").Scan(&n)
}

// probeEvery is how often Ready tries a write.
const probeEvery = time.Second

// Ready reports whether the database answers a query and takes a write. It
// tries a write at most once a second, and meanwhile gives the last result.
func (d *DB) Ready(ctx context.Context) error {
	if err := d.Ping(ctx); err != nil {
		return unavailable(err)
	}
	d.probe.Lock()
	defer d.probe.Unlock()
	if time.Since(d.probe.at) >= probeEvery {
		d.probe.err = d.tryWrite(context.WithoutCancel(ctx))
		d.probe.at = time.Now()
	}
	return d.probe.err
}

// tryWrite writes a page, as a rule. When the last write failed for want of the
// disk it writes a good deal more, because there may be room for one page and
// not for a booking.
func (d *DB) tryWrite(ctx context.Context) error {
	if !d.writer.failing.Load() {
		return d.write(ctx, func(tx *Tx) error {
			_, err := tx.exec("UPDATE instance SET id = id")
			return err
		})
	}
	const name, size = "room to write", 256 << 10
	if err := d.PutCertificate(ctx, name, make([]byte, size)); err != nil {
		return err
	}
	return d.DeleteCertificate(ctx, name)
}

// SigningKey returns the 32 random bytes that sign this instance's tokens.
func (d *DB) SigningKey(ctx context.Context) ([]byte, error) {
	var key []byte
	if err := d.queryRow(ctx, "SELECT signing_key FROM instance").Scan(&key); err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	return key, nil
}

// dsn returns the data source name of a connection to the file at path, which
// is absolute.
func dsn(path string, pragmas ...string) string {
	q := url.Values{}
	q.Add("_pragma", "busy_timeout("+busyTimeout+")") // first: the others may have to wait, too
	q.Add("_pragma", "journal_mode(WAL)")             // readers do not wait for the writer
	q.Add("_pragma", "synchronous(FULL)")             // an answered booking survives a power cut
	q.Add("_pragma", "wal_autocheckpoint(0)")         // the checkpointer says when
	q.Add("_pragma", "foreign_keys(1)")               // off by default in SQLite
	q.Add("_pragma", "trusted_schema(0)")             // a file from elsewhere cannot run functions with effects
	q.Add("_pragma", "cache_size(-4000)")             // 4 MB a connection: small machines
	q.Add("_pragma", "temp_store(MEMORY)")            // a sort needs no second writable folder
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	q.Add("_txlock", "immediate") // a transaction that will write says so at once
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
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
