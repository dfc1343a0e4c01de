package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// WithSnapshot calls do with a copy of the SQLite file at path, as it was when
// its last transaction was committed. It neither writes to the file nor makes
// another one in its folder, as SQLite itself would to read a file in WAL mode or
// a file that a crash has left with a journal. A file that others are writing to
// is an error.
func WithSnapshot(ctx context.Context, path string, do func(*sql.DB) error) error {
	real, err := RealPath(path)
	if err != nil {
		return Cannot("open", path, err)
	}
	dir, err := os.MkdirTemp("", "onenow-") // of mode 0700
	if err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	defer os.RemoveAll(dir)
	snapshot := filepath.Join(dir, "copy.db")
	copied, err := readParts(real, snapshot)
	if err != nil {
		return fmt.Errorf("copy %s to %s: %w", path, dir, err)
	}
	// Had somebody written, the copy might be of before and after. What has not
	// changed at the second reading is what there was between the two.
	again, err := readParts(real, "")
	if err != nil {
		return Cannot("read", path, err)
	}
	if !bytes.Equal(copied, again) {
		return fmt.Errorf("%s is being written to: stop the program that uses it, then try again", path)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(snapshot), RawQuery: "_pragma=trusted_schema(0)&_pragma=ignore_check_constraints(1)"}
	pool, err := sql.Open("sqlite", u.String())
	if err != nil {
		return err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	return do(pool)
}

// readParts reads the SQLite file at path and what its log and its journal
// hold, returns a digest of it all, and copies each to its name for dest,
// unless that is empty.
func readParts(path, dest string) ([]byte, error) {
	digest := sha256.New()
	for _, ending := range []string{"", "-wal", "-journal"} {
		fmt.Fprintf(digest, "%q", ending)
		err := readPart(path+ending, dest, ending, digest)
		if err != nil && (ending == "" || !errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
	}
	return digest.Sum(nil), nil
}

func readPart(path, dest, ending string, digest hash.Hash) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	if dest == "" {
		_, err = io.Copy(digest, from)
		return err
	}
	to, err := os.OpenFile(dest+ending, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.MultiWriter(to, digest), from)
	return errors.Join(err, to.Close())
}
