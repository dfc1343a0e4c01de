package db

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"
)

// When the checkpointer works. Variables for the tests' sake.
var (
	// The log is moved into the file, and emptied, once nobody has written for
	// quiet: the file is complete then whatever happens to us, and what lies
	// beside it can do no harm to a copy that is put in its place.
	quiet = 100 * time.Millisecond

	// Or it is moved once it is this long, so that reading through it stays
	// fast: SQLite's own default.
	longLog = 1000 // pages

	// While somebody else has the file open, not until it has been open for
	// patience, or the log is this long.
	patience = 10 * time.Minute
	hugeLog  = (256 << 20) / pageSize // pages
)

const (
	pageSize = 4096

	busyPoll = 20 * time.Millisecond // how often to look while there are writes
	idlePoll = time.Second           // how often to ask for the lease while there are none

	// How long to wait for readers and copies that are in the way: below the
	// 45 seconds after which the kernel stops waiting for us.
	maxWait = 10 * time.Second

	peerWait = time.Second // how long to wait for other programs that have the database open
)

// checkpointer moves what is written from the log into the file, at times when
// nobody is copying the file; see lease. From the first write on it holds the
// lease, until the log is empty again: then the file is complete as it is, and
// whoever opens it need not wait.
type checkpointer struct {
	writer *writer
	log    *slog.Logger
	lease  *lease
	leases bool // whether there are leases here; if not, any time is good

	mu    sync.Mutex // never held while waiting for the writer
	mine  bool       // whether the lease is
	empty bool       // whether the log is, so that the lease is not needed
	given time.Time  // when the lease ceased to be ours, or when a checkpoint went ahead without

	wrote   chan struct{}
	quit    chan struct{}
	stopped chan struct{}
}

func newCheckpointer(w *writer, l *lease, leases bool, log *slog.Logger) *checkpointer {
	c := &checkpointer{
		writer: w, log: log, lease: l, leases: leases,
		given:   time.Now(),
		wrote:   make(chan struct{}, 1),
		quit:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	c.take() // the log may hold something from last time
	go c.run()
	return c
}

// beforeWrite is to be called before each transaction, and when others have
// written.
func (c *checkpointer) beforeWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.empty {
		c.empty = false
		c.mine, c.given = c.leases && c.lease.take(), time.Now()
	}
}

// afterWrite is to be called after each transaction, committed or not.
func (c *checkpointer) afterWrite() {
	select {
	case c.wrote <- struct{}{}:
	default:
	}
}

func (c *checkpointer) run() {
	defer close(c.stopped)
	look := time.NewTimer(0)
	var lastWrite time.Time
	for {
		select {
		case <-c.lease.wanted:
			c.yield()
			look.Reset(busyPoll)
		case <-c.wrote:
			if time.Since(lastWrite) > busyPoll {
				look.Reset(busyPoll)
			}
			lastWrite = time.Now()
		case <-look.C:
			again, err := c.tend(time.Since(lastWrite))
			if err != nil {
				c.log.Warn("a checkpoint failed; it will be tried again, and a copy of the file lacks the newest bookings until then", "error", unavailable(err))
				again = idlePoll
			}
			if again > 0 {
				look.Reset(again)
			}
		case <-c.quit:
			return
		}
	}
}

// take asks for the lease, if it is needed, and reports whether it is ours. It
// may be called at any time. When a file has just been closed, the kernel may
// need a moment before it grants it.
func (c *checkpointer) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for try := 0; c.leases && !c.mine && !c.empty && try < 20; try++ {
		if c.mine = c.lease.take(); !c.mine {
			time.Sleep(50 * time.Microsecond)
		}
	}
	return c.mine
}

// let gives the lease away, if it is ours; empty says why.
func (c *checkpointer) let(empty bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mine {
		c.lease.give()
	}
	c.mine, c.empty, c.given = false, empty, time.Now()
}

// standing says whether the file may be written: while the lease is ours, wanted
// or not, as nobody else has the file open; always where there are no leases. A
// lease that the kernel has taken from us, because we did not answer for long,
// is ours no more.
func (c *checkpointer) standing() leaseState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.leases {
		return leaseHeld
	}
	if !c.mine {
		return leaseLost
	}
	state := c.lease.state()
	if state == leaseLost {
		c.lease.give() // what is left of it
		c.mine, c.given = false, time.Now()
		c.log.Warn("the system did not wait for a checkpoint: a copy of the file that is being made may lack the newest bookings")
	}
	return state
}

// yield lets in who waits to open the file, which is complete by then.
func (c *checkpointer) yield() {
	for deadline := time.Now().Add(maxWait); ; time.Sleep(time.Millisecond) {
		if c.standing() != leaseWanted { // it is another file that is wanted, or too late
			return
		}
		done, err := c.moveAll()
		if done {
			return
		}
		if err == nil && time.Now().Before(deadline) {
			continue // readers of an older state hold it back, but not long
		}
		c.log.Warn("a program is opening the database file, and a copy it makes now may lack the newest bookings", "error", unavailable(err))
		c.let(false)
		return
	}
}

// moveAll moves all of the log into the file and gives the lease away, between
// two writes, and reports whether it could.
func (c *checkpointer) moveAll() (bool, error) {
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	length, moved, err := c.writer.checkpoint("PASSIVE")
	if err != nil || moved < length {
		return false, err
	}
	c.let(false)
	return true, nil
}

// tend checkpoints if it is time to, and returns when to look again, 0 for
// after the next write.
func (c *checkpointer) tend(sinceWrite time.Duration) (time.Duration, error) {
	c.take()
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	length, moved, err := c.writer.checkpoint("NOOP")
	if err != nil {
		return 0, err
	}
	if length == 0 {
		c.let(true)
		return 0, nil
	}
	pending := length - moved
	switch c.standing() {
	case leaseWanted: // yield is called for
		return busyPoll, nil
	case leaseHeld:
		switch {
		case sinceWrite >= quiet:
			_, _, err = c.writer.checkpoint("TRUNCATE")
		case pending >= longLog:
			_, _, err = c.writer.checkpoint("PASSIVE")
		}
		return busyPoll, err
	}
	if pending == 0 {
		return idlePoll, nil
	}
	c.mu.Lock()
	open := time.Since(c.given)
	c.mu.Unlock()
	if open >= patience || length >= hugeLog && open >= maxWait {
		c.log.Warn("another program has had the database file open for long; a copy it is still making may be unusable", "for", open.Round(time.Second))
		_, _, err = c.writer.checkpoint("PASSIVE")
		c.let(false)
	}
	return busyPoll, err
}

// errLogStays is returned when the log had to be left beside the file.
var errLogStays = errors.New("another program has the database file open and may be copying it: the newest data stays in the -wal file beside it until onenow runs again")

// stop ends the checkpointer, after the last write, and moves the log into the
// file. It reports whether SQLite may close the file, which would do the same:
// not while somebody copies it. stop waits for that, but not for ever.
//
// Of several processes that stop at once, one has the lock and waits until the
// others are gone; they leave the log to it, or to the one that serves.
func (c *checkpointer) stop(file *os.File) (mayClose bool, err error) {
	close(c.quit)
	<-c.stopped
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	c.beforeWrite() // others may have written since the log was empty
	for start := time.Now(); ; time.Sleep(busyPoll) {
		length, moved, err := c.writer.checkpoint("NOOP")
		if err != nil {
			return false, err
		}
		if length == moved {
			return true, nil // nothing is left to move
		}
		if c.take(); c.standing() != leaseLost { // who waits for it waits for us to end
			_, _, err := c.writer.checkpoint("TRUNCATE")
			return err == nil, unavailable(err)
		}
		switch waited := time.Since(start); {
		case lockFile(file) != nil:
			return false, nil
		case waited > peerWait && c.lease.peers(): // a sqlite3 shell, say, which does it when it ends
			return false, nil
		case waited > maxWait:
			return false, errLogStays
		}
	}
}
