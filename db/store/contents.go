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

func (c *contents) readState() (fileState, error) {
	info, err := c.store.file.Stat()
	if err != nil {
		return fileState{}, err
	}
	return fileState{info.Size(), info.ModTime(), c.store.walIndex.progress()}, nil
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
	before := c.store.walIndex.progress()
	info, err := c.store.file.Stat()
	if err != nil {
		return unavailable(err)
	}
	if info.Size() != expected.size || !info.ModTime().Equal(expected.modified) {
		return c.findCause()
	}
	// After a complete checkpoint, a write restarts the WAL. That changes the
	// progress, but not the file.
	if before != expected.progress && !before.running() {
		c.expected.CompareAndSwap(expected, &fileState{expected.size, expected.modified, before})
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
	case now.progress.running(): // in another process; the next check sees its end
		return nil
	case now.progress != expected.progress:
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

// checkPlace returns an *Unavailable if the file or its WAL has been moved, removed
// or replaced, or if the file's contents have been replaced. A write would then be
// lost.
func (s *Store) checkPlace() error {
	if err := s.checkContents(); err != nil {
		return err
	}
	current, err := os.Stat(s.real)
	if err == nil && !os.SameFile(current, s.identity) {
		err = errors.New("another file has its name")
	}
	if err == nil && s.walIdentity != nil {
		current, err = os.Stat(s.real + "-wal")
		if err == nil && !os.SameFile(current, s.walIdentity) {
			err = errors.New("another file has the name of its -wal file")
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
