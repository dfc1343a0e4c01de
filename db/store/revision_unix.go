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

// walIndex is a read-only view of the WAL index, which SQLite keeps in the -shm file.
type walIndex struct {
	file *os.File // stays open: closing it would release SQLite's locks on the -shm file
	head []byte   // stays mapped: a caller may ask for a revision after Close
}

// openWALIndex opens the WAL index of the database at path, which SQLite must have
// open. It returns nil if there is no -shm file. After an error, the caller must close
// the database.
func openWALIndex(path string) (*walIndex, error) {
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
	return &walIndex{file, head}, nil
}

// revision returns the header. If SQLite is just writing the header, the revision
// equals no other.
func (x *walIndex) revision() (v Revision) {
	words := (*Revision)(unsafe.Pointer(unsafe.SliceData(x.head)))
	for i := range v {
		v[i] = atomic.LoadUint64(&words[i])
	}
	return v
}

// progress returns the progress of the checkpoints and the length of the WAL in pages:
// mxFrame and the salts in the header, and nBackfill and nBackfillAttempted after its two
// copies (wal.c, WalIndexHdr and WalCkptInfo).
func (x *walIndex) progress() (p checkpointProgress, length uint32) {
	at := func(offset uintptr) *uint32 { return (*uint32)(unsafe.Pointer(&x.head[offset])) }
	var number [4]byte // big-endian on every machine, unlike the other fields
	binary.NativeEndian.PutUint32(number[:], atomic.LoadUint32(at(32)))
	return checkpointProgress{
		number:    binary.BigEndian.Uint32(number[:]),
		random:    atomic.LoadUint32(at(36)),
		moved:     atomic.LoadUint32(at(96)),
		attempted: atomic.LoadUint32(at(128)),
	}, atomic.LoadUint32(at(16))
}

// close must be called after SQLite has closed the database.
func (x *walIndex) close() error { return x.file.Close() }
