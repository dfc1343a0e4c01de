//go:build unix

package db

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// logIndex is a view of the log's index, which SQLite keeps in the file's -shm
// companion.
type logIndex struct {
	file *os.File // kept open: closing it gives up the locks that SQLite has on it in this process
	head []byte   // kept, too: somebody may still ask when the database has been closed
}

// openLogIndex opens the view, of the database at path that SQLite has open. It is
// nil if SQLite keeps no log here. After an error the database has to be closed.
func openLogIndex(path string) (*logIndex, error) {
	file, err := os.Open(path + "-shm")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	head, err := unix.Mmap(int(file.Fd()), 0, revisionSize, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &logIndex{file, head}, nil
}

// revision reads the head. One that is being written meanwhile gives a revision
// that never was, and equals none.
func (x *logIndex) revision() (v Revision) {
	words := (*Revision)(unsafe.Pointer(unsafe.SliceData(x.head)))
	for i := range v {
		v[i] = atomic.LoadUint64(&words[i])
	}
	return v
}

// close is to be called once SQLite has closed the database.
func (x *logIndex) close() error { return x.file.Close() }
