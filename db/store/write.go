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

// maxGroup bounds how many writes share a transaction, so that none waits
// long for its answer.
const maxGroup = 256

// pollOthers is how often an idle writer looks for another process's changes.
const pollOthers = 250 * time.Millisecond

// ErrClosed is returned by writes that come after Close.
var ErrClosed = errors.New("the database is closed")

// writer owns the one connection that writes. Writes that arrive while
// another is being synced to disk share the next transaction, each in its own
// savepoint (group commit): a sync costs the same for one write as for many,
// so durable writes scale with the number of clients.
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

	failing atomic.Bool // whether a group has failed for want of the disk, and none has been committed since
	crowded bool        // whether the last group was of several writes

	mu sync.Mutex // held while the connection is in use
}

type pendingWrite struct {
	ctx  context.Context
	fn   func(*Tx) error
	err  error
	done chan struct{}
}

// newWriter opens the writing connection. It writes nothing before run.
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
	w.noticeOthers()
	return w, nil
}

// stmt returns the statement for query, prepared at its first use.
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

// stop ends run after the group under way; later writes fail.
func (w *writer) stop() {
	close(w.quit)
	<-w.stopped
}

// close closes the connection.
func (w *writer) close() error {
	var err error
	for _, st := range w.stmts { // or SQLite keeps the file open for them
		err = errors.Join(err, st.Close())
	}
	return errors.Join(err, w.conn.Close(), w.pool.Close())
}

// Write runs fn in a transaction and returns once its changes are on disk. If
// fn or the commit fails, nothing of fn's remains, and the other writes in the
// transaction are not touched. A write whose ctx ends before its turn is not
// begun. One that has begun is waited for, whatever becomes of ctx: to interrupt
// it would roll back the others. A panic in fn is raised again here.
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
	return s.outcome(p.err)
}

func (w *writer) run() {
	defer close(w.stopped)
	ticker := time.NewTicker(pollOthers)
	defer ticker.Stop()
	for {
		select {
		case p := <-w.queue:
			w.commit(p)
		case <-ticker.C:
			w.noticeOthers()
		case <-w.quit:
			return
		}
	}
}

// commit runs first and the writes that arrive with it in one transaction, and
// answers them all. Writes that arrive while it runs go into the next
// transaction: their clients are sending while this one is synced.
func (w *writer) commit(first *pendingWrite) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.crowded { // let in those who are about to write: a sync costs more than the moment
		runtime.Gosched()
	}
	group := w.gather([]*pendingWrite{first})
	w.crowded = len(group) > 1
	defer func() {
		for _, p := range group {
			close(p.done)
		}
	}()

	w.checkpointer.beforeWrite()
	defer w.checkpointer.afterWrite() // even after a failure: the lease has been taken
	err := w.store.checkPlace()
	if err == nil {
		if _, err = w.tx.Exec("BEGIN IMMEDIATE"); err != nil {
			group = w.gather(group) // they would wait as long again, one after another
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
		err = w.store.checkContents() // or the commit is in the log of a file that is gone
	}
	if err != nil {
		w.fail(group, err)
	} else if w.changes() != before {
		w.failing.Store(false)
	}
}

// runAll runs the writes of a group, each with its own outcome. An error is of
// the whole transaction.
func (w *writer) runAll(group []*pendingWrite) error {
	for _, p := range group {
		if p.err = p.ctx.Err(); p.err != nil {
			continue
		}
		if len(group) == 1 { // there are no others to protect by a savepoint
			p.err = runSafely(p.fn, w.tx)
			return p.err
		}
		if err := w.savepoint(p); err != nil {
			return err
		}
	}
	return nil
}

// changes counts the rows that this connection has changed, while that matters: a
// commit that changed none does not show that the disk takes writes again.
func (w *writer) changes() (n int64) {
	if w.failing.Load() {
		_ = w.tx.QueryRow("SELECT total_changes()").Scan(&n)
	}
	return n
}

// fail rolls a group back and gives err to each of its writes that has no error
// of its own.
func (w *writer) fail(group []*pendingWrite, err error) {
	if errors.Is(unavailable(err), ErrUnavailable) {
		w.failing.Store(true)
	}
	_, _ = w.tx.Exec("ROLLBACK") // it may have happened already
	for _, p := range group {
		if p.err == nil {
			p.err = err
		}
	}
}

// checkpoint moves what it can from the log into the file, and returns how
// many pages the log has and how many of them have been moved. Mode PASSIVE
// does just that, NOOP moves none, and TRUNCATE empties the log as well if
// nobody is reading it. The caller holds w.mu.
// https://sqlite.org/pragma.html#pragma_wal_checkpoint
func (w *writer) checkpoint(mode string) (length, moved int, err error) {
	if mode != "NOOP" {
		if err := w.store.checkContents(); err != nil {
			return 0, 0, err
		}
		w.store.contents.Lock()
		defer func() {
			w.store.contents.note()
			w.store.contents.Unlock()
		}()
		// A checkpoint that ends for want of room would leave the file torn
		// until the next one.
		var pages int64
		if err := w.tx.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
			return 0, 0, err
		}
		if err := w.store.lease.reserve(pages * pageSize); err != nil {
			return 0, 0, err
		}
	}
	if mode == "TRUNCATE" {
		// Readers are not waited for: writes would wait along. (This pragma
		// works when it is prepared, so it cannot be prepared once.)
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

// savepoint runs one write of a group and keeps the write's own error in p. An
// error that it returns is of the whole transaction, which must be rolled back.
func (w *writer) savepoint(p *pendingWrite) error {
	tx := w.tx
	if _, err := tx.Exec("SAVEPOINT write"); err != nil {
		return err
	}
	p.err = runSafely(p.fn, tx)
	if p.err != nil {
		if _, err := tx.Exec("ROLLBACK TO write"); err != nil {
			if cause := unavailable(p.err); errors.Is(cause, ErrUnavailable) {
				return cause // a full disk has rolled back the whole by itself
			}
			return err
		}
	}
	_, err := tx.Exec("RELEASE write")
	return err
}

// panicError carries a panic from the writer's goroutine to the caller's.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

func runSafely(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return fn(tx)
}

// noticeOthers looks whether another process has written the file.
func (w *writer) noticeOthers() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.store.checkContents() != nil {
		return
	}
	var version int64
	if err := w.tx.QueryRow("PRAGMA data_version").Scan(&version); err != nil {
		return // asked again soon; a lasting fault shows in the next write
	}
	if version != w.dataVersion && w.dataVersion != 0 {
		w.checkpointer.beforeWrite() // this process moves their part of the log, too
		w.checkpointer.afterWrite()
	}
	w.dataVersion = version
}
