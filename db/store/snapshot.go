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

// WithSnapshot calls do with a temporary copy of the SQLite file at path. The copy has
// all committed transactions. WithSnapshot neither writes to the file nor creates other
// files in its folder. (SQLite does both when it opens a file in WAL mode, or a file
// with a journal of a crashed process.) If another program writes to the file during
// the copy, WithSnapshot returns an error.
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
	// If a program wrote during the first read, the copy may mix two states. If the
	// second read finds the same contents, the files did not change between the two.
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

// readParts reads the SQLite file at path, its WAL and its journal, and returns a digest
// of their contents. If dest is not empty, it also copies the file to dest, and the WAL
// and the journal next to dest.
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
