package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
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
	db   *DB
	pool *sql.DB // of one connection
	tx   *Tx

	queue   chan *pendingWrite
	quit    chan struct{}
	stopped chan struct{}

	dataVersion int64
	keeper      *checkpointer

	failing atomic.Bool // whether the last group failed for want of the disk
	crowded bool        // whether the last group was of several writes

	mu sync.Mutex // held while the connection is in use
}

type pendingWrite struct {
	ctx  context.Context
	fn   func(*Tx) error
	err  error
	done chan struct{}
}

// Tx is the transaction a write runs in. Its statements take no context: once
// begun, a write runs to its end whatever becomes of the client, because
// interrupting it would roll back the others that share the transaction.
type Tx struct {
	now   time.Time // the same for the whole write
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// openWriter opens the writing connection. Nothing is written before run.
func openWriter(ctx context.Context, d *DB, dsn string) (*writer, error) {
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
		db:      d,
		pool:    pool,
		tx:      &Tx{conn: conn, stmts: map[string]*sql.Stmt{}},
		queue:   make(chan *pendingWrite),
		quit:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	w.noticeOthers()
	return w, nil
}

// stop ends run after the group under way; later writes fail.
func (w *writer) stop() {
	close(w.quit)
	<-w.stopped
}

// close closes the connection.
func (w *writer) close() error {
	var err error
	for _, st := range w.tx.stmts { // or SQLite keeps the file open for them
		err = errors.Join(err, st.Close())
	}
	return errors.Join(err, w.tx.conn.Close(), w.pool.Close())
}

// write runs fn in a transaction and returns once what it did is on disk. If
// fn or the commit fails, nothing of it remains and the others in the
// transaction are not touched. A write whose ctx ends before its turn is not
// begun; one that has begun is waited for. A panic in fn is raised again here.
func (d *DB) write(ctx context.Context, fn func(*Tx) error) error {
	p := &pendingWrite{ctx: ctx, fn: fn, done: make(chan struct{})}
	select {
	case d.writer.queue <- p:
	case <-ctx.Done():
		return ctx.Err()
	case <-d.writer.quit:
		return ErrClosed
	}
	<-p.done
	var panicked *panicError
	if errors.As(p.err, &panicked) {
		panic(panicked)
	}
	return unavailable(p.err)
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
// answers them all. Those that come while it runs are for the next one: the others
// are being answered while that one is synced.
func (w *writer) commit(first *pendingWrite) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.crowded { // whoever is about to ask takes part: a sync costs more than the moment
		runtime.Gosched()
	}
	group := w.gather([]*pendingWrite{first})
	w.crowded = len(group) > 1
	defer func() {
		for _, p := range group {
			close(p.done)
		}
	}()
	fail := func(err error) {
		w.failing.Store(errors.Is(unavailable(err), ErrUnavailable))
		_, _ = w.tx.exec("ROLLBACK") // may have happened already; there is nothing to lose
		for _, p := range group {
			if p.err == nil {
				p.err = err
			}
		}
	}

	w.keeper.beforeWrite()
	defer w.keeper.afterWrite() // whatever becomes of it: the lease has been taken
	if err := w.db.checkPlace(); err != nil {
		fail(err)
		return
	}
	if _, err := w.tx.exec("BEGIN IMMEDIATE"); err != nil {
		group = w.gather(group) // they would wait as long again, one after another
		fail(err)
		return
	}
	for _, p := range group {
		if p.err = p.ctx.Err(); p.err != nil {
			continue
		}
		w.tx.now = w.db.Now()
		if len(group) == 1 { // there are no others to keep
			if p.err = runSafely(p.fn, w.tx); p.err != nil {
				fail(p.err)
				return
			}
		} else if err := w.tx.savepoint(p); err != nil {
			fail(err)
			return
		}
	}
	if _, err := w.tx.exec("COMMIT"); err != nil {
		fail(err)
		return
	}
	w.failing.Store(false)
}

// checkPlace refuses when the file is no longer where it was: what is written
// to a file without a name is lost when we end.
func (d *DB) checkPlace() error {
	if info, err := os.Stat(d.real); err == nil && os.SameFile(info, d.identity) {
		return nil
	}
	return &Error{
		Kind:    ErrUnavailable,
		Code:    "storage_unavailable",
		Message: "The database file has been moved or replaced: nothing was saved. Put it back, or restart onenow.",
	}
}

// checkpoint moves what it can from the log into the file, and returns how
// many pages the log has and how many of them have been moved. Mode PASSIVE
// does just that, NOOP moves none, and TRUNCATE empties the log as well if
// nobody is reading it. The caller holds w.mu.
// https://sqlite.org/pragma.html#pragma_wal_checkpoint
func (w *writer) checkpoint(mode string) (length, moved int, err error) {
	if mode != "NOOP" {
		// A checkpoint that ends for want of room would leave the file torn
		// until the next one.
		var pages int64
		if err := w.tx.queryRow("PRAGMA page_count").Scan(&pages); err != nil {
			return 0, 0, err
		}
		if err := w.db.lease.reserve(pages * pageSize); err != nil {
			return 0, 0, err
		}
	}
	if mode == "TRUNCATE" {
		// Readers are not waited for: writes would wait along. (This pragma
		// works when it is prepared, so it cannot be prepared once.)
		if _, err := w.tx.conn.ExecContext(context.Background(), "PRAGMA busy_timeout = 0"); err != nil {
			return 0, 0, err
		}
		defer func() {
			_, e := w.tx.conn.ExecContext(context.Background(), "PRAGMA busy_timeout = "+busyTimeout)
			err = errors.Join(err, e)
		}()
	}
	var busy int
	err = w.tx.queryRow("PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &length, &moved)
	return length, moved, err
}

// gather adds the writes that wait by now to a group.
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

// savepoint runs one write of a group, keeping its own error in p. The error
// it returns is of the whole transaction, which is then beyond saving.
func (tx *Tx) savepoint(p *pendingWrite) error {
	if _, err := tx.exec("SAVEPOINT write"); err != nil {
		return err
	}
	p.err = runSafely(p.fn, tx)
	if p.err != nil {
		if _, err := tx.exec("ROLLBACK TO write"); err != nil {
			if cause := unavailable(p.err); errors.Is(cause, ErrUnavailable) {
				return cause // a full disk has rolled back the whole by itself
			}
			return err
		}
	}
	_, err := tx.exec("RELEASE write")
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
	var version int64
	if err := w.tx.queryRow("PRAGMA data_version").Scan(&version); err != nil {
		return // asked again soon; a lasting fault shows in the next write
	}
	if version != w.dataVersion && w.dataVersion != 0 {
		w.keeper.beforeWrite() // what they have left in the log is ours to move
		w.keeper.afterWrite()
	}
	w.dataVersion = version
}

func (tx *Tx) stmt(query string) (*sql.Stmt, error) {
	if st, ok := tx.stmts[query]; ok {
		return st, nil
	}
	st, err := tx.conn.PrepareContext(context.Background(), query)
	if err == nil {
		tx.stmts[query] = st
	}
	return st, err
}

// exec runs a statement that returns no rows.
func (tx *Tx) exec(query string, args ...any) (sql.Result, error) {
	st, err := tx.stmt(query)
	if err != nil {
		return nil, err
	}
	return st.Exec(args...)
}

// execOne runs a statement that is to change one row, and returns missing
// when it changed none.
func (tx *Tx) execOne(missing error, query string, args ...any) error {
	res, err := tx.exec(query, args...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, missing)
	}
	return nil
}

// insert runs an INSERT and returns the new row's id.
func (tx *Tx) insert(query string, args ...any) (int64, error) {
	res, err := tx.exec(query, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// queryRow reads one row. Scan returns sql.ErrNoRows where there is none.
func (tx *Tx) queryRow(query string, args ...any) row {
	st, err := tx.stmt(query)
	if err != nil {
		return row{err: err}
	}
	return row{rows: st.QueryRow(args...)}
}
