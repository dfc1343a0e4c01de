// Package store keeps one SQLite file: it opens, reads, writes, backs up, checks
// and upgrades it. It knows nothing of what the file is about; a Format tells it.
// No other package imports the SQLite driver.
//
// One connection writes (see write.go). A few others read, each from a
// consistent snapshot, and never wait for the writer.
package store

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
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// readers is how many queries run at once. More would not be faster on the
// small machines onenow is for, and each costs a page cache.
const readers = 4

// busyTimeout is how long, in milliseconds, to wait for another process that
// writes.
const busyTimeout = "5000"

// Format is what the files of an application have in common.
type Format struct {
	Schema     string // the SQL of a new file of the newest version
	Migrations []Step // Migrations[0] makes version 2 of version 1, and so on

	// Fill writes the first rows of a new file; nil writes none.
	Fill func(*sql.Tx) error

	// Identity is a query for one text that differs between any two files,
	// copies of one file aside.
	Identity string

	// Problems lists what is wrong with the rows of a sound file of the
	// newest version, a sentence each; nil lists nothing.
	Problems func(context.Context, *sql.DB) ([]string, error)
}

// Version returns the newest version, which Schema describes.
func (f Format) Version() int { return 1 + len(f.Migrations) }

// Store is an open database file. Its methods may be called from many goroutines.
type Store struct {
	// Migrated says what Open did to the schema.
	Migrated Migration

	format       Format
	log          *slog.Logger
	path         string // as the caller named it
	real         string // absolute and without links: what SQLite opens
	identity     os.FileInfo
	companions   []companion // the -wal and -shm files; none where they are not watched
	contents     contents
	damaged      atomic.Pointer[Unavailable] // the first damage that SQLite has met
	file         *os.File                    // held open, and shared with SQLite where there are leases
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

// Options configure Open.
type Options struct {
	// Serve makes this process the one that serves the file. Open fails if
	// there is one already.
	Serve bool

	MustExist   bool // fail rather than create the file
	KeepVersion bool // leave an older file as it is; then only Backup will do

	// Log takes what the owner of the file should know; nil discards it.
	Log *slog.Logger
}

// Open opens the database file at path. A file that does not exist, or is empty,
// is created, readable by its owner only. An older one is brought up to date,
// after a copy of it has been put beside it. Open refuses a file that is not
// onenow's or that a newer onenow has written, and leaves it untouched.
func Open(ctx context.Context, path string, f Format, opts Options) (*Store, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{path: path, format: f, log: opts.Log}
	if err := s.open(ctx, opts); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, opts Options) error {
	var err error
	if s.real, err = Resolve(s.path); err != nil {
		return err
	}
	created := false
	if !opts.MustExist {
		if created, err = createFile(ctx, s.real, s.format, nil); err != nil {
			return err
		}
	}
	if s.file, err = openFile(s.path, os.O_RDWR, s.format); err != nil {
		return err
	}
	if err := checkNames(s.file, s.path); err != nil {
		return err
	}
	if opts.Serve {
		if err := lockToServe(s.file, s.path); err != nil {
			return err
		}
	}
	if s.identity, err = s.file.Stat(); err != nil {
		return Cannot("open", s.path, err)
	}
	if err := s.openWriter(ctx); err != nil {
		return err
	}
	if s.Migrated, err = s.migrate(ctx, created, opts); err != nil {
		return err
	}
	return s.openReaders(ctx)
}

// openWriter opens the writing connection and starts the goroutines that write
// and checkpoint.
func (s *Store) openWriter(ctx context.Context) error {
	var noLease, err error
	s.lease, noLease = newLease(s.file, s.real)
	if err := s.checkCompanions(); err != nil {
		return err
	}
	if s.writer, err = newWriter(ctx, s, dsn(s.real)); err != nil {
		return s.openError(err)
	}
	if noLease == nil {
		noLease = s.lease.checkShared()
	}
	if noLease != nil {
		s.log.Warn("a plain copy of the database file is not safe here while onenow serves: make copies with onenow backup", "reason", noLease)
	}
	s.checkpointer = newCheckpointer(s.writer, s.lease, noLease == nil, s.log)
	s.writer.checkpointer = s.checkpointer
	if noLease == nil {
		go s.lease.watchClosed(func() {
			s.checkpointer.take()
			_ = s.checkContents() // which keeps what it finds
		})
	}
	go s.writer.run()
	return nil
}

// openReaders opens the reading connections and the view of the log's index.
func (s *Store) openReaders(ctx context.Context) error {
	var err error
	s.reads, err = sql.Open("sqlite", dsn(s.real, "query_only(1)"))
	if err == nil {
		s.reads.SetMaxOpenConns(readers)
		s.reads.SetMaxIdleConns(readers)
		err = s.Ping(ctx)
	}
	if err != nil {
		return s.openError(err)
	}
	if s.logIndex, err = openLogIndex(s.real); err != nil {
		return Cannot("open", s.path, err)
	}
	if s.logIndex != nil && s.checkpointer.leases { // elsewhere, as on a network, the file's times may change by themselves
		s.writer.mu.Lock()
		defer s.writer.mu.Unlock()
		for _, ending := range []string{"-wal", "-shm"} {
			info, err := os.Stat(s.real + ending)
			if err != nil {
				return Cannot("open", s.path+ending, err)
			}
			s.companions = append(s.companions, companion{s.real + ending, info})
		}
		s.contents.watch(s)
	}
	return nil
}

// openError words why SQLite could not open the file.
func (s *Store) openError(err error) error {
	switch err = unavailable(err); {
	case !errors.Is(err, ErrUnavailable):
	case !writable(filepath.Dir(s.real)):
		return fmt.Errorf("open %s: onenow may not write to the folder %s, where SQLite keeps its -wal and -shm files: let it write there", s.path, filepath.Dir(s.real))
	}
	return fmt.Errorf("open %s: %w", s.path, err)
}

// writable reports whether files can be made in the folder dir.
func writable(dir string) bool {
	f, err := os.CreateTemp(dir, ".onenow-*")
	if err != nil {
		return !errors.Is(err, os.ErrPermission)
	}
	f.Close()
	return os.Remove(f.Name()) == nil
}

// lockToServe takes the lock of the one process that serves the file, whose
// name is path. It waits a second, because a command that ends may hold the lock
// for a moment.
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
func (s *Store) Close() error {
	var errs []error
	if s.reads != nil {
		errs = append(errs, s.reads.Close())
	}
	mayClose := true
	if s.checkpointer != nil {
		s.writer.stop()
		var err error
		mayClose, err = s.checkpointer.stop(s.file)
		errs = append(errs, err)
	}
	// If SQLite may not close the file, everything is left as after a crash,
	// which is safe.
	if s.writer != nil && mayClose {
		errs = append(errs, s.writer.close())
	}
	if s.lease != nil {
		s.lease.close()
	}
	if s.logIndex != nil && mayClose {
		errs = append(errs, s.logIndex.close())
	}
	if s.file != nil && mayClose {
		errs = append(errs, s.file.Close()) // last: closing it gives up SQLite's locks
	}
	return errors.Join(errs...)
}

// Ping reports whether the database answers a query.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	return s.Single(ctx).QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&n)
}

// probeEvery is how often Ready tries a write.
const probeEvery = time.Second

// Ready reports whether the database answers queries and takes writes, by what
// became of the last ones. While the last write has failed for want of the disk,
// it tries one itself, once a second at most.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.checkPlace(); err != nil {
		return err
	}
	if err := s.Ping(ctx); err != nil {
		return err
	}
	if err := s.damaged.Load(); err != nil {
		return err
	}
	if !s.writer.failing.Load() {
		return nil
	}
	s.probe.Lock()
	defer s.probe.Unlock()
	if time.Since(s.probe.at) >= probeEvery {
		s.probe.err = s.tryWrite(context.WithoutCancel(ctx))
		s.probe.at = time.Now()
	}
	return s.probe.err
}

// probeSize is more than what any one write of onenow's takes: there may be room
// for a page, and not for a booking.
const probeSize = 256 << 10

// tryWrite makes sure that the disk has room, then commits a page.
func (s *Store) tryWrite(ctx context.Context) error {
	f, err := os.CreateTemp(filepath.Dir(s.real), ".onenow-*")
	if err != nil {
		return unavailable(Cannot("create", s.path, err))
	}
	_, err = f.Write(make([]byte, probeSize))
	err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
	if err != nil {
		return unavailable(err)
	}
	err = s.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", s.format.Version())) // the number that it has
		return err
	})
	if err == nil {
		s.writer.failing.Store(false)
	}
	return err
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
