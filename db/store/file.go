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

// applicationID marks a file as onenow's in SQLite's header (PRAGMA application_id):
// "onow" in ASCII.
const applicationID = 0x6f6e6f77

// openFile opens the database file at path and checks its header. It returns an error
// for a file that is not onenow's or that a newer onenow has written. It reads the
// header without SQLite, because SQLite might write to the file.
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

// Cannot returns an error whose message says, for the owner of the file, that onenow
// cannot do something with path ("open", "create", "read", …) because of err.
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
		return fmt.Errorf("cannot create %s: onenow has no permission to write to the folder %s: give it this permission", path, filepath.Dir(path))
	}
	return fmt.Errorf("cannot %s %s: %w", do, path, err)
}

// Resolve returns the absolute name, without links, of the database file at path. The
// file need not exist yet, but its folder must. Resolve returns an error for a path
// that is not a regular file.
func Resolve(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case path == "":
		return "", errors.New("the name of the database file is empty: name a file with --db")
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
		return "", fmt.Errorf("%s is not a onenow database: it is not a regular file", path)
	}
	real, err := RealPath(path)
	if err != nil {
		return "", Cannot("open", path, err)
	}
	return real, nil
}

// RealPath returns the absolute name of path without links. It makes the name absolute
// first, because the name of the working directory may contain links.
func RealPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// createFile creates the database file at path if it does not exist or is empty, and
// reports whether it has created it. It makes the file under a temporary name in the
// same folder and renames it when it is complete, so that a crash leaves no incomplete
// database. If prepare is not nil, it is called with the temporary name before the
// rename, and may write to the file.
func createFile(ctx context.Context, path string, format Format, prepare func(path string) error) (bool, error) {
	missing, empty, err := isMissing(path)
	if err != nil || !missing {
		return false, err
	}
	tmp, err := newTempFile(path)
	if err != nil {
		return false, Cannot("create", path, err)
	}
	defer func() {
		tmp.remove()
		os.Remove(tmp.Name() + "-wal")
		os.Remove(tmp.Name() + "-shm")
	}()
	// A signal must not interrupt this.
	if err := fill(context.WithoutCancel(ctx), tmp.Name(), format); err != nil {
		return false, fmt.Errorf("create %s: %w", path, unavailable(err))
	}
	if prepare != nil {
		tmp.Close() // prepare opens the file, takes the lock and needs the lease
		if err := prepare(tmp.Name()); err != nil {
			return false, err
		}
	}
	if empty {
		return replaceEmpty(tmp.Name(), path)
	}
	if err = os.Link(tmp.Name(), path); errors.Is(err, fs.ErrExist) {
		return false, nil // another onenow has just created it
	} else if err != nil {
		err = os.Rename(tmp.Name(), path) // the file system has no links
	}
	if err != nil {
		return false, Cannot("create", path, err)
	}
	return true, SyncFolder(filepath.Dir(path))
}

// isMissing reports whether the database file at path does not exist or is empty, so
// that it may be created. If a -wal or -journal file of another database is next to
// it, isMissing returns an error.
func isMissing(path string) (missing, empty bool, err error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > 0 {
		return false, false, nil
	}
	empty = err == nil
	for _, ending := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(path + ending); err == nil && info.Size() > 0 {
			// SQLite would apply its contents to the new file.
			return false, false, fmt.Errorf("%[1]s does not exist or is empty, but %[1]s%[2]s next to it holds data of another database: put that database back, or move %[1]s%[2]s away", path, ending)
		}
	}
	return true, empty, nil
}

// replaceEmpty replaces the empty file at path with the file at tmp, and reports
// whether it has: another onenow may have replaced it before.
func replaceEmpty(tmp, path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, Cannot("open", path, err)
	}
	defer f.Close() // which unlocks it
	for range 500 { // 5 seconds; another onenow holds the lock for milliseconds
		if err = lockFile(f); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return false, fmt.Errorf("%s is in use by another program: stop that program first", path)
	}
	locked, err1 := f.Stat()
	current, err2 := os.Stat(path)
	if err := errors.Join(err1, err2); err != nil {
		return false, Cannot("open", path, err)
	}
	if !os.SameFile(locked, current) || current.Size() > 0 {
		return false, nil
	}
	if err := os.Rename(tmp, path); err != nil {
		return false, Cannot("create", path, err)
	}
	return true, SyncFolder(filepath.Dir(path))
}

// fill writes a new database of that format to the empty file at path. It leaves the
// WAL empty.
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
	defer tx.Rollback() // has no effect after the commit
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
		return errors.New("another program has opened the new file: stop that program, then try again")
	}
	return pool.Close()
}

// SyncFolder syncs a folder to disk, so that a file created or renamed in it keeps its
// name after a power cut. It does nothing on a file system that cannot sync a folder.
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

// Populate writes the first rows of a database: it runs fill in one transaction. It
// creates the file at path if it does not exist. It returns an error for a file that is
// being served, because the server's writes would have to wait for too long. stored
// reports whether the rows are in the file; they may be, even with an error.
func Populate(ctx context.Context, path string, f Format, fill func(*Tx) error) (stored bool, err error) {
	real, err := Resolve(path)
	if err != nil {
		return false, err
	}
	stored, err = createFile(ctx, real, f, func(tmp string) error {
		if _, err := populate(ctx, tmp, f, fill); err != nil {
			return err
		}
		if wal, err := os.Stat(tmp + "-wal"); err == nil && wal.Size() > 0 {
			return errWALStays // another program has opened the temporary file
		}
		return nil
	})
	if err != nil || stored {
		return stored, err
	}
	return populate(ctx, path, f, fill)
}

// populate is Populate for an existing file.
func populate(ctx context.Context, path string, f Format, fill func(*Tx) error) (stored bool, err error) {
	s, err := Open(ctx, path, f, Options{Serve: true, MustExist: true})
	if err != nil {
		return false, err
	}
	err = s.Write(ctx, fill)
	return err == nil, errors.Join(err, s.Close())
}

// Examine calls do with a temporary copy of the database at path, and does not change
// the database. If there is no database, it does not call do. It returns an error for a
// file that is not onenow's or that is being served.
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
