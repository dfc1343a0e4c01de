package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// checkNames returns an error for a database file that other programs may open under
// another name than path. The name of the -wal file, which holds the newest commits,
// comes from the name under which SQLite opens the database. So with two names, there
// would be two -wal files with different commits.
func checkNames(f *os.File, path string) error {
	removeTempName(f, path)
	// While another onenow creates the file, it has a second name for a moment.
	for start := time.Now(); links(f) > 1; time.Sleep(busyPoll) {
		if time.Since(start) > peerWait {
			return fmt.Errorf("%s has %d names (hard links), and bookings written under one name would be lost under the others: "+
				"remove the other names, or, to share the file with a container, mount the folder that holds it", path, links(f))
		}
	}
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &st)
	if err == nil && st.Attributes_mask&st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return fmt.Errorf("%s is a mount point: SQLite's -wal file, which holds the newest bookings, would be next to it and outside the mount: "+
			"mount the folder that holds the database instead", path)
	}
	return nil
}

// removeTempName removes the temporary name of the file, which a crash may have left.
func removeTempName(f *os.File, path string) {
	if links(f) < 2 {
		return
	}
	real, err := RealPath(path)
	if err != nil {
		return
	}
	entries, _ := os.ReadDir(filepath.Dir(real))
	opened, err := f.Stat()
	for _, e := range entries {
		if err != nil || !strings.HasPrefix(e.Name(), filepath.Base(real)+tempInfix) {
			continue
		}
		if info, err := e.Info(); err == nil && os.SameFile(info, opened) {
			_ = os.Remove(filepath.Join(filepath.Dir(real), e.Name()))
		}
	}
}

// links returns how many names a file has.
func links(f *os.File) uint64 {
	info, err := f.Stat()
	if err != nil {
		return 1
	}
	return uint64(info.Sys().(*syscall.Stat_t).Nlink)
}
