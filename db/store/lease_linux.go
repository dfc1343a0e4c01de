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

// A lease makes a plain copy of the database file sound.
//
// In WAL mode the file itself changes only while a checkpoint moves commits
// from the log into it. So a copy is good if no checkpoint runs while it is
// made, and complete if one ran just before. Linux tells us when: a process
// that holds a write lease on a file (fcntl(2), F_SETLEASE) has it open alone,
// and whoever else opens it, cp or any other program, waits in open(2) until
// the holder, told by SIGIO, gives the lease back. Before it does, it
// checkpoints; and it does not do so again until it has the lease once more,
// which the kernel grants when everybody else has closed the file.
//
// The kernel counts open file descriptions, and each connection of SQLite's
// opens the file for itself. So open is replaced, for SQLite and this one
// path, by a dup of our own descriptor: all share one description. SQLite
// reads and writes at offsets and its locks are the process's, so sharing
// makes no difference to it.
//
// When to take a lease, and what to do with it, is the checkpointer's to say.
type lease struct {
	file    *os.File
	path    string
	unshare func()

	wanted chan os.Signal // somebody may be waiting to open the file; see state
	watch  *os.File       // tells when somebody has closed it, by inotify(7)
}

// newLease prepares a lease on the file at path, its name without links, and
// shares f with all connections to it from now on. It fails where leases do
// not work, and shares f even then.
func newLease(f *os.File, path string) (*lease, error) {
	l := &lease{file: f, path: path, unshare: share(path, int(f.Fd())), wanted: make(chan os.Signal, 1)}
	if _, err := l.set(unix.F_WRLCK); err != nil && !errors.Is(err, unix.EAGAIN) {
		return l, fmt.Errorf("the file system grants no lease: %w", err)
	}
	l.give() // until somebody listens
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

// checkShared fails if no connection has been given our descriptor: SQLite
// would know the file by another name.
func (l *lease) checkShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.opens[l.path] == 0 {
		return errors.New("SQLite does not share the file's descriptor")
	}
	return nil
}

// watchClosed calls closed whenever somebody closes the file, until l is
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

// take asks for the lease and reports whether it is ours. It is not while
// somebody else has the file open.
func (l *lease) take() bool {
	_, err := l.set(unix.F_WRLCK)
	return err == nil
}

// give returns the lease; who waits to open the file goes on.
func (l *lease) give() { _, _ = l.set(unix.F_UNLCK) }

// leaseState is what has become of a lease that was taken and not given back.
type leaseState int

const (
	leaseHeld   leaseState = iota // nobody wants it
	leaseWanted                   // somebody waits to open the file
	leaseLost                     // the kernel took it, having waited for long
)

func (l *lease) state() leaseState {
	kind, err := unix.FcntlInt(l.file.Fd(), unix.F_GETLEASE, 0)
	if err == nil && kind == unix.F_WRLCK {
		return leaseHeld
	}
	// The answer is what it is, or what it is to be; only here is told which.
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", l.file.Fd()))
	if err != nil || leaseBreaking.Match(info) {
		return leaseWanted
	}
	return leaseLost
}

// leaseBreaking is the line of a lease that somebody waits for, in fdinfo.
var leaseBreaking = regexp.MustCompile(`(?m)^lock:.* LEASE +BREAKING `)

// reserve makes sure that the file can be that large, so that writing within it
// does not fail for want of room.
func (l *lease) reserve(size int64) error {
	err := unix.Fallocate(int(l.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("no room for %d bytes: %w", size, err)
	}
	return nil // on some file systems there is no knowing
}

// waitForTick waits until a write gives the file another modification time than it
// has. Before Linux 6.13 that is the last tick of the system's clock, and a checkpoint
// and a program that overwrites the file just after it could share one.
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

// peers reports whether another process has a connection of SQLite's to the
// file: one holds a lock that a copying program does not.
func (l *lease) peers() bool {
	// The shared locks of SQLite's file format: 510 bytes past the pending byte.
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: 0x40000002, Len: 510}
	err := unix.FcntlFlock(l.file.Fd(), unix.F_GETLK, &lock)
	return err == nil && lock.Type != unix.F_UNLCK
}

// close gives the lease back for good. The file is the caller's to close.
func (l *lease) close() {
	signal.Stop(l.wanted)
	l.give()
	l.unshare()
	if l.watch != nil {
		l.watch.Close()
	}
}

// shared has the descriptor to dup for each path that a lease is for.
var shared = struct {
	sync.Mutex
	fds   map[string]int
	opens map[string]int                                             // how many connections have been given each
	open  func(tls *libc.TLS, path uintptr, flags, mode int32) int32 // as it was
}{fds: map[string]int{}, opens: map[string]int{}}

// share makes SQLite's opens of path dups of fd until the function returned is
// called. A path that is shared already stays so.
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

// openShared takes the place of open(2) in SQLite.
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
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3) // SQLite wants none of 0 to 2
	if err != nil {
		var errno syscall.Errno
		errors.As(err, &errno)
		*at[int32](libc.X__errno_location(tls)) = int32(errno)
		return -1
	}
	return int32(dup)
}

// replaceOpen puts openShared into SQLite's table of system calls, which is
// there for that: https://sqlite.org/c3ref/vfs.html, xSetSystemCall.
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
	// In C translated to Go, a function pointer is the pointer in a func.
	vfs := sqlite3.Xsqlite3_vfs_find(tls, 0)
	methods := at[sqlite3.Tsqlite3_vfs](vfs)
	get := *(*getter)(unsafe.Pointer(&methods.FxGetSystemCall))
	set := *(*setter)(unsafe.Pointer(&methods.FxSetSystemCall))
	before, ours := get(tls, vfs, name), opener(openShared)
	shared.open = *(*opener)(unsafe.Pointer(&before))
	if rc := set(tls, vfs, name, *(*uintptr)(unsafe.Pointer(&ours))); rc != sqlite3.SQLITE_OK {
		panic(fmt.Sprintf("SQLite refuses a system call: %d", rc))
	}
}

// at returns the address in SQLite's memory, which Go's collector does not
// move, as a pointer.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }
