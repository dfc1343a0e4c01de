package store

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockedByte is the offset of the locked byte, far after the end of any database and
// the bytes that SQLite locks.
var lockedByte = windows.Overlapped{OffsetHigh: 0x7fffffff}

// lockFile locks f for this process until f is closed. It does not wait: it returns an
// error if another process holds the lock.
func lockFile(f *os.File) error {
	at := lockedByte
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
}

// unlockFile releases the lock.
func unlockFile(f *os.File) error {
	at := lockedByte
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &at)
}
