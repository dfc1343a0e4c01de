// Package store opens, reads, writes, backs up, checks and upgrades one SQLite file. A
// Format describes the file's tables; the package itself does not know them. No other
// package imports the SQLite driver.
//
// One connection writes; see write.go. A few other connections read, each from a
// consistent snapshot, and never wait for the writer. "WAL" is SQLite's write-ahead
// log, the -wal file; "log" is the log of the program.
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

// readers is the number of reading connections. On the small machines that onenow is
// for, more connections would not be faster, and each connection has a page cache.
const readers = 4

// busyTimeout is how long, in milliseconds, a connection waits for a lock of another
// process.
const busyTimeout = "5000"

// Format describes the database files of an application.
type Format struct {
	Schema     string // the SQL that creates a new file of the newest version
	Migrations []Step // Migrations[0] upgrades version 1 to version 2, and so on

	// Fill writes the first rows of a new file. A nil Fill writes none.
	Fill func(*sql.Tx) error

	// Identity is a query that returns one text. The text is the same in all copies
	// of a file, and different in all other files.
	Identity string

	// Problems returns one sentence for each problem in the rows of a file that is
	// not damaged. A nil Problems finds none.
	Problems func(context.Context, *sql.DB) ([]string, error)
}

// Version returns the newest version, which Schema describes.
func (f Format) Version() int { return 1 + len(f.Migrations) }

// Store is an open database file. Its methods may be called from many goroutines.
type Store struct {
	// Migrated tells how Open changed the schema.
	Migrated Migration

	format       Format
	log          *slog.Logger
	path         string // the name that the caller gave
	real         string // the absolute name without links, which SQLite opens
	identity     os.FileInfo
	companions   []companion // the -wal and -shm files; empty if checkPlace does not check them
	contents     contents
	damaged      atomic.Pointer[Unavailable] // the first error that reported damage
	file         *os.File                    // stays open; on Linux, SQLite shares its descriptor
	lease        *lease
	writer       *writer
	checkpointer *checkpointer
	walIndex     *walIndex // nil if the system has none
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
	// Serve makes this process the one that serves the file. Open returns an error
	// if another process serves it.
	Serve bool

	MustExist   bool // do not create the file: if it does not exist, return an error
	KeepVersion bool // do not upgrade an older file; the caller may then call only Backup, BackupTo and Close

	// Log is the log for messages to the owner of the file. A nil Log discards them.
	Log *slog.Logger
}

// Open opens the database file at path. If the file does not exist or is empty, Open
// creates it, readable by its owner only. If an older onenow has written it, Open
// writes a backup next to it and then upgrades it. If the file is not onenow's, or a
// newer onenow has written it, Open returns an error and does not change it.
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
			s.checkpointer.acquireLease()
			_ = s.checkContents() // the next read or write returns the error
		})
	}
	go s.writer.run()
	return nil
}

// openReaders opens the reading connections and the WAL index.
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
	if s.walIndex, err = openWALIndex(s.real); err != nil {
		return Cannot("open", s.path, err)
	}
	if s.walIndex != nil && s.checkpointer.leasesWork { // where leases do not work, as on a network, the file's times are not reliable
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

// openError returns the error for a file that SQLite could not open. It explains a
// folder without write permission.
func (s *Store) openError(err error) error {
	switch err = unavailable(err); {
	case !errors.Is(err, ErrUnavailable):
	case !writable(filepath.Dir(s.real)):
		return fmt.Errorf("open %s: onenow has no permission to write to the folder %s, where SQLite keeps the -wal and -shm files: give it this permission", s.path, filepath.Dir(s.real))
	}
	return fmt.Errorf("open %s: %w", s.path, err)
}

// writable reports whether this process has permission to create files in the folder dir.
func writable(dir string) bool {
	f, err := newTempFile(filepath.Join(dir, "onenow.probe"))
	if err != nil {
		return !errors.Is(err, os.ErrPermission)
	}
	f.remove()
	return true
}

// lockToServe takes the lock of the process that serves the file. It waits up to one
// second, because a command that is ending may hold the lock for a moment. path is the
// name for the error message.
func lockToServe(f *os.File, path string) error {
	for start := time.Now(); lockFile(f) != nil; time.Sleep(busyPoll) {
		if time.Since(start) > peerWait {
			return fmt.Errorf("%s is being served by another onenow: stop that onenow first", path)
		}
	}
	return nil
}

// Close waits for the running writes, then closes the file. After Close, a write
// returns ErrClosed; the caller may call no other method except Revision. After Close,
// the database file is complete, and its -wal and -shm files do not exist, unless
// another process has the file open.
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
	// If SQLite may not close the file, the -wal and -shm files stay as after a crash,
	// which is safe: the next process that opens the database uses them.
	if s.writer != nil && mayClose {
		errs = append(errs, s.writer.close())
	}
	if s.lease != nil {
		s.lease.close()
	}
	if s.walIndex != nil && mayClose {
		errs = append(errs, s.walIndex.close())
	}
	if s.file != nil && mayClose {
		errs = append(errs, s.file.Close()) // last: closing it releases SQLite's locks
	}
	return errors.Join(errs...)
}

// Ping runs a query and returns its error.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	return s.Single(ctx).QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&n)
}

// probeEvery is the minimum time between two writes of Ready.
const probeEvery = time.Second

// Ready returns an error if the database cannot be read or written. It runs a query. If
// the last write failed because of the disk or another process, it also tries a write,
// at most once every probeEvery.
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

// probeSize is larger than any single write of onenow. A disk may have room for one page,
// but not for a booking.
const probeSize = 256 << 10

// tryWrite checks that the disk has probeSize bytes of space, then commits one page.
func (s *Store) tryWrite(ctx context.Context) error {
	f, err := newTempFile(s.real + ".probe")
	if err != nil {
		return unavailable(Cannot("create", s.path, err))
	}
	_, err = f.Write(make([]byte, probeSize))
	err = errors.Join(err, f.Sync())
	f.remove()
	if err != nil {
		return unavailable(err)
	}
	err = s.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", s.format.Version())) // the current version: changes nothing
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
	q.Add("_pragma", "busy_timeout("+busyTimeout+")") // first: the other pragmas may have to wait for a lock
	q.Add("_pragma", "journal_mode(WAL)")             // readers do not wait for the writer
	q.Add("_pragma", "synchronous(FULL)")             // an answered booking survives a power cut
	q.Add("_pragma", "wal_autocheckpoint(0)")         // only the checkpointer runs checkpoints
	q.Add("_pragma", "foreign_keys(1)")               // off by default in SQLite
	q.Add("_pragma", "trusted_schema(0)")             // the schema of a file from elsewhere cannot call unsafe functions
	q.Add("_pragma", "cache_size(-4000)")             // 4 MB for each connection: onenow is for small machines
	q.Add("_pragma", "temp_store(MEMORY)")            // a sort needs no writable temporary folder
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	q.Add("_txlock", "immediate") // a transaction takes the write lock when it begins
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	return u.String()
}
