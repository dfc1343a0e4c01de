//go:build unix

package store

import (
	"encoding/binary"
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

// progress reads how far checkpoints have come, and the length of the log in pages:
// mxFrame and the salts in the head, nBackfill and nBackfillAttempted behind its two
// copies (wal.c, WalIndexHdr and WalCkptInfo).
func (x *logIndex) progress() (p progress, length uint32) {
	at := func(offset uintptr) *uint32 { return (*uint32)(unsafe.Pointer(&x.head[offset])) }
	var number [4]byte // big-endian on every machine, unlike the rest
	binary.NativeEndian.PutUint32(number[:], atomic.LoadUint32(at(32)))
	return progress{
		number: binary.BigEndian.Uint32(number[:]),
		random: atomic.LoadUint32(at(36)),
		moved:  atomic.LoadUint32(at(96)),
		trying: atomic.LoadUint32(at(128)),
	}, atomic.LoadUint32(at(16))
}

// close is to be called once SQLite has closed the database.
func (x *logIndex) close() error { return x.file.Close() }
