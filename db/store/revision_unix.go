//go:build unix

package store

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
	head []byte   // kept mapped: a caller may still ask after the database has been closed
}

// openLogIndex opens the view of the index of the database at path, which SQLite
// has open. It returns nil if SQLite keeps no log here. After an error the
// database must be closed.
func openLogIndex(path string) (*logIndex, error) {
	file, err := os.Open(path + "-shm")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	head, err := unix.Mmap(int(file.Fd()), 0, progressEnd, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &logIndex{file, head}, nil
}

// revision reads the head. A head that is just being written gives a revision
// that equals no other.
func (x *logIndex) revision() (v Revision) {
	words := (*Revision)(unsafe.Pointer(unsafe.SliceData(x.head)))
	for i := range v {
		v[i] = atomic.LoadUint64(&words[i])
	}
	return v
}

// progress reads how far checkpoints have come: the salts in the head, nBackfill
// and nBackfillAttempted behind its two copies (wal.c, WalCkptInfo).
func (x *logIndex) progress() progress {
	at := func(offset uintptr) *uint32 { return (*uint32)(unsafe.Pointer(&x.head[offset])) }
	salts := uint64(atomic.LoadUint32(at(32)))<<32 | uint64(atomic.LoadUint32(at(36)))
	return progress{salts, atomic.LoadUint32(at(96)), atomic.LoadUint32(at(128))}
}

// close is to be called once SQLite has closed the database.
func (x *logIndex) close() error { return x.file.Close() }
