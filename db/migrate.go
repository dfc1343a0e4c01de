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

// Migration says what Migrate did: From is 0 when it created the file, and
// From equals To when there was nothing to do.
type Migration struct{ From, To int }

// Migrate makes sure that path is a database file of the newest version. One
// that does not exist, or is empty, is created with schema, readable by its
// owner only. It refuses a file that is not onenow's or that a newer onenow
// has written, and leaves it untouched.
func Migrate(ctx context.Context, path, schema string) (Migration, error) {
	m := Migration{To: Version()}
	created, err := createFile(ctx, path, schema)
	if err != nil || created {
		return m, err
	}
	if err := inspect(path); err != nil {
		return m, err
	}
	pool, err := sql.Open("sqlite", dsn(path)+"&_txlock=immediate")
	if err != nil {
		return m, fmt.Errorf("open %s: %w", path, err)
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	if err := pool.QueryRowContext(ctx, "PRAGMA user_version").Scan(&m.From); err != nil {
		return m, fmt.Errorf("open %s: %w", path, unavailable(err))
	}
	if m.From > m.To {
		return m, newerError(path, m.From)
	}
	for v := m.From; v < m.To; v++ {
		if err := step(ctx, pool, v); err != nil {
			return m, fmt.Errorf("bring %s from version %d to %d: %w", path, v, v+1, unavailable(err))
		}
	}
	return m, nil
}

// step brings the schema from version v to the next, or leaves it as it was.
func step(ctx context.Context, pool *sql.DB, v int) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing once committed
	if err := migrations[v-1](tx); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", v+1)); err != nil {
		return err
	}
	return tx.Commit()
}

// inspect reads the header of the file at path, without SQLite, which would
// write to it, and returns why onenow must not open it, if so.
func inspect(path string) error {
	// Through a read-write handle, to know now that writing is allowed.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return cannot("open", path, err)
	}
	defer f.Close()
	header := make([]byte, 100) // SQLite's file format, section 1.3
	if _, err := io.ReadFull(f, header); err != nil || string(header[:16]) != "SQLite format 3\x00" ||
		binary.BigEndian.Uint32(header[68:]) != applicationID {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return cannot("read", path, err)
		}
		return fmt.Errorf("%s is not a onenow database: name another file with --db", path)
	}
	if v := int(binary.BigEndian.Uint32(header[60:])); v > Version() {
		return newerError(path, v)
	}
	return nil
}

func newerError(path string, v int) error {
	return fmt.Errorf("%s is of version %d, from a newer onenow; this one knows version %d at most: use the newer onenow",
		path, v, Version())
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
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot %s %s: the folder %s does not exist", do, path, filepath.Dir(path))
	}
	return fmt.Errorf("cannot %s %s: %w", do, path, err)
}

// createFile creates the database file at path if there is none or an empty
// one, and reports whether it did. The file is made beside path and put in its
// place when it is whole, so that a crash leaves no half-made one.
func createFile(ctx context.Context, path, schema string) (bool, error) {
	info, err := os.Stat(path)
	if err == nil && (info.Size() > 0 || info.IsDir()) {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, cannot("open", path, err)
	}
	empty := err == nil

	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // of mode 0600
	if err != nil {
		return false, cannot("create", path, err)
	}
	tmp.Close()
	defer os.Remove(tmp.Name())
	if err := fill(ctx, tmp.Name(), schema); err != nil {
		return false, fmt.Errorf("create %s: %w", path, unavailable(err))
	}
	if empty {
		err = os.Rename(tmp.Name(), path)
	} else if err = os.Link(tmp.Name(), path); errors.Is(err, fs.ErrExist) {
		return false, nil // another onenow was faster
	} else if err != nil {
		err = os.Rename(tmp.Name(), path) // a file system without links
	}
	if err != nil {
		return false, cannot("create", path, err)
	}
	return true, syncFolder(filepath.Dir(path))
}

// fill makes the empty file at path a database with schema.
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
	return pool.Close() // which moves all from the log into the file
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
