//go:build unix

package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes the lock that says that this process serves the file, until
// f is closed. It fails if another process has it. SQLite's own locks are of
// another kind and not in its way.
func lockFile(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// unlockFile gives the lock back.
func unlockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }
