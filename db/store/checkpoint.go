package store

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
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

	// While another program has the file open, the log stays where it is until the
	// file has been open for patience, or the log is this long.
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

// checkpointer moves commits from the log into the file, at times when nobody is
// copying the file; see lease. It holds the lease from the first write until the
// log is empty again. From then on the file is complete, and a program that opens
// it need not wait.
type checkpointer struct {
	writer *writer
	log    *slog.Logger
	lease  *lease
	leases bool // whether there are leases here; if not, any time is good

	mu       sync.Mutex // never held while waiting for the writer
	held     bool       // whether this process holds the lease
	empty    bool       // whether the log is empty, so that the lease is not needed
	released time.Time  // when the lease was given back or lost, or a checkpoint went ahead without it
	taken    int64      // how many times the lease has been taken

	holding atomic.Int64 // taken, while the lease is held; otherwise 0

	wrote   chan struct{}
	quit    chan struct{}
	stopped chan struct{}
}

func newCheckpointer(w *writer, l *lease, leases bool, log *slog.Logger) *checkpointer {
	c := &checkpointer{
		writer: w, log: log, lease: l, leases: leases,
		released: time.Now(),
		wrote:    make(chan struct{}, 1),
		quit:     make(chan struct{}),
		stopped:  make(chan struct{}),
	}
	c.take() // the log may hold something from last time
	go c.run()
	return c
}

// beforeWrite must be called before each transaction, and after other processes'
// writes.
func (c *checkpointer) beforeWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.empty {
		c.empty = false
		c.hold(c.leases && c.lease.take())
		c.released = time.Now()
	}
}

// hold notes whether the lease is held. The caller holds c.mu.
func (c *checkpointer) hold(held bool) {
	if held && !c.held {
		c.taken++
	}
	c.held = held
	if held {
		c.holding.Store(c.taken)
	} else {
		c.holding.Store(0)
	}
}

// afterWrite must be called after each transaction, committed or not.
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

// stillHolds reports whether the lease that was taken as the nth is still held.
func (c *checkpointer) stillHolds(n int64) bool {
	return c.state() != leaseLost && c.holding.Load() == n
}

// take asks for the lease, if it is needed, and reports whether this process holds
// it. It may be called at any time. Just after another program has closed the file,
// the kernel may need a moment before it grants the lease.
func (c *checkpointer) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for try := 0; c.leases && !c.held && !c.empty && try < 20; try++ {
		if c.hold(c.lease.take()); !c.held {
			time.Sleep(50 * time.Microsecond)
		}
	}
	return c.held
}

// release gives the lease back, if it is held; empty says whether the log is.
func (c *checkpointer) release(empty bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held {
		c.lease.give()
	}
	c.hold(false)
	c.empty, c.released = empty, time.Now()
}

// state says whether the file may be written. It may while the lease is held,
// wanted or not, because then nobody else has the file open; and always on systems
// without leases. The kernel takes a lease away from a process that does not answer
// for long.
func (c *checkpointer) state() leaseState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.leases {
		return leaseHeld
	}
	if !c.held {
		return leaseLost
	}
	state := c.lease.state()
	if state == leaseLost {
		c.lease.give() // what is left of it
		c.hold(false)
		c.released = time.Now()
		c.log.Warn("the system did not wait for a checkpoint: a copy of the file that is being made may lack the newest bookings")
	}
	return state
}

// yield completes the file, then lets in the program that waits to open it.
func (c *checkpointer) yield() {
	for deadline := time.Now().Add(maxWait); ; time.Sleep(time.Millisecond) {
		if c.writer.store.checkContents() != nil {
			c.release(true) // the log is not of this file
			return
		}
		if c.state() != leaseWanted { // the signal was about another file, or came too late
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
		c.release(false)
		return
	}
}

// moveAll moves all of the log into the file and gives the lease back, between
// two writes. It reports whether it could.
func (c *checkpointer) moveAll() (bool, error) {
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	length, moved, err := c.writer.checkpoint("PASSIVE")
	if err != nil || moved < length {
		return false, err
	}
	c.lease.waitForTick() // or what that program writes may not show
	c.release(false)
	return true, nil
}

// tend checkpoints if it is time to, and returns when to look again: 0 is after
// the next write.
func (c *checkpointer) tend(sinceWrite time.Duration) (time.Duration, error) {
	c.take()
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	if c.writer.store.checkContents() != nil {
		c.release(true) // for good: the log is not of this file
		return 0, nil
	}
	length, moved, err := c.writer.checkpoint("NOOP")
	if err != nil {
		return 0, err
	}
	if length == 0 {
		c.release(true)
		return 0, nil
	}
	pending := length - moved
	switch c.state() {
	case leaseWanted: // the signal will call yield
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
	open := time.Since(c.released)
	c.mu.Unlock()
	if open >= patience || length >= hugeLog && open >= maxWait {
		c.log.Warn("another program has had the database file open for long; a copy it is still making may be unusable", "for", open.Round(time.Second))
		_, _, err = c.writer.checkpoint("PASSIVE")
		c.release(false)
	}
	return busyPoll, err
}

// errLogStays is returned when the log had to be left beside the file.
var errLogStays = errors.New("another program has the database file open and may be copying it: the newest data stays in the -wal file beside it until onenow runs again")

// stop ends the checkpointer, after the last write, and moves the log into the
// file. It reports whether SQLite may close the file, which would move the log as
// well: not while another program copies the file. stop waits for the copy, for
// some seconds.
//
// Of several processes that stop at once, one holds the lock and waits until the
// others are gone. The others leave the log to it, or to the process that serves.
func (c *checkpointer) stop(file *os.File) (mayClose bool, err error) {
	close(c.quit)
	<-c.stopped
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	if c.writer.store.checkContents() != nil {
		return false, nil
	}
	c.beforeWrite() // others may have written since the log was empty
	for start := time.Now(); ; time.Sleep(busyPoll) {
		length, moved, err := c.writer.checkpoint("NOOP")
		if err != nil {
			return false, err
		}
		if length == moved {
			return true, nil // nothing is left to move
		}
		if c.take(); c.state() != leaseLost { // a program that waits for it waits for this process to end
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
