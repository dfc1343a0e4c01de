package store

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// The times and WAL sizes at which the checkpointer runs.
var (
	// After truncateAfter without a write, the WAL is copied into the file and
	// emptied. Then the file is complete even if this process is killed, and no
	// WAL is left that SQLite could apply to a backup restored in its place.
	truncateAfter = 100 * time.Millisecond

	// During continuous writing, the WAL is copied into the file whenever it has
	// this many pages, so that reads stay fast. 1000 is SQLite's default.
	passivePages = 1000 // pages

	// While another program has the file open, there is no checkpoint until the
	// file has been open for forceAfter, or the WAL has forcePages pages.
	forceAfter = 10 * time.Minute
	forcePages = (256 << 20) / pageSize // pages
)

const (
	pageSize = 4096

	busyPoll = 20 * time.Millisecond // the interval between checks during writes
	idlePoll = time.Second           // the interval between attempts to get the lease without writes

	// How long to wait for readers and copies that block a checkpoint. It is less
	// than the 45 seconds after which the kernel breaks the lease.
	maxWait = 10 * time.Second

	peerWait = time.Second // how long to wait for other programs that have the database open
)

// checkpointer runs the checkpoints: it copies commits from the WAL (the -wal file)
// into the database file while no other program has that file open; see lease. It
// holds the lease from the first write until the WAL is empty again. While the WAL
// is empty, the file is complete, and a program can open it without waiting.
type checkpointer struct {
	writer     *writer
	log        *slog.Logger
	lease      *lease
	leasesWork bool // whether leases work here; if not, a checkpoint may run at any time

	mu       sync.Mutex // never held while waiting for the writer
	held     bool       // whether this process holds the lease
	walEmpty bool       // whether the WAL is empty, so that the lease is not needed
	released time.Time  // when the lease was last released or lost, or a checkpoint ran without it
	acquired int64      // how many times the lease has been acquired

	holding atomic.Int64 // acquired, while the lease is held; otherwise 0

	wrote   chan struct{}
	quit    chan struct{}
	stopped chan struct{}
}

func newCheckpointer(w *writer, l *lease, leasesWork bool, log *slog.Logger) *checkpointer {
	c := &checkpointer{
		writer: w, log: log, lease: l, leasesWork: leasesWork,
		released: time.Now(),
		wrote:    make(chan struct{}, 1),
		quit:     make(chan struct{}),
		stopped:  make(chan struct{}),
	}
	c.acquireLease() // the WAL may hold commits of an earlier process
	go c.run()
	return c
}

// beforeWrite must be called before each transaction, and after a write of another
// process.
func (c *checkpointer) beforeWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.walEmpty {
		c.walEmpty = false
		c.hold(c.leasesWork && c.lease.acquire())
		c.released = time.Now()
	}
}

// hold sets whether the lease is held. The caller holds c.mu.
func (c *checkpointer) hold(held bool) {
	if held && !c.held {
		c.acquired++
	}
	c.held = held
	if held {
		c.holding.Store(c.acquired)
	} else {
		c.holding.Store(0)
	}
}

// afterWrite must be called after each transaction, committed or rolled back.
func (c *checkpointer) afterWrite() {
	select {
	case c.wrote <- struct{}{}:
	default:
	}
}

func (c *checkpointer) run() {
	defer close(c.stopped)
	check := time.NewTimer(0)
	var lastWrite time.Time
	for {
		select {
		case <-c.lease.wanted:
			c.yieldLease()
			check.Reset(busyPoll)
		case <-c.wrote:
			if time.Since(lastWrite) > busyPoll {
				check.Reset(busyPoll)
			}
			lastWrite = time.Now()
		case <-check.C:
			next, err := c.checkpointIfDue(time.Since(lastWrite))
			if err != nil {
				c.log.Warn("a checkpoint failed; it will be tried again, and a copy of the file lacks the newest bookings until then", "error", unavailable(err))
				next = idlePoll
			}
			if next > 0 {
				check.Reset(next)
			}
		case <-c.quit:
			return
		}
	}
}

// stillHolds reports whether the nth acquired lease is still held.
func (c *checkpointer) stillHolds(n int64) bool {
	return c.state() != leaseLost && c.holding.Load() == n
}

// acquireLease asks for the lease, if it is needed, and reports whether this process
// holds it. It may be called at any time. It tries for about a millisecond, because
// the kernel may grant the lease only a moment after another program has closed the
// file.
func (c *checkpointer) acquireLease() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for try := 0; c.leasesWork && !c.held && !c.walEmpty && try < 20; try++ {
		if c.hold(c.lease.acquire()); !c.held {
			time.Sleep(50 * time.Microsecond)
		}
	}
	return c.held
}

// releaseLease releases the lease, if it is held. walEmpty says whether the WAL is
// empty.
func (c *checkpointer) releaseLease(walEmpty bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held {
		c.lease.release()
	}
	c.hold(false)
	c.walEmpty, c.released = walEmpty, time.Now()
}

// state tells whether a checkpoint may write to the file. It may in the states
// leaseHeld and leaseWanted, because then no other program has the file open. Where
// leases do not work, the state is always leaseHeld. The kernel breaks the lease of
// a process that does not release it in time.
func (c *checkpointer) state() leaseState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.leasesWork {
		return leaseHeld
	}
	if !c.held {
		return leaseLost
	}
	state := c.lease.state()
	if state == leaseLost {
		c.lease.release() // the kernel may have kept a read lease
		c.hold(false)
		c.released = time.Now()
		c.log.Warn("the kernel did not wait for a checkpoint before another program opened the database file; a copy that this program makes now may lack the newest bookings: make another copy")
	}
	return state
}

// yieldLease checkpoints the whole WAL, then releases the lease, so that the program
// that waits to open the file can open it.
func (c *checkpointer) yieldLease() {
	for deadline := time.Now().Add(maxWait); ; time.Sleep(time.Millisecond) {
		if c.writer.store.checkContents() != nil {
			c.releaseLease(true) // the WAL does not belong to this file
			return
		}
		if c.state() != leaseWanted { // the signal was for another file, or was late
			return
		}
		done, err := c.checkpointAll()
		if done {
			return
		}
		if err == nil && time.Now().Before(deadline) {
			continue // reads of an older snapshot block the checkpoint for a moment
		}
		c.log.Warn("a program opened the database file before a checkpoint was done; a copy that it makes now may lack the newest bookings: make another copy", "error", unavailable(err))
		c.releaseLease(false)
		return
	}
}

// checkpointAll copies the whole WAL into the file and releases the lease, with no
// write in between. It reports whether it has done so; if not, it still holds the
// lease.
func (c *checkpointer) checkpointAll() (bool, error) {
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	length, moved, err := c.writer.checkpoint("PASSIVE")
	if err != nil || moved < length {
		return false, err
	}
	c.lease.waitForTick() // so that a write of the other program shows
	c.releaseLease(false)
	return true, nil
}

// checkpointIfDue runs a checkpoint if one is due. It returns the time until the
// next check; 0 means that no check is needed before the next write.
func (c *checkpointer) checkpointIfDue(sinceWrite time.Duration) (time.Duration, error) {
	c.acquireLease()
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	if c.writer.store.checkContents() != nil {
		c.releaseLease(true) // forever: the WAL does not belong to this file
		return 0, nil
	}
	length, moved, err := c.writer.checkpoint("NOOP")
	if err != nil {
		return 0, err
	}
	if length == 0 {
		c.releaseLease(true)
		return 0, nil
	}
	pending := length - moved
	switch c.state() {
	case leaseWanted: // run will call yieldLease for the signal
		return busyPoll, nil
	case leaseHeld:
		switch {
		case sinceWrite >= truncateAfter:
			_, _, err = c.writer.checkpoint("TRUNCATE")
		case pending >= passivePages:
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
	if open >= forceAfter || length >= forcePages && open >= maxWait {
		c.log.Warn("another program has had the database file open for long, and a checkpoint can no longer wait; a copy that this program is still making may be damaged: check the copy with onenow check", "for", open.Round(time.Second))
		_, _, err = c.writer.checkpoint("PASSIVE")
		c.releaseLease(false)
	}
	return busyPoll, err
}

// errWALStays is returned when a process ends without the last checkpoint.
var errWALStays = errors.New("another program has the database file open and may be copying it: the newest data stays in the -wal file next to it until onenow runs again; do not remove that file")

// stop stops the checkpointer and runs the last checkpoint. It must be called after
// the last write. It reports whether the caller may close SQLite's connections: a
// close runs a checkpoint, which must not happen while another program copies the
// file. stop waits up to maxWait for a copy to end.
//
// If several processes stop at the same time, one of them holds the lock and waits
// for the others. The others leave the checkpoint to that process, or to the process
// that serves the file.
func (c *checkpointer) stop(file *os.File) (mayClose bool, err error) {
	close(c.quit)
	<-c.stopped
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	if c.writer.store.checkContents() != nil {
		return false, nil
	}
	c.beforeWrite() // another process may have written since the WAL was empty
	for start := time.Now(); ; time.Sleep(busyPoll) {
		length, moved, err := c.writer.checkpoint("NOOP")
		if err != nil {
			return false, err
		}
		if length == moved {
			return true, nil // the file has every commit
		}
		if c.acquireLease(); c.state() != leaseLost { // with leaseWanted, the other program can wait until this process ends
			_, _, err := c.writer.checkpoint("TRUNCATE")
			return err == nil, unavailable(err)
		}
		switch waited := time.Since(start); {
		case lockFile(file) != nil:
			return false, nil
		case waited > peerWait && c.lease.otherConnections(): // such as a sqlite3 shell, which runs a checkpoint when it ends
			return false, nil
		case waited > maxWait:
			return false, errWALStays
		}
	}
}
