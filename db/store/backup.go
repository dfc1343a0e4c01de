package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Progress is called once a second with the number of bytes copied and the
// estimated total. A nil Progress is not called.
type Progress func(done, total int64)

// Backup writes a copy of the database, as it is now, to the file dest. The copy is
// checked, synced to disk, and readable by its owner only; after an error, dest is
// as it was. Reads and writes continue during the backup. If dest exists, Backup
// fails unless replace is set; then the finished copy replaces dest. Rows that refer
// to rows that do not exist do not make Backup fail: it copies them and logs a
// warning.
func (s *Store) Backup(ctx context.Context, dest string, replace bool, progress Progress) error {
	existing, err := os.Stat(dest)
	switch {
	case dest == "":
		return errors.New("the name of the backup is empty: name a file to write")
	case err == nil && os.SameFile(existing, s.identity):
		return fmt.Errorf("%s is the database itself: name another file", dest)
	case err == nil && existing.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it", dest)
	case err == nil && !existing.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file: name another file, or use - for standard output", dest)
	}
	return s.withBackupConn(ctx, func(conn *sql.Conn) error { return s.writeCopy(ctx, conn, dest, replace, progress) })
}

// BackupTo writes a copy of the database to w. It first makes and checks the copy in
// the database's folder, and removes the name of that file before it writes to w.
func (s *Store) BackupTo(ctx context.Context, w io.Writer, progress Progress) error {
	var f *os.File
	err := s.withBackupConn(ctx, func(conn *sql.Conn) error {
		tmp, err := s.makeCopy(ctx, conn, s.real+".backup", progress)
		if err != nil {
			return err
		}
		f, err = os.Open(tmp.Name())
		tmp.remove()
		return err
	})
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// withBackupConn calls do with a new connection: a backup would block the writing
// connection, and the reading connections cannot run VACUUM INTO.
func (s *Store) withBackupConn(ctx context.Context, do func(*sql.Conn) error) error {
	pool, err := sql.Open("sqlite", dsn(s.real))
	if err != nil {
		return err
	}
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("back up %s: %w", s.path, unavailable(err))
	}
	defer conn.Close()
	return do(conn)
}

// writeCopy is Backup on the connection conn.
func (s *Store) writeCopy(ctx context.Context, conn *sql.Conn, dest string, replace bool, progress Progress) error {
	if _, err := os.Lstat(dest); err == nil && !replace {
		return fmt.Errorf("%s already exists: name another file, or use --force to replace it", dest)
	}
	tmp, err := s.makeCopy(ctx, conn, dest, progress)
	if err != nil {
		return err
	}
	defer tmp.remove()
	if replace {
		err = os.Rename(tmp.Name(), dest)
	} else if err = os.Link(tmp.Name(), dest); err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(tmp.Name(), dest) // a file system without links
	}
	if err != nil {
		return Cannot("create", dest, err)
	}
	return SyncFolder(filepath.Dir(dest))
}

// makeCopy writes a copy of the database to a temporary file in the folder of dest,
// checks it, and syncs it to disk. The caller removes the temporary file.
func (s *Store) makeCopy(ctx context.Context, conn *sql.Conn, dest string, progress Progress) (_ *tempFile, err error) {
	tmp, err := newTempFile(dest)
	if err != nil {
		return nil, Cannot("create", dest, err)
	}
	defer func() {
		if err != nil {
			tmp.remove()
		}
	}()
	if progress != nil {
		done := make(chan struct{})
		defer close(done)
		go watchSize(tmp.File, databaseSize(ctx, conn), progress, done)
	}
	if _, err := conn.ExecContext(ctx, "VACUUM INTO ?", tmp.Name()); err != nil {
		return nil, fmt.Errorf("copy the database to %s: %w", dest, unavailable(err))
	}
	if err := s.checkContents(); err != nil {
		return nil, fmt.Errorf("copy the database to %s: %w", dest, err)
	}
	if err := s.verify(ctx, tmp.Name()); ctx.Err() != nil {
		return nil, ctx.Err()
	} else if err != nil {
		return nil, fmt.Errorf("the copy of the database for %s is damaged, and the database may be damaged, too: run onenow check: %w", dest, err)
	}
	if err := tmp.Sync(); err != nil {
		return nil, Cannot("write", dest, err)
	}
	return tmp, nil
}

// verify returns an error if the copy at path is damaged. It logs a warning if rows
// of the copy refer to rows that do not exist.
func (s *Store) verify(ctx context.Context, path string) error {
	pool, err := openImmutable(path)
	if err != nil {
		return err
	}
	defer pool.Close()
	problems, err := damage(ctx, pool)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return errors.New(problems[0])
	}
	orphans, err := orphans(ctx, pool)
	if err != nil {
		return err
	}
	if len(orphans) > 0 {
		s.log.Warn("rows of the database refer to rows that do not exist; the backup has them, too; list them with onenow check", "rows", len(orphans), "first", orphans[0])
	}
	return nil
}

// tempFile is a temporary file. The process that made it holds a lock on it until
// the process closes it or dies.
type tempFile struct{ *os.File }

// tempInfix is in the name of a tempFile, after the name of its destination.
const tempInfix = ".new-"

// leftoverAge is how old a temporary file must be before it can be a leftover.
const leftoverAge = time.Minute

// newTempFile creates a temporary file for dest in the folder of dest, of mode 0600.
// It removes the temporary files for dest that dead processes have left.
func newTempFile(dest string) (*tempFile, error) {
	prefix := filepath.Base(dest) + tempInfix
	removeLeftovers(filepath.Dir(dest), func(name string) bool { // not SQLite's journal of one, which has no lock
		number, ok := strings.CutPrefix(name, prefix)
		return ok && strings.Trim(number, "0123456789") == ""
	})
	f, err := os.CreateTemp(filepath.Dir(dest), prefix+"*")
	if err != nil {
		return nil, err
	}
	_ = lockFile(f) // some file systems have no locks
	return &tempFile{f}, nil
}

// remove closes the file and removes it and its journal.
func (t *tempFile) remove() {
	t.Close()
	os.Remove(t.Name())
	os.Remove(t.Name() + "-journal") // an interrupted copy leaves one
}

// removeLeftovers removes the temporary files in a folder that dead processes have
// left and whose names match.
func removeLeftovers(dir string, match func(name string) bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // the caller creates a file there next and gets the same error
	}
	for _, e := range entries {
		if match(e.Name()) {
			removeIfDead(filepath.Join(dir, e.Name()))
		}
	}
}

// removeIfDead removes a temporary file if the process that made it is dead.
func removeIfDead(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	info, err := f.Stat()
	// A younger file may have been created and not been locked yet.
	if err != nil || time.Since(info.ModTime()) < leftoverAge || lockFile(f) != nil {
		f.Close()
		return
	}
	(&tempFile{f}).remove()
}

// databaseSize returns the size of the database in bytes, or 0 if it is not known.
func databaseSize(ctx context.Context, conn *sql.Conn) int64 {
	var size int64
	_ = conn.QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&size)
	return size
}

// watchSize calls progress with the size of f once a second until done is closed.
func watchSize(f *os.File, total int64, progress Progress, done <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if info, err := f.Stat(); err == nil {
				progress(info.Size(), max(total, info.Size()))
			}
		case <-done:
			return
		}
	}
}
