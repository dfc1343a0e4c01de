//go:build unix

package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile locks f for this process until f is closed. It does not wait: it returns an
// error if another process holds the lock. The lock is a flock(2), which does not
// conflict with SQLite's locks.
func lockFile(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// unlockFile releases the lock.
func unlockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }
