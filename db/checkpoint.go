package db

import (
	"log/slog"
	"time"
)

// When the checkpointer works. Variables for the tests' sake.
var (
	// The log is moved into the file, and emptied, once nobody has written for
	// quiet: the file is complete then whatever happens to us, and what lies
	// beside it can do no harm to a copy that is put in its place.
	quiet = 100 * time.Millisecond

	// Or once it is this long, so that reading through it stays fast:
	// SQLite's own default.
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
)

// checkpointer moves what is written from the log into the file, at times when
// nobody is copying the file; see lease.
type checkpointer struct {
	writer *writer
	log    *slog.Logger
	lease  *lease
	leases bool // whether there are leases here; if not, any time is good

	mine  bool      // whether the lease is
	given time.Time // when it ceased to be, or when a checkpoint went ahead without

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
	c.take()
	go c.run()
	return c
}

// noteWrite is to be called after each commit.
func (c *checkpointer) noteWrite() {
	select {
	case c.wrote <- struct{}{}:
	default:
	}
}

func (c *checkpointer) run() {
	defer close(c.stopped)
	look := time.NewTimer(0) // the log may hold something from last time
	var lastWrite time.Time
	for {
		select {
		case <-c.lease.wanted:
			c.yield()
			look.Reset(busyPoll)
		case <-c.lease.closed:
			c.take()
		case <-c.wrote:
			if time.Since(lastWrite) > busyPoll {
				look.Reset(busyPoll)
			}
			lastWrite = time.Now()
		case <-look.C:
			if again := c.tend(time.Since(lastWrite)); again > 0 {
				look.Reset(again)
			}
		case <-c.quit:
			return
		}
	}
}

// take asks for the lease. When a file has just been closed, the kernel may
// need a moment before it grants it.
func (c *checkpointer) take() {
	for try := 0; c.leases && !c.mine && try < 20; try++ {
		if c.mine = c.lease.take(); !c.mine {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// yield lets in who waits to open the file, which is complete by then.
func (c *checkpointer) yield() {
	if !c.mine || c.lease.held() { // somebody wants another file
		return
	}
	if !c.complete() {
		c.log.Warn("a program is opening the database file while readers hold back the newest bookings: a copy it makes now may lack them")
	}
	c.lease.give()
	c.mine, c.given = false, time.Now()
}

// complete moves all that has been written by now into the file, and reports
// whether it could: readers of an older state may hold it back, but not long.
func (c *checkpointer) complete() bool {
	target, _, err := c.writer.checkpoint("PASSIVE")
	for deadline := time.Now().Add(maxWait); err == nil; {
		length, moved, e := c.writer.checkpoint("PASSIVE")
		if err = e; err != nil {
			break
		}
		if moved >= target || length < target { // a shorter log began anew: the old one was moved
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(time.Millisecond)
	}
	c.log.Warn("checkpoint failed; it will be tried again", "error", err)
	return false
}

// tend checkpoints if it is time to, and returns when to look again, 0 for
// after the next write.
func (c *checkpointer) tend(sinceWrite time.Duration) time.Duration {
	c.take()
	length, moved, err := c.writer.checkpoint("NOOP")
	if err != nil {
		c.log.Warn("checkpoint failed; it will be tried again", "error", err)
		return idlePoll
	}
	switch pending := length - moved; {
	case length == 0 && (c.mine || !c.leases):
		return 0
	case pending == 0 && !c.mine && c.leases:
		return idlePoll
	case c.mine || !c.leases:
		mode := "NOOP"
		if sinceWrite >= quiet {
			mode = "TRUNCATE"
		} else if pending >= longLog {
			mode = "PASSIVE"
		}
		if _, _, err := c.writer.checkpoint(mode); err != nil {
			c.log.Warn("checkpoint failed; it will be tried again", "error", err)
			return idlePoll
		}
	case time.Since(c.given) >= patience || length >= hugeLog && time.Since(c.given) >= maxWait:
		c.log.Warn("another program has had the database file open for long; a copy it is still making may be unusable",
			"for", time.Since(c.given).Round(time.Second))
		if _, _, err := c.writer.checkpoint("PASSIVE"); err != nil {
			c.log.Warn("checkpoint failed; it will be tried again", "error", err)
		}
		c.given = time.Now()
	}
	return busyPoll
}

// stop ends the checkpointer, and reports whether the file may be closed by
// SQLite, which moves the log into it then. It may not while somebody copies
// it; stop waits for that, but not for ever.
func (c *checkpointer) stop() bool {
	close(c.quit)
	<-c.stopped
	// With a peer, SQLite leaves the log to it.
	for deadline := time.Now().Add(maxWait); c.leases && !c.mine && !c.lease.peers(); c.take() {
		if time.Now().After(deadline) {
			c.log.Warn("another program has the database file open and may be copying it: the newest bookings stay in the -wal file beside it until onenow runs again")
			return false
		}
		time.Sleep(busyPoll)
	}
	return true
}
