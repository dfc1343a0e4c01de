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

// Progress is told once a second how many bytes of about how many have been
// copied. It may be nil.
type Progress func(done, total int64)

// Backup writes a copy of the database, as it is now, to dest: a file that is
// whole, checked, on disk, and readable by its owner only, or no file. Reads and
// writes go on. If dest exists, it is an error unless replace is set, which puts the
// copy in its place when it is done. A copy of rows that refer to rows that do not
// exist is a good copy; the log warns of them.
func (s *Store) Backup(ctx context.Context, dest string, replace bool, progress Progress) error {
	there, err := os.Stat(dest)
	switch {
	case dest == "":
		return errors.New("no file is named to back up to")
	case err == nil && os.SameFile(there, s.identity):
		return fmt.Errorf("%s is the database itself: name another file", dest)
	case err == nil && there.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it", dest)
	case err == nil && !there.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file: name another, or use - for standard output", dest)
	}
	return s.withBackupConn(ctx, func(conn *sql.Conn) error { return s.writeCopy(ctx, conn, dest, replace, progress) })
}

// BackupTo is Backup to w. The copy is made in the folder of the database first, and
// has no name any more when w gets its first byte.
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

// withBackupConn calls do with a connection of its own: the writer's is for writing,
// and the readers' cannot.
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

// writeCopy is Backup through the connection conn.
func (s *Store) writeCopy(ctx context.Context, conn *sql.Conn, dest string, replace bool, progress Progress) error {
	if _, err := os.Lstat(dest); err == nil && !replace {
		return fmt.Errorf("%s exists already: name another file, or use --force to replace it", dest)
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

// makeCopy makes a copy of the database for dest, beside it, under a name that the
// caller removes. The copy is checked, and on disk.
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
		return nil, fmt.Errorf("the copy of the database for %s is damaged, and so may the database be: %w", dest, err)
	}
	if err := tmp.Sync(); err != nil {
		return nil, Cannot("write", dest, err)
	}
	return tmp, nil
}

// verify checks that the copy at path is sound, and warns of what is not as it
// should be in its rows.
func (s *Store) verify(ctx context.Context, path string) error {
	pool, err := openImmutable(path)
	if err != nil {
		return err
	}
	defer pool.Close()
	damages, err := damage(ctx, pool)
	if err != nil {
		return err
	}
	if len(damages) > 0 {
		return errors.New(damages[0])
	}
	orphans, err := orphans(ctx, pool)
	if err != nil {
		return err
	}
	if len(orphans) > 0 {
		s.log.Warn("rows of the database refer to rows that do not exist; the backup is a faithful copy, and onenow check lists them", "rows", len(orphans), "first", orphans[0])
	}
	return nil
}

// tempFile is a file under a name of its own, locked while its maker lives.
type tempFile struct{ *os.File }

const tempMark = ".new-" // in the name of a tempFile, behind the name of the file that it is for

// newTempFile makes a file beside dest, of mode 0600, and removes those for dest
// that a dead process has left.
func newTempFile(dest string) (*tempFile, error) {
	prefix := filepath.Base(dest) + tempMark
	removeLeftovers(filepath.Dir(dest), func(name string) bool { return strings.HasPrefix(name, prefix) })
	for {
		f, err := os.CreateTemp(filepath.Dir(dest), prefix+"*")
		if err != nil {
			return nil, err
		}
		t := &tempFile{f}
		if err := lockFile(f); err == nil && t.hasName() {
			return t, nil
		} else if err == nil { // another process took it for a dead one's
			f.Close()
			continue
		}
		return t, nil // a file system without locks
	}
}

// hasName reports whether the file can still be found by its name.
func (t *tempFile) hasName() bool {
	ours, err1 := t.Stat()
	there, err2 := os.Stat(t.Name())
	return err1 == nil && err2 == nil && os.SameFile(ours, there)
}

// remove removes the file's name, and that of a journal, and closes it.
func (t *tempFile) remove() {
	t.Close()
	os.Remove(t.Name())
	os.Remove(t.Name() + "-journal") // of a copy that was interrupted
}

// removeLeftovers removes the tempFiles in a folder, among those whose name is
// chosen, that dead processes have left.
func removeLeftovers(dir string, chosen func(name string) bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // making a file there will tell why
	}
	for _, e := range entries {
		if chosen(e.Name()) {
			removeIfDead(filepath.Join(dir, e.Name()))
		}
	}
}

// removeIfDead removes a tempFile if the process that made it is dead.
func removeIfDead(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	t := &tempFile{f}
	if lockFile(f) != nil || !t.hasName() {
		f.Close()
		return
	}
	t.remove()
}

// databaseSize returns how large the database is, in bytes, or 0 if that is not
// known.
func databaseSize(ctx context.Context, conn *sql.Conn) int64 {
	var size int64
	_ = conn.QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&size)
	return size
}

// watchSize tells progress the size of f once a second until done.
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
