package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// applicationID marks a file as ours in SQLite's header (PRAGMA
// application_id): "onow" in ASCII.
const applicationID = 0x6f6e6f77

// openFile opens the database file at path, reads its header, without SQLite,
// which might write to it, and returns it unless onenow must not touch it.
func openFile(path string, flag int, format Format) (*os.File, error) {
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, Cannot("open", path, err)
	}
	header := make([]byte, 100) // SQLite's file format, section 1.3
	if _, err = io.ReadFull(f, header); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = Cannot("read", path, err)
	} else if err != nil || string(header[:16]) != "SQLite format 3\x00" || binary.BigEndian.Uint32(header[68:]) != applicationID {
		err = fmt.Errorf("%s is not a onenow database: name another file with --db", path)
	} else {
		err = format.checkVersion(path, int(binary.BigEndian.Uint32(header[60:])))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Cannot words an error of the operating system for the owner of the file.
func Cannot(do, path string, err error) error {
	var why *fs.PathError
	if errors.As(err, &why) {
		err = why.Err
	}
	switch {
	case errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("cannot %s %s: it is a folder, not a file", do, path)
	case errors.Is(err, fs.ErrNotExist) && do == "open":
		return fmt.Errorf("cannot open %s: it does not exist", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot %s %s: the folder %s does not exist", do, path, filepath.Dir(path))
	case errors.Is(err, fs.ErrPermission) && do == "create":
		return fmt.Errorf("cannot create %s: onenow may not write to the folder %s: let it write there", path, filepath.Dir(path))
	}
	return fmt.Errorf("cannot %s %s: %w", do, path, err)
}

// Resolve returns the absolute name, without links, of the database file at
// path, which need not exist yet.
func Resolve(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case path == "":
		return "", errors.New("no database file is named: name one with --db")
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return "", fmt.Errorf("cannot open %s: it is a link to a file that does not exist", path)
		}
		dir, err := RealPath(filepath.Dir(path))
		if err != nil {
			return "", Cannot("create", path, err)
		}
		return filepath.Join(dir, filepath.Base(path)), nil
	case err != nil:
		return "", Cannot("open", path, err)
	case info.IsDir():
		return "", Cannot("open", path, syscall.EISDIR)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a onenow database: it is no regular file", path)
	}
	real, err := RealPath(path)
	if err != nil {
		return "", Cannot("open", path, err)
	}
	return real, nil
}

// RealPath returns the absolute name of path without links. In this order: the
// working directory may be a name with links itself.
func RealPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// createFile creates the database file at path if there is none or an empty
// one, and reports whether it did. The file is made beside path and put in its
// place when it is whole, so that a crash leaves no half-made one. also, unless
// nil, is called with its name before that, and may write to it.
func createFile(ctx context.Context, path string, format Format, also func(path string) error) (bool, error) {
	missing, empty, err := isMissing(path)
	if err != nil || !missing {
		return false, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // of mode 0600
	if err != nil {
		return false, Cannot("create", path, err)
	}
	tmp.Close()
	defer func() {
		for _, ending := range []string{"", "-wal", "-shm"} {
			os.Remove(tmp.Name() + ending)
		}
	}()
	// Whole or not at all: a signal must not end it in between.
	if err := fill(context.WithoutCancel(ctx), tmp.Name(), format); err != nil {
		return false, fmt.Errorf("create %s: %w", path, unavailable(err))
	}
	if also != nil {
		if err := also(tmp.Name()); err != nil {
			return false, err
		}
	}
	if empty {
		return replaceEmpty(tmp.Name(), path)
	}
	if err = os.Link(tmp.Name(), path); errors.Is(err, fs.ErrExist) {
		return false, nil // another onenow was faster
	} else if err != nil {
		err = os.Rename(tmp.Name(), path) // a file system without links
	}
	if err != nil {
		return false, Cannot("create", path, err)
	}
	return true, SyncFolder(filepath.Dir(path))
}

// isMissing reports whether there is no database file at path, or an empty one,
// so that one may be made.
func isMissing(path string) (missing, empty bool, err error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > 0 {
		return false, false, nil
	}
	empty = err == nil
	for _, ending := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(path + ending); err == nil && info.Size() > 0 {
			// SQLite would take what it holds for a part of the new file.
			return false, false, fmt.Errorf("%[1]s does not exist or is empty, but %[1]s%[2]s beside it holds data of another: put that database back, or move %[1]s%[2]s away", path, ending)
		}
	}
	return true, empty, nil
}

// replaceEmpty puts the file at tmp in the place of the empty one at path,
// unless another onenow has done so.
func replaceEmpty(tmp, path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, Cannot("open", path, err)
	}
	defer f.Close() // which unlocks it
	for range 500 { // 5 seconds; another onenow has it for milliseconds
		if err = lockFile(f); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return false, fmt.Errorf("%s is in use by another program", path)
	}
	locked, err1 := f.Stat()
	there, err2 := os.Stat(path)
	if err := errors.Join(err1, err2); err != nil {
		return false, Cannot("open", path, err)
	}
	if !os.SameFile(locked, there) || there.Size() > 0 {
		return false, nil
	}
	if err := os.Rename(tmp, path); err != nil {
		return false, Cannot("create", path, err)
	}
	return true, SyncFolder(filepath.Dir(path))
}

// fill makes the empty file at path a database of that format, and leaves nothing
// in a log.
func fill(ctx context.Context, path string, format Format) error {
	pool, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return err
	}
	defer pool.Close()
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing once committed
	marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, format.Version())
	if _, err := tx.ExecContext(ctx, marks+format.Schema); err != nil {
		return err
	}
	if format.Fill != nil {
		if err := format.Fill(tx); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	var busy, length, moved int
	if err := pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &length, &moved); err != nil {
		return err
	}
	if busy != 0 {
		return errors.New("somebody is using the file while it is made")
	}
	return pool.Close()
}

// SyncFolder makes a name put into a folder survive a power cut.
func SyncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}

// Populate writes the first rows of a database, or nothing: fill's, in one
// transaction. It creates the file at path if there is none. It refuses a file that
// is being served, because other processes' writes would wait for too long. stored
// reports whether the rows are in the file, which they may be in spite of an error.
func Populate(ctx context.Context, path string, f Format, fill func(*Tx) error) (stored bool, err error) {
	real, err := Resolve(path)
	if err != nil {
		return false, err
	}
	stored, err = createFile(ctx, real, f, func(tmp string) error {
		if _, err := populate(ctx, tmp, f, fill); err != nil {
			return err
		}
		if log, err := os.Stat(tmp + "-wal"); err == nil && log.Size() > 0 {
			return errLogStays // another program looks at it, before it has its name
		}
		return nil
	})
	if err != nil || stored {
		return stored, err
	}
	return populate(ctx, path, f, fill)
}

// populate writes the rows of fill to an existing file, or none of them.
func populate(ctx context.Context, path string, f Format, fill func(*Tx) error) (stored bool, err error) {
	s, err := Open(ctx, path, f, Options{Serve: true, MustExist: true})
	if err != nil {
		return false, err
	}
	err = s.Write(ctx, fill)
	return err == nil, errors.Join(err, s.Close())
}

// Examine calls do with a copy of the database at path, which it does not touch, or
// not at all if there is none. It refuses a file that is not onenow's, or that is
// being served.
func Examine(ctx context.Context, path string, f Format, do func(*sql.DB) error) error {
	real, err := Resolve(path)
	if err != nil {
		return err
	}
	if missing, _, err := isMissing(real); err != nil || missing {
		return err
	}
	file, err := openFile(path, os.O_RDWR, f)
	if err != nil {
		return err
	}
	defer file.Close() // which unlocks it
	if err := lockToServe(file, path); err != nil {
		return err
	}
	return WithSnapshot(ctx, path, do)
}
