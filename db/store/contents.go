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

// contents tells whether the file still has the contents that SQLite gave it.
// A program that copies another file over it (cp backup.db onenow.db) leaves its
// name, and SQLite, which trusts its caches, would mix the two.
//
// In WAL mode the file changes only while a checkpoint moves pages into it, and a
// checkpoint, by whatever process, notes its progress in the log's index. So a file
// that has another size or modification time than after the last checkpoint, while
// the index tells of no newer one, was changed by something else.
type contents struct {
	sync.Mutex // held during our own checkpoints

	store *Store
	known atomic.Pointer[fileState] // nil while nobody watches
	lost  atomic.Pointer[Unavailable]
}

// fileState is what there is to see of the file and of the checkpoints.
type fileState struct {
	size     int64
	modified time.Time
	progress progress
	whole    bool  // whether the file has every page of the log
	lease    int64 // which lease was held, the first, the second and so on; 0 for none
}

// watch begins to look. The caller sees to it that no checkpoint of ours runs.
func (c *contents) watch(s *Store) {
	c.Lock()
	defer c.Unlock()
	c.store = s
	if now, err := c.look(); err == nil {
		c.known.Store(&now)
	}
}

// note keeps the state after a checkpoint of ours. The caller holds the lock.
func (c *contents) note() {
	if c.known.Load() == nil {
		return
	}
	if now, err := c.look(); err == nil {
		c.known.Store(&now)
	}
}

// look reads the state. The size and the time belong to the progress: a checkpoint
// that ends in between makes look read all of them again.
func (c *contents) look() (fileState, error) {
	for {
		lease := c.store.checkpointer.holding.Load()
		before, length := c.store.logIndex.progress()
		info, err := c.store.file.Stat()
		if err != nil {
			return fileState{}, err
		}
		if after, _ := c.store.logIndex.progress(); after == before {
			return fileState{info.Size(), info.ModTime(), before, before.moved == length, lease}, nil
		}
	}
}

// begunAnew reports whether, since the state s, a write has begun the log anew and no
// checkpoint has run: the file must be as it was. A write does so only when the file
// has every page of the log. It adds 1 to the log's number, and the new log has no
// page that has been moved.
func (s fileState) begunAnew(now progress) bool {
	return s.whole && s.progress.moved > 0 && now.number == s.progress.number+1 && now.moved == 0 && !now.running()
}

// check returns an *Unavailable if the contents have been replaced, from the first
// time that it is seen. It costs one system call as a rule.
func (c *contents) check() error {
	if lost := c.lost.Load(); lost != nil {
		return lost
	}
	known := c.known.Load()
	if known == nil {
		return nil
	}
	lease := c.store.checkpointer.holding.Load() // before the rest: it has to cover that
	before, length := c.store.logIndex.progress()
	info, err := c.store.file.Stat()
	if err != nil {
		return unavailable(err)
	}
	if info.Size() != known.size || !info.ModTime().Equal(known.modified) {
		return c.judge()
	}
	// A write after a whole checkpoint begins the log anew, which changes the
	// progress and not the file.
	if (before != known.progress || lease != known.lease) && !before.running() {
		c.known.CompareAndSwap(known, &fileState{known.size, known.modified, before, before.moved == length, lease})
	}
	return nil
}

// judge finds out whether a checkpoint has changed the file, or something else.
func (c *contents) judge() error {
	c.Lock() // after the checkpoint of ours that may be running
	defer c.Unlock()
	if lost := c.lost.Load(); lost != nil {
		return lost
	}
	now, err := c.look()
	if err != nil {
		return unavailable(err)
	}
	known := c.known.Load()
	switch {
	case now.size == known.size && now.modified.Equal(known.modified):
		return nil
	case now.size == known.size && known.lease != 0 && c.store.checkpointer.stillHolds(known.lease):
		c.known.Store(&now) // it has been touched: nobody else has had it open
		return nil
	case now.progress.running(): // another process's: its end is noted, too
		return nil
	case now.progress != known.progress && !known.begunAnew(now.progress):
		c.known.Store(&now)
		return nil
	}
	lost := &Unavailable{
		Code:    codeUnavailable,
		Message: "The database file has been overwritten: nothing was saved. Restart onenow to use what the file holds now.",
	}
	c.lost.Store(lost)
	if err := c.setLogAside(); err != nil {
		c.store.log.Error("the log of the overwritten database file could not be set aside: remove it before onenow runs again", "error", err)
	}
	c.store.log.Error("another program has overwritten the database file; onenow no longer reads or writes it: restart onenow to use what the file holds now", "file", c.store.path)
	return lost
}

// setLogAside renames the log of contents that have been replaced. SQLite would
// take its pages for newer pages of the new contents.
func (c *contents) setLogAside() error {
	log := c.store.real + "-wal"
	info, err := os.Stat(log)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	aside := fmt.Sprintf("%s.overwritten-%s", log, time.Now().UTC().Format(backupTime))
	if err := errors.Join(err, os.Rename(log, aside)); err != nil {
		return Cannot("rename", log, err)
	}
	c.store.log.Warn("the log of the overwritten database file has been set aside", "file", aside)
	return nil
}

// checkContents returns an *Unavailable if the file's contents have been replaced.
func (s *Store) checkContents() error { return s.contents.check() }

// companion is a file that SQLite keeps beside the database.
type companion struct {
	path     string
	identity os.FileInfo
}

// checkCompanions refuses a file that another process has open while the -wal or -shm
// file beside it has been removed: SQLite would make a new one, and what the two
// processes write would destroy each other.
func (s *Store) checkCompanions() error {
	for start := time.Now(); ; time.Sleep(busyPoll) { // a process that is just opening the file makes them at once
		missing := ""
		for _, ending := range []string{"-wal", "-shm"} {
			if _, err := os.Stat(s.real + ending); errors.Is(err, fs.ErrNotExist) {
				missing = s.path + ending
			}
		}
		if missing == "" || !s.lease.peers() || !keepsLog(s.file) {
			return nil
		}
		if time.Since(start) > peerWait {
			return fmt.Errorf("%s is in use by another program, and its companion %s has been removed: stop that program first", s.path, missing)
		}
	}
}

// keepsLog reports whether programs that use the SQLite file keep a log beside it
// (WAL mode; file format, section 1.3).
func keepsLog(f *os.File) bool {
	version := make([]byte, 1)
	_, err := f.ReadAt(version, 19)
	return err == nil && version[0] == 2
}

// checkPlace returns an *Unavailable if the file, its log or the log's index is no
// longer where it was, or the file has other contents: a write would be lost.
func (s *Store) checkPlace() error {
	if err := s.checkContents(); err != nil {
		return err
	}
	there, err := os.Stat(s.real)
	if err == nil && !os.SameFile(there, s.identity) {
		err = errors.New("another file has its name")
	}
	for _, c := range s.companions {
		if err == nil {
			there, err = os.Stat(c.path)
		}
		if err == nil && !os.SameFile(there, c.identity) {
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
