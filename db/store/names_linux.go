package store

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// checkNames refuses a database file, opened by the name path, that other programs
// may know by another name: SQLite keeps the newest commits in a -wal file beside
// the name by which it opened the file, so each name would have commits of its own.
func checkNames(f *os.File, path string) error {
	// A file that is just being made has a second name for a moment.
	for start := time.Now(); links(f) > 1; time.Sleep(busyPoll) {
		if time.Since(start) > peerWait {
			return fmt.Errorf("%s has %d names (hard links), and what is written under one would be lost under the others: "+
				"remove the other names, or, to share the file with a container, mount the folder it is in", path, links(f))
		}
	}
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &st)
	if err == nil && st.Attributes_mask&st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return fmt.Errorf("%s is a mount point: SQLite's -wal file, which holds the newest bookings, would lie beside it and outside the mount: "+
			"mount the folder that the database is in instead", path)
	}
	return nil
}

// links returns how many names a file has.
func links(f *os.File) uint64 {
	info, err := f.Stat()
	if err != nil {
		return 1
	}
	return uint64(info.Sys().(*syscall.Stat_t).Nlink)
}
