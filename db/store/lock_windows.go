package store

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockedByte is far beyond any database and what SQLite locks.
var lockedByte = windows.Overlapped{OffsetHigh: 0x7fffffff}

// lockFile takes the lock that says that this process serves the file, until
// f is closed. It fails if another process has it.
func lockFile(f *os.File) error {
	at := lockedByte
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
}

// unlockFile gives the lock back.
func unlockFile(f *os.File) error {
	at := lockedByte
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &at)
}
