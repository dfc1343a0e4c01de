package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// contents detects that another program has overwritten the file in place, as
// cp backup.db onenow.db does. SQLite does not detect it: it would mix its cached
// pages with the new contents.
//
// In WAL mode, only a checkpoint changes the file, and every checkpoint, of any
// process, records its progress in the WAL index. If the file's size or modification
// time has changed since the last checkpoint, and the WAL index shows no newer
// checkpoint, then another program has changed the file.
type contents struct {
	sync.Mutex // held during this process's checkpoints

	store    *Store
	expected atomic.Pointer[fileState]   // the file after the last checkpoint; nil before watch
	replaced atomic.Pointer[Unavailable] // not nil once the contents have been replaced
}

// fileState is the state of the file and of its checkpoints at one moment.
type fileState struct {
	size     int64
	modified time.Time
	progress checkpointProgress
	complete bool  // whether the file has every page of the WAL
	lease    int64 // which of this process's leases was held, counted from 1; 0 for none
}

// watch starts the detection. The caller makes sure that this process runs no
// checkpoint during the call.
func (c *contents) watch(s *Store) {
	c.Lock()
	defer c.Unlock()
	c.store = s
	if now, err := c.readState(); err == nil {
		c.expected.Store(&now)
	}
}

// recordState stores the state after a checkpoint of this process. The caller holds
// the lock.
func (c *contents) recordState() {
	if c.expected.Load() == nil {
		return
	}
	if now, err := c.readState(); err == nil {
		c.expected.Store(&now)
	}
}

// readState reads the state. The size and the time belong to the progress: if a
// checkpoint ends in between, readState reads all of them again.
func (c *contents) readState() (fileState, error) {
	for {
		lease := c.store.checkpointer.holding.Load()
		before, length := c.store.walIndex.progress()
		info, err := c.store.file.Stat()
		if err != nil {
			return fileState{}, err
		}
		if after, _ := c.store.walIndex.progress(); after == before {
			return fileState{info.Size(), info.ModTime(), before, before.moved == length, lease}, nil
		}
	}
}

// restarted reports whether a write has restarted the WAL after the state s, and no
// checkpoint has run since: the file must be unchanged. A write restarts the WAL only
// when the file has every page of it. The restart increases the WAL's number by 1, and
// no page of the new WAL has been moved.
func (s fileState) restarted(now checkpointProgress) bool {
	return s.complete && s.progress.moved > 0 && now.number == s.progress.number+1 && now.moved == 0 && !now.running()
}

// check returns an *Unavailable if the contents have been replaced. Once it has
// returned one, it always does. It usually costs one system call.
func (c *contents) check() error {
	if replaced := c.replaced.Load(); replaced != nil {
		return replaced
	}
	expected := c.expected.Load()
	if expected == nil {
		return nil
	}
	lease := c.store.checkpointer.holding.Load() // first: it must have been held during the rest
	before, length := c.store.walIndex.progress()
	info, err := c.store.file.Stat()
	if err != nil {
		return unavailable(err)
	}
	if info.Size() != expected.size || !info.ModTime().Equal(expected.modified) {
		return c.findCause()
	}
	// After a complete checkpoint, a write restarts the WAL. That changes the
	// progress, but not the file.
	if (before != expected.progress || lease != expected.lease) && !before.running() {
		c.expected.CompareAndSwap(expected, &fileState{expected.size, expected.modified, before, before.moved == length, lease})
	}
	return nil
}

// findCause finds out whether a checkpoint or another program has changed the file.
func (c *contents) findCause() error {
	c.Lock() // waits for a running checkpoint of this process
	defer c.Unlock()
	if replaced := c.replaced.Load(); replaced != nil {
		return replaced
	}
	now, err := c.readState()
	if err != nil {
		return unavailable(err)
	}
	expected := c.expected.Load()
	switch {
	case now.size == expected.size && now.modified.Equal(expected.modified):
		return nil
	case now.size == expected.size && expected.lease != 0 && c.store.checkpointer.stillHolds(expected.lease):
		c.expected.Store(&now) // touch changed the time: no other program has had the file open
		return nil
	case now.progress.running(): // in another process; the next check sees its end
		return nil
	case now.progress != expected.progress && !expected.restarted(now.progress):
		c.expected.Store(&now)
		return nil
	}
	replaced := &Unavailable{
		Code:    codeUnavailable,
		Message: "The database file has been overwritten: nothing was saved. Restart onenow to use what the file holds now.",
	}
	c.replaced.Store(replaced)
	if err := c.setWALAside(); err != nil {
		c.store.log.Error("the -wal file of the overwritten database file could not be renamed: remove it before onenow runs again", "error", err)
	}
	c.store.log.Error("another program has overwritten the database file; onenow no longer reads or writes it: restart onenow to use what the file holds now", "file", c.store.path)
	return replaced
}

// setWALAside renames the WAL of the replaced contents. Otherwise SQLite would apply
// its pages to the new contents.
func (c *contents) setWALAside() error {
	wal := c.store.real + "-wal"
	info, err := os.Stat(wal)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	aside := fmt.Sprintf("%s.overwritten-%s", wal, time.Now().UTC().Format(backupTimeFormat))
	if err := errors.Join(err, os.Rename(wal, aside)); err != nil {
		return Cannot("rename", wal, err)
	}
	c.store.log.Warn("the -wal file of the overwritten database file has been renamed", "file", aside)
	return nil
}

// checkContents returns an *Unavailable if the file's contents have been replaced.
func (s *Store) checkContents() error { return s.contents.check() }

// companion is a file that SQLite keeps next to the database.
type companion struct {
	path     string
	identity os.FileInfo
}

// checkCompanions refuses a file that another process has open if its -wal or -shm file
// has been removed. SQLite would create a new one, and the two processes would destroy
// each other's writes.
func (s *Store) checkCompanions() error {
	for start := time.Now(); ; time.Sleep(busyPoll) { // a process that is opening the file creates them at once
		missing := ""
		for _, ending := range []string{"-wal", "-shm"} {
			if _, err := os.Stat(s.real + ending); errors.Is(err, fs.ErrNotExist) {
				missing = s.path + ending
			}
		}
		if missing == "" || !s.lease.otherConnections() || !inWALMode(s.file) {
			return nil
		}
		if time.Since(start) > peerWait {
			return fmt.Errorf("%s is in use by another program, and its companion %s has been removed: stop that program first", s.path, missing)
		}
	}
}

// inWALMode reports whether the SQLite file is in WAL mode (file format, section 1.3).
func inWALMode(f *os.File) bool {
	version := make([]byte, 1)
	_, err := f.ReadAt(version, 19)
	return err == nil && version[0] == 2
}

// checkPlace returns an *Unavailable if the file, its WAL or its WAL index has been
// moved, removed or replaced, or if the file's contents have been replaced. A write
// would then be lost.
func (s *Store) checkPlace() error {
	if err := s.checkContents(); err != nil {
		return err
	}
	current, err := os.Stat(s.real)
	if err == nil && !os.SameFile(current, s.identity) {
		err = errors.New("another file has its name")
	}
	for _, c := range s.companions {
		if err == nil {
			current, err = os.Stat(c.path)
		}
		if err == nil && !os.SameFile(current, c.identity) {
			err = fmt.Errorf("another file has the name %s", c.path)
		}
	}
	if err == nil {
		return nil
	}
	return &Unavailable{
		Code:    codeUnavailable,
		Message: "The database file has been moved or replaced: nothing was saved. Put it back, or restart onenow.",
		Cause:   err,
	}
}
