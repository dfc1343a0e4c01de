package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// maxGroup is the largest number of writes that share a transaction. It limits how long
// a write waits for the others.
const maxGroup = 256

// otherWritesPoll is the interval at which the writer checks for writes of other
// processes.
const otherWritesPoll = 250 * time.Millisecond

// ErrClosed is the error of a write after Close.
var ErrClosed = errors.New("the database is closed")

// writer owns the connection that writes. Writes that arrive while another write is
// being synced to disk share the next transaction (group commit), each in its own
// savepoint. A sync takes the same time for one write as for many, so more clients get
// more writes per second.
type writer struct {
	store *Store
	pool  *sql.DB // of one connection
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	tx    *Tx

	queue   chan *pendingWrite
	quit    chan struct{}
	stopped chan struct{}

	dataVersion  int64
	checkpointer *checkpointer

	failing    atomic.Bool // set when a group fails because of the disk or another process; cleared by a commit that changes a row
	lastShared bool        // whether the last group had more than one write

	mu sync.Mutex // held while the connection is in use
}

// pendingWrite is a call of Write that waits for its result.
type pendingWrite struct {
	ctx  context.Context
	fn   func(*Tx) error
	err  error
	done chan struct{}
}

// newWriter opens the writing connection. The caller starts run, which writes.
func newWriter(ctx context.Context, s *Store, dsn string) (*writer, error) {
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	w := &writer{
		store:   s,
		pool:    pool,
		conn:    conn,
		stmts:   map[string]*sql.Stmt{},
		queue:   make(chan *pendingWrite),
		quit:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	w.tx = &Tx{store: s, ctx: context.Background(), prepare: w.stmt}
	w.detectOtherWrites()
	return w, nil
}

// stmt returns the statement for query on the writing connection. It prepares the
// statement at the first call.
func (w *writer) stmt(query string) (*sql.Stmt, error) {
	if st, ok := w.stmts[query]; ok {
		return st, nil
	}
	st, err := w.conn.PrepareContext(context.Background(), query)
	if err == nil {
		w.stmts[query] = st
	}
	return st, err
}

// stop waits for the running group, then stops run. Later writes return ErrClosed.
func (w *writer) stop() {
	close(w.quit)
	<-w.stopped
}

// close closes the connection.
func (w *writer) close() error {
	var err error
	for _, st := range w.stmts { // an open statement would keep the file open
		err = errors.Join(err, st.Close())
	}
	return errors.Join(err, w.conn.Close(), w.pool.Close())
}

// Write runs fn in a transaction and returns when fn's changes are on disk. If fn or the
// commit fails, no change of fn is stored; an error of fn does not affect the other
// writes in the transaction. If ctx is cancelled before fn starts, Write does not run fn
// and returns ctx's error. Once fn has started, Write waits for the commit even if ctx is
// cancelled, because an interruption would roll back the other writes. Write repeats a
// panic of fn in the caller's goroutine. An error of the disk, of another process or of
// a damaged file is an *Unavailable.
func (s *Store) Write(ctx context.Context, fn func(*Tx) error) error {
	p := &pendingWrite{ctx: ctx, fn: fn, done: make(chan struct{})}
	select {
	case s.writer.queue <- p:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.writer.quit:
		return ErrClosed
	}
	<-p.done
	var panicked *panicError
	if errors.As(p.err, &panicked) {
		panic(panicked)
	}
	return s.resultError(p.err)
}

func (w *writer) run() {
	defer close(w.stopped)
	ticker := time.NewTicker(otherWritesPoll)
	defer ticker.Stop()
	for {
		select {
		case p := <-w.queue:
			w.commit(p)
		case <-ticker.C:
			w.detectOtherWrites()
		case <-w.quit:
			return
		}
	}
}

// commit runs the write first, and all writes that are already waiting, in one
// transaction, and sends each its result. Writes that arrive later go into the next
// transaction.
func (w *writer) commit(first *pendingWrite) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lastShared { // clients that just got a result may be about to write again: let them join
		runtime.Gosched()
	}
	group := w.gather([]*pendingWrite{first})
	w.lastShared = len(group) > 1
	defer func() {
		for _, p := range group {
			close(p.done)
		}
	}()

	w.checkpointer.beforeWrite()
	defer w.checkpointer.afterWrite() // even after an error: beforeWrite may have acquired the lease
	err := w.store.checkPlace()
	if err == nil {
		if _, err = w.tx.Exec("BEGIN IMMEDIATE"); err != nil {
			group = w.gather(group) // the waiting writes would each wait for the same timeout
		}
	}
	before := w.changes()
	if err == nil {
		err = w.runAll(group)
	}
	if err == nil {
		_, err = w.tx.Exec("COMMIT")
	}
	if err == nil {
		err = w.store.checkContents() // if the contents have been replaced, the commit is lost
	}
	if err != nil {
		w.fail(group, err)
	} else if w.changes() != before {
		w.failing.Store(false)
	}
}

// runAll runs the writes of a group and stores the error of each. If it returns an
// error, the whole transaction has failed.
func (w *writer) runAll(group []*pendingWrite) error {
	for _, p := range group {
		if p.err = p.ctx.Err(); p.err != nil {
			continue
		}
		if len(group) == 1 { // no other write needs the protection of a savepoint
			p.err = runSafely(p.fn, w.tx)
			return p.err
		}
		if err := w.savepoint(p); err != nil {
			return err
		}
	}
	return nil
}

// changes returns how many rows this connection has changed so far, or 0 if the last
// group did not fail. commit needs it after a failure: a commit that changes no row does
// not show that the disk can be written again.
func (w *writer) changes() (n int64) {
	if w.failing.Load() {
		_ = w.tx.QueryRow("SELECT total_changes()").Scan(&n)
	}
	return n
}

// fail rolls back a group and stores err as the error of each write that has none yet.
func (w *writer) fail(group []*pendingWrite, err error) {
	if errors.Is(unavailable(err), ErrUnavailable) {
		w.failing.Store(true)
	}
	_, _ = w.tx.Exec("ROLLBACK") // fails if SQLite has already rolled back
	for _, p := range group {
		if p.err == nil {
			p.err = err
		}
	}
}

// checkpoint runs a checkpoint. It returns how many pages the WAL has, and how many of
// them are in the file. Mode PASSIVE copies as many pages as it can without waiting for
// readers, TRUNCATE also empties the WAL if no reader uses it, and NOOP copies nothing.
// The caller holds w.mu.
// https://sqlite.org/pragma.html#pragma_wal_checkpoint
func (w *writer) checkpoint(mode string) (length, moved int, err error) {
	if mode != "NOOP" {
		if err := w.store.checkContents(); err != nil {
			return 0, 0, err
		}
		w.store.contents.Lock()
		defer func() {
			w.store.contents.recordState()
			w.store.contents.Unlock()
		}()
		// Reserve the space first: a checkpoint that finds the disk full would leave
		// the file incomplete until the next checkpoint.
		var pages int64
		if err := w.tx.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
			return 0, 0, err
		}
		if err := w.store.lease.reserve(pages * pageSize); err != nil {
			return 0, 0, err
		}
	}
	if mode == "TRUNCATE" {
		// Do not wait for readers: writes would have to wait, too. (This pragma takes
		// effect when it is prepared, so a cached statement would not work.)
		if _, err := w.conn.ExecContext(context.Background(), "PRAGMA busy_timeout = 0"); err != nil {
			return 0, 0, err
		}
		defer func() {
			_, e := w.conn.ExecContext(context.Background(), "PRAGMA busy_timeout = "+busyTimeout)
			err = errors.Join(err, e)
		}()
	}
	var busy int
	err = w.tx.QueryRow("PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &length, &moved)
	return length, moved, err
}

// gather adds the writes that are waiting to a group.
func (w *writer) gather(group []*pendingWrite) []*pendingWrite {
	for len(group) < maxGroup {
		select {
		case p := <-w.queue:
			group = append(group, p)
		default:
			return group
		}
	}
	return group
}

// savepoint runs one write of a group in a savepoint and stores the write's error in p.
// If savepoint returns an error, the caller must roll back the whole transaction.
func (w *writer) savepoint(p *pendingWrite) error {
	tx := w.tx
	if _, err := tx.Exec("SAVEPOINT write"); err != nil {
		return err
	}
	p.err = runSafely(p.fn, tx)
	if p.err != nil {
		if _, err := tx.Exec("ROLLBACK TO write"); err != nil {
			if cause := unavailable(p.err); errors.Is(cause, ErrUnavailable) {
				return cause // on a full disk, SQLite has rolled back the whole transaction
			}
			return err
		}
	}
	_, err := tx.Exec("RELEASE write")
	return err
}

// panicError carries a panic from the writer's goroutine to the goroutine of the caller.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// runSafely calls fn and returns its error, or a *panicError if fn panics.
func runSafely(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return fn(tx)
}

// detectOtherWrites wakes the checkpointer if another process has written to the
// database.
func (w *writer) detectOtherWrites() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.store.checkContents() != nil {
		return
	}
	var version int64
	if err := w.tx.QueryRow("PRAGMA data_version").Scan(&version); err != nil {
		return // the next poll tries again; the next write returns a lasting error
	}
	if version != w.dataVersion && w.dataVersion != 0 {
		w.checkpointer.beforeWrite() // this process checkpoints the other process's commits
		w.checkpointer.afterWrite()
	}
	w.dataVersion = version
}
