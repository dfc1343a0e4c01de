package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Progress is told once a second how many bytes of about how many have been
// copied. It may be nil.
type Progress func(done, total int64)

// Backup writes a copy of the database, as it is now, to dest: a file that is
// whole, checked, on disk, and readable by its owner only, or none. Reads and
// writes go on meanwhile. If dest exists, it is an error unless replace is
// set, which puts the copy in its place when it is done.
func (d *DB) Backup(ctx context.Context, dest string, replace bool, progress Progress) error {
	there, err := os.Stat(dest)
	switch {
	case dest == "":
		return errors.New("no file is named to back up to")
	case err == nil && os.SameFile(there, d.identity):
		return fmt.Errorf("%s is the database itself: name another file", dest)
	case err == nil && there.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it", dest)
	case err == nil && !there.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file: name another, or use - for standard output", dest)
	}
	// Its own connection: the writer's is for writing, and the readers' may not.
	pool, err := sql.Open("sqlite", dsn(d.real))
	if err != nil {
		return err
	}
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("back up %s: %w", d.path, unavailable(err))
	}
	defer conn.Close()
	return writeCopy(ctx, conn, dest, replace, progress)
}

// BackupTo is Backup to w, by way of a file beside the database, which has no
// name for others.
func (d *DB) BackupTo(ctx context.Context, w io.Writer, progress Progress) error {
	dest := fmt.Sprintf("%s.backup-%d", d.real, os.Getpid())
	if err := d.Backup(ctx, dest, true, progress); err != nil {
		return err
	}
	f, err := os.Open(dest)
	// Gone before it is written on: whoever reads it may go away.
	if err := errors.Join(err, os.Remove(dest)); err != nil {
		return cannot("open", dest, err)
	}
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// writeCopy is Backup through the connection conn.
func writeCopy(ctx context.Context, conn *sql.Conn, dest string, replace bool, progress Progress) error {
	if _, err := os.Lstat(dest); err == nil && !replace {
		return fmt.Errorf("%s exists already: name another file, or use --force to replace it", dest)
	}
	tmp, err := os.CreateTemp(filepath.Dir(dest), filepath.Base(dest)+".new-*") // of mode 0600
	if err != nil {
		return cannot("create", dest, err)
	}
	defer func() {
		tmp.Close()
		os.Remove(tmp.Name())
		os.Remove(tmp.Name() + "-journal") // of a copy that was interrupted
	}()
	if progress != nil {
		done := make(chan struct{})
		defer close(done)
		go watchSize(tmp, databaseSize(ctx, conn), progress, done)
	}
	if _, err := conn.ExecContext(ctx, "VACUUM INTO ?", tmp.Name()); err != nil {
		return fmt.Errorf("copy the database to %s: %w", dest, unavailable(err))
	}
	if err := verify(ctx, tmp.Name()); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		return fmt.Errorf("the copy of the database for %s is damaged, and so may the database be: %w", dest, err)
	}
	if err := tmp.Sync(); err != nil {
		return cannot("write", dest, err)
	}
	if replace {
		err = os.Rename(tmp.Name(), dest)
	} else if err = os.Link(tmp.Name(), dest); err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(tmp.Name(), dest) // a file system without links
	}
	if err != nil {
		return cannot("create", dest, err)
	}
	return syncFolder(filepath.Dir(dest))
}

// databaseSize returns how large the database is, in bytes; 0 if that cannot
// be said.
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

// A Schedule is when and where BackupEvery makes copies.
type Schedule struct {
	Dir   string        // created if there is none
	Every time.Duration // from one copy to the next
	Keep  int           // how many to keep; older ones are removed
}

// retryBackup is how soon a backup that failed is tried again.
const retryBackup = time.Minute

const backupTime = "20060102-150405" // in UTC, in the name of the copy

// BackupEvery makes copies by the schedule until ctx ends. A failure is logged
// and tried again. What is due when it begins depends on the copies that are
// there, so that a restart neither skips nor repeats one.
func (d *DB) BackupEvery(ctx context.Context, s Schedule, log *slog.Logger) {
	for {
		wait := time.Until(s.due(d.path))
		if wait <= 0 {
			dest := s.name(d.path, time.Now())
			start := time.Now()
			if err := s.run(ctx, d, dest); err != nil && ctx.Err() == nil {
				log.Error("the scheduled backup failed; it will be tried again", "file", dest, "error", err)
				wait = min(retryBackup, s.Every)
			} else if err == nil {
				log.Info("backed up", "file", dest, "took", time.Since(start).Round(time.Millisecond))
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// run makes one copy and removes those that are too old.
func (s Schedule) run(ctx context.Context, d *DB, dest string) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return cannot("create", s.Dir, err)
	}
	prefix, suffix := s.parts(d.path)
	leftovers, err := filepath.Glob(prefix + "*" + suffix + ".new-*") // of a run that was killed
	for _, name := range leftovers {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		return err
	}
	if err := d.Backup(ctx, dest, true, nil); err != nil {
		return err
	}
	copies, err := s.copies(d.path)
	for len(copies) > s.Keep && err == nil {
		err = os.Remove(copies[0])
		copies = copies[1:]
	}
	return err
}

// parts are what the names of the copies of the database at path begin and
// end with.
func (s Schedule) parts(path string) (prefix, suffix string) {
	suffix = filepath.Ext(path)
	return filepath.Join(s.Dir, strings.TrimSuffix(filepath.Base(path), suffix)+"-"), suffix
}

func (s Schedule) name(path string, at time.Time) string {
	prefix, suffix := s.parts(path)
	return prefix + at.UTC().Format(backupTime) + suffix
}

// copies lists the copies there are, oldest first.
func (s Schedule) copies(path string) ([]string, error) {
	entries, err := os.ReadDir(s.Dir) // sorted by name, so by time
	if err != nil {
		return nil, cannot("list", s.Dir, err)
	}
	var copies []string
	for _, e := range entries {
		name := filepath.Join(s.Dir, e.Name())
		// One from the future was made when the clock was wrong.
		if at, ok := s.time(path, name); ok && !at.After(time.Now()) {
			copies = append(copies, name)
		}
	}
	return copies, nil
}

// time returns when the copy of that name was begun; not ok if the file is no
// copy.
func (s Schedule) time(path, name string) (at time.Time, ok bool) {
	prefix, suffix := s.parts(path)
	stamp, ok1 := strings.CutPrefix(name, prefix)
	stamp, ok2 := strings.CutSuffix(stamp, suffix)
	at, err := time.Parse(backupTime, stamp)
	return at, ok1 && ok2 && err == nil
}

// due returns when the next copy is to be made.
func (s Schedule) due(path string) time.Time {
	copies, err := s.copies(path)
	if err != nil || len(copies) == 0 {
		return time.Time{}
	}
	last, _ := s.time(path, copies[len(copies)-1])
	return last.Add(s.Every)
}

// verify checks that the database file at path, which nobody writes, is sound.
func verify(ctx context.Context, path string) error {
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
	return nil
}
