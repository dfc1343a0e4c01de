package db

import (
	"context"
	"crypto/rand"
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

// migrations brings an older file up to schema.sql, a step for each version:
// migrations[0] makes version 2 of version 1, and so on. Steps are only ever
// added; a shop's file may be of any age.
var migrations = []Step{}

// Step changes the schema, and the rows to fit, within a transaction.
type Step func(tx *sql.Tx) error

// Version is the newest schema's, which schema.sql describes.
func Version() int { return 1 + len(migrations) }

// Migration says what Open did to the schema: From is 0 when it created the
// file, and From equals To when there was nothing to do.
type Migration struct{ From, To int }

// migrate brings the schema up to date, through the writing connection. A copy
// of the file as it was is put beside it first.
func (d *DB) migrate(ctx context.Context, created bool, opts Options) (Migration, error) {
	m := Migration{To: Version()}
	if created {
		return m, nil
	}
	d.writer.mu.Lock() // the connection is not only ours
	defer d.writer.mu.Unlock()
	d.checkpointer.beforeWrite()
	defer d.checkpointer.afterWrite()
	conn := d.writer.tx.conn
	var err error
	if m.From, err = d.version(ctx); err != nil {
		return m, err
	}
	if m.From == m.To || opts.KeepVersion {
		return Migration{m.From, m.From}, nil
	}
	if !opts.Serve { // who serves has the lock already
		if lockFile(d.file) != nil {
			return m, fmt.Errorf("%s is of version %d and being served, or brought up to date, by another onenow: stop that one first", d.path, m.From)
		}
		defer unlockFile(d.file)
		if m.From, err = d.version(ctx); err != nil { // somebody may have been faster
			return m, err
		}
	}
	before := fmt.Sprintf("%s.v%d.bak", d.path, m.From)
	if err := writeCopy(ctx, conn, before, true, nil); err != nil {
		return m, fmt.Errorf("copy %s before bringing it up to date: %w", d.path, err)
	}
	opts.Log.Info("bringing the database up to date", "from", m.From, "to", m.To, "copy of the old one", before)
	for v := m.From; v < m.To; v++ {
		if err := step(ctx, conn, v); err != nil {
			return m, fmt.Errorf("bring %s from version %d to %d: %w", d.path, v, v+1, unavailable(err))
		}
	}
	return m, nil
}

// version reads the schema's version, which is one that this onenow knows.
func (d *DB) version(ctx context.Context) (int, error) {
	var v int
	if err := d.writer.tx.conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
		return 0, fmt.Errorf("open %s: %w", d.path, unavailable(err))
	}
	return v, checkVersion(d.path, v)
}

// checkVersion refuses versions that this onenow does not know.
func checkVersion(path string, v int) error {
	switch {
	case v > Version():
		return fmt.Errorf("%s is of version %d, from a newer onenow; this one knows version %d at most: use the newer onenow",
			path, v, Version())
	case v < 1:
		return fmt.Errorf("%s is not a onenow database: it has no version", path)
	}
	return nil
}

// step brings the schema from version v to the next, or leaves it as it was.
// References are checked at its end and not on the way: a step that makes a
// table anew drops the old one, and that would take along what refers to it.
// https://sqlite.org/lang_altertable.html#otheralter
func step(ctx context.Context, conn *sql.Conn, v int) (err error) {
	if _, err := conn.ExecContext(ctx, "PRAGMA foreign_keys = 0"); err != nil { // does nothing in a transaction
		return err
	}
	defer func() {
		_, e := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA foreign_keys = 1")
		err = errors.Join(err, e)
	}()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing once committed
	if err := migrations[v-1](tx); err != nil {
		return err
	}
	var broken int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM pragma_foreign_key_check").Scan(&broken); err != nil {
		return err
	}
	if broken > 0 {
		return fmt.Errorf("%d rows would refer to nothing", broken)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", v+1)); err != nil {
		return err
	}
	return tx.Commit()
}

// openFile opens the database file at path, reads its header, without SQLite,
// which might write to it, and returns it unless onenow must not touch it.
func openFile(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, cannot("open", path, err)
	}
	header := make([]byte, 100) // SQLite's file format, section 1.3
	if _, err = io.ReadFull(f, header); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = cannot("read", path, err)
	} else if err != nil || string(header[:16]) != "SQLite format 3\x00" || binary.BigEndian.Uint32(header[68:]) != applicationID {
		err = fmt.Errorf("%s is not a onenow database: name another file with --db", path)
	} else {
		err = checkVersion(path, int(binary.BigEndian.Uint32(header[60:])))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// cannot words an error of the operating system for the owner of the file.
func cannot(do, path string, err error) error {
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
	}
	return fmt.Errorf("cannot %s %s: %w", do, path, err)
}

// resolve returns the absolute name, without links, of the database file at
// path, which need not exist yet.
func resolve(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case path == "":
		return "", errors.New("no database file is named: name one with --db")
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return "", fmt.Errorf("cannot open %s: it is a link to a file that does not exist", path)
		}
		dir, err := realPath(filepath.Dir(path))
		if err != nil {
			return "", cannot("create", path, err)
		}
		return filepath.Join(dir, filepath.Base(path)), nil
	case err != nil:
		return "", cannot("open", path, err)
	case info.IsDir():
		return "", cannot("open", path, syscall.EISDIR)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a onenow database: it is no regular file", path)
	}
	real, err := realPath(path)
	if err != nil {
		return "", cannot("open", path, err)
	}
	return real, nil
}

// realPath returns the absolute name of path without links. In this order: the
// working directory may be a name with links itself.
func realPath(path string) (string, error) {
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
func createFile(ctx context.Context, path, schema string, also func(path string) error) (bool, error) {
	missing, empty, err := isMissing(path)
	if err != nil || !missing {
		return false, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // of mode 0600
	if err != nil {
		return false, cannot("create", path, err)
	}
	tmp.Close()
	defer func() {
		for _, ending := range []string{"", "-wal", "-shm"} {
			os.Remove(tmp.Name() + ending)
		}
	}()
	// Whole or not at all: a signal must not end it in between.
	if err := fill(context.WithoutCancel(ctx), tmp.Name(), schema); err != nil {
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
		return false, cannot("create", path, err)
	}
	return true, syncFolder(filepath.Dir(path))
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
		return false, cannot("open", path, err)
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
		return false, cannot("open", path, err)
	}
	if !os.SameFile(locked, there) || there.Size() > 0 {
		return false, nil
	}
	if err := os.Rename(tmp, path); err != nil {
		return false, cannot("create", path, err)
	}
	return true, syncFolder(filepath.Dir(path))
}

// fill makes the empty file at path a database with schema, with nothing left
// in a log beside it.
func fill(ctx context.Context, path, schema string) error {
	key := make([]byte, 32)
	rand.Read(key) // never fails
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
	marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, Version())
	if _, err := tx.ExecContext(ctx, marks+schema); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO instance (id, signing_key, created_at) VALUES (1, ?, ?)", key, time.Now().Unix())
	if err != nil {
		return err
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

// syncFolder makes a name put into a folder survive a power cut.
func syncFolder(path string) error {
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
