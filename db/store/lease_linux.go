package store

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A lease is a Linux file lease on the database file. It makes a plain copy of the
// file sound.
//
// In WAL mode, the file changes only while a checkpoint copies commits from the WAL
// into it. So a copy is sound if no checkpoint runs during the copy, and complete if
// a checkpoint ran just before it. A write lease (fcntl(2), F_SETLEASE) makes this
// possible: while a process holds the lease, no other program has the file open. If
// another program opens the file, the kernel sends SIGIO to the holder, and the program
// waits in open(2) until the holder releases the lease. This process runs a checkpoint
// before it releases the lease, and no other checkpoint until it holds the lease again.
// The kernel grants the lease when all other programs have closed the file.
//
// The kernel grants a lease only if there is one open file description of the file,
// but each of SQLite's connections opens the file. So this package replaces SQLite's
// open for the database's path: it returns a dup of the Store's descriptor, and all
// share one open file description. SQLite reads and writes at explicit offsets, and its
// locks belong to the process, so sharing is safe.
//
// The checkpointer decides when to acquire and to release the lease.
type lease struct {
	file    *os.File
	path    string
	unshare func()

	wanted chan os.Signal // gets SIGIO: another program may be waiting to open the file; see state
	watch  *os.File       // an inotify(7) descriptor that reports when a program closes the file
}

// newLease prepares a lease on the open file f. path is the file's name without links.
// From now on, all connections to path share f's descriptor. newLease returns an error
// where leases do not work, and shares the descriptor even then.
func newLease(f *os.File, path string) (*lease, error) {
	l := &lease{file: f, path: path, unshare: share(path, int(f.Fd())), wanted: make(chan os.Signal, 1)}
	if _, err := l.set(unix.F_WRLCK); err != nil && !errors.Is(err, unix.EAGAIN) {
		return l, fmt.Errorf("the file system grants no lease: %w", err)
	}
	l.release() // nothing receives the signal yet
	signal.Notify(l.wanted, unix.SIGIO)
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return l, fmt.Errorf("watch the file: %w", err)
	}
	l.watch = os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_CLOSE); err != nil {
		return l, fmt.Errorf("watch the file: %w", err)
	}
	return l, nil
}

// checkShared returns an error if no connection shares the descriptor, because SQLite
// opens the file under another name.
func (l *lease) checkShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.opens[l.path] == 0 {
		return errors.New("SQLite does not share the file's descriptor")
	}
	return nil
}

// watchClosed calls closed whenever a program closes the file. It returns when l is
// closed.
func (l *lease) watchClosed(closed func()) {
	events := make([]byte, 4096)
	for {
		if _, err := l.watch.Read(events); err != nil {
			return
		}
		closed()
	}
}

func (l *lease) set(kind int) (int, error) {
	return unix.FcntlInt(l.file.Fd(), unix.F_SETLEASE, kind)
}

// acquire asks for the lease and reports whether the kernel grants it. The kernel does
// not grant it while another program has the file open.
func (l *lease) acquire() bool {
	_, err := l.set(unix.F_WRLCK)
	return err == nil
}

// release releases the lease. A program that waits to open the file then opens it.
func (l *lease) release() { _, _ = l.set(unix.F_UNLCK) }

// leaseState is the state of a lease that this process has acquired and not released.
type leaseState int

const (
	leaseHeld   leaseState = iota // no program waits to open the file
	leaseWanted                   // a program waits to open the file
	leaseLost                     // the kernel has broken the lease after 45 seconds
)

func (l *lease) state() leaseState {
	kind, err := unix.FcntlInt(l.file.Fd(), unix.F_GETLEASE, 0)
	if err == nil && kind == unix.F_WRLCK {
		return leaseHeld
	}
	// F_GETLEASE returns the lease that will be left after the break, even while the
	// break is pending. Only fdinfo tells whether it is pending.
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", l.file.Fd()))
	if err != nil || leaseBreaking.Match(info) {
		return leaseWanted
	}
	return leaseLost
}

// leaseBreaking matches the line in fdinfo of a lease whose break is pending.
var leaseBreaking = regexp.MustCompile(`(?m)^lock:.* LEASE +BREAKING `)

// reserve allocates disk space for the first size bytes of the file, so that a write
// to them does not fail on a full disk. It returns an error if the disk is full.
func (l *lease) reserve(size int64) error {
	err := unix.Fallocate(int(l.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("reserve %d bytes: %w", size, err)
	}
	return nil // other errors mean that the file system cannot reserve space
}

// waitForTick waits until a write would give the file a newer modification time. Before
// Linux 6.13, the time of a write is that of the last tick of the system's clock, so that
// a checkpoint and a program that overwrites the file just after it could have the same.
func (l *lease) waitForTick() {
	for range 20 { // a tick is 10 milliseconds at most
		var now unix.Timespec
		info, err := l.file.Stat()
		if err != nil || unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now) != nil || now.Nano() > info.ModTime().UnixNano() {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// otherConnections reports whether another process has an SQLite connection to the
// file. Such a connection holds a lock; a program that copies the file does not.
func (l *lease) otherConnections() bool {
	// SQLite's shared locks: 510 bytes, from the second byte after the pending byte.
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: 0x40000002, Len: 510}
	err := unix.FcntlFlock(l.file.Fd(), unix.F_GETLK, &lock)
	return err == nil && lock.Type != unix.F_UNLCK
}

// close releases the lease and all of l's resources. The caller closes the file.
func (l *lease) close() {
	signal.Stop(l.wanted)
	l.release()
	l.unshare()
	if l.watch != nil {
		l.watch.Close()
	}
}

// shared holds the descriptors that SQLite's connections share.
var shared = struct {
	sync.Mutex
	fds   map[string]int                                             // path → the descriptor to dup
	opens map[string]int                                             // path → how often SQLite got a dup
	open  func(tls *libc.TLS, path uintptr, flags, mode int32) int32 // SQLite's own open
}{fds: map[string]int{}, opens: map[string]int{}}

// share makes SQLite's open of path return a dup of fd until the caller calls unshare.
// If path is already shared, share changes nothing.
func share(path string, fd int) (unshare func()) {
	shared.Lock()
	defer shared.Unlock()
	if shared.open == nil {
		replaceOpen()
	}
	if _, ok := shared.fds[path]; ok {
		return func() {}
	}
	shared.fds[path] = fd
	return func() {
		shared.Lock()
		defer shared.Unlock()
		delete(shared.fds, path)
		delete(shared.opens, path)
	}
}

// openShared replaces open(2) in SQLite.
func openShared(tls *libc.TLS, path uintptr, flags, mode int32) int32 {
	shared.Lock()
	name := libc.GoString(path)
	fd, ok := shared.fds[name]
	if ok {
		shared.opens[name]++
	}
	shared.Unlock()
	if !ok {
		return shared.open(tls, path, flags, mode)
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3) // SQLite does not accept 0 to 2
	if err != nil {
		var errno syscall.Errno
		errors.As(err, &errno)
		*at[int32](libc.X__errno_location(tls)) = int32(errno)
		return -1
	}
	return int32(dup)
}

// replaceOpen puts openShared into SQLite's table of system calls with
// xSetSystemCall: https://sqlite.org/c3ref/vfs.html
func replaceOpen() {
	tls := libc.NewTLS()
	defer tls.Close()
	name, err := libc.CString("open")
	if err != nil {
		panic(err) // out of memory
	}
	defer libc.Xfree(tls, name)
	type (
		getter = func(tls *libc.TLS, vfs, name uintptr) uintptr
		setter = func(tls *libc.TLS, vfs, name, call uintptr) int32
		opener = func(tls *libc.TLS, path uintptr, flags, mode int32) int32
	)
	// In C code translated to Go, a function pointer is the pointer inside a func value.
	vfs := sqlite3.Xsqlite3_vfs_find(tls, 0)
	methods := at[sqlite3.Tsqlite3_vfs](vfs)
	get := *(*getter)(unsafe.Pointer(&methods.FxGetSystemCall))
	set := *(*setter)(unsafe.Pointer(&methods.FxSetSystemCall))
	original, replacement := get(tls, vfs, name), opener(openShared)
	shared.open = *(*opener)(unsafe.Pointer(&original))
	if rc := set(tls, vfs, name, *(*uintptr)(unsafe.Pointer(&replacement))); rc != sqlite3.SQLITE_OK {
		panic(fmt.Sprintf("SQLite refuses to replace its open: result code %d", rc))
	}
}

// at returns a pointer to an address in SQLite's memory. Go's garbage collector does
// not move that memory.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }
