package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Schedule is when and where BackupEvery makes copies.
type Schedule struct {
	Dir   string        // created if there is none
	Every time.Duration // from one copy to the next
	Keep  int           // how many to keep; older ones are removed
}

// retryBackup is how soon a backup that failed is tried again.
const retryBackup = time.Minute

const backupTime = "20060102-150405" // in UTC, in the name of the copy

// copyName is the name of a copy: the database's, the time, and a number if another
// copy has that name.
var copyName = regexp.MustCompile(`^.*-([0-9]{8}-[0-9]{6})(-[0-9]+)?(\.[^.]*)?$`)

// leftoverName is the name of a copy that was being made when its process died.
var leftoverName = regexp.MustCompile(`^.*-[0-9]{8}-[0-9]{6}(-[0-9]+)?(\.[^.]*)?` + regexp.QuoteMeta(tempMark) + `[0-9]+$`)

// scheduled is a copy that BackupEvery has made.
type scheduled struct {
	path string
	at   time.Time // when it was begun
}

// BackupEvery makes copies by the schedule until ctx ends. A failure is logged
// and tried again. The copies that are there say when the next one is due, so that
// a restart neither skips nor repeats one. Several databases may share a folder: a
// copy belongs to the database with the same Identity.
func (s *Store) BackupEvery(ctx context.Context, schedule Schedule) {
	for {
		wait := time.Until(s.nextBackup(ctx, schedule))
		if wait <= 0 {
			start := time.Now()
			dest, err := s.backupInto(ctx, schedule)
			if err != nil && ctx.Err() == nil {
				s.log.Error("the scheduled backup failed; it will be tried again", "folder", schedule.Dir, "error", err)
				wait = min(retryBackup, schedule.Every)
			} else if err == nil {
				s.log.Info("backed up", "file", dest, "took", time.Since(start).Round(time.Millisecond))
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// nextBackup returns when the next copy is due.
func (s *Store) nextBackup(ctx context.Context, schedule Schedule) time.Time {
	copies, err := s.copiesIn(ctx, schedule.Dir)
	if err != nil || len(copies) == 0 {
		return time.Time{}
	}
	return copies[len(copies)-1].at.Add(schedule.Every)
}

// backupInto makes one copy, whose name it returns, and removes those that are too
// old.
func (s *Store) backupInto(ctx context.Context, schedule Schedule) (string, error) {
	if err := os.MkdirAll(schedule.Dir, 0o700); err != nil {
		return "", Cannot("create", schedule.Dir, err)
	}
	removeLeftovers(schedule.Dir, func(name string) bool { return leftoverName.MatchString(name) })
	dest := s.freeName(schedule.Dir, time.Now())
	if err := s.Backup(ctx, dest, false, nil); err != nil {
		return dest, err
	}
	copies, err := s.copiesIn(ctx, schedule.Dir)
	for len(copies) > schedule.Keep && err == nil {
		err = os.Remove(copies[0].path)
		copies = copies[1:]
	}
	return dest, err
}

// freeName returns the name for a copy begun at that time, which no other file has.
func (s *Store) freeName(dir string, at time.Time) string {
	ending := filepath.Ext(s.path)
	stem := filepath.Join(dir, strings.TrimSuffix(filepath.Base(s.path), ending)+"-"+at.UTC().Format(backupTime))
	name := stem + ending
	for n := 2; ; n++ {
		if _, err := os.Lstat(name); err != nil {
			return name
		}
		name = fmt.Sprintf("%s-%d%s", stem, n, ending)
	}
}

// copiesIn lists the copies of this database in a folder, oldest first.
func (s *Store) copiesIn(ctx context.Context, dir string) ([]scheduled, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, Cannot("list", dir, err)
	}
	ours, err := s.identify(ctx, s.real)
	if err != nil {
		return nil, err
	}
	var copies []scheduled
	for _, e := range entries {
		name := copyName.FindStringSubmatch(e.Name())
		if name == nil || !e.Type().IsRegular() {
			continue
		}
		at, err := time.Parse(backupTime, name[1])
		if err != nil || at.After(time.Now()) { // a copy from the future was made when the clock was wrong
			continue
		}
		c := scheduled{filepath.Join(dir, e.Name()), at}
		if whose, err := s.identify(ctx, c.path); err == nil && whose == ours {
			copies = append(copies, c)
		}
	}
	slices.SortStableFunc(copies, func(a, b scheduled) int { return a.at.Compare(b.at) })
	return copies, nil
}

// identify returns the identity of a database: of the one that is open, or of a
// file that nobody writes.
func (s *Store) identify(ctx context.Context, path string) (id string, err error) {
	if path == s.real {
		return id, s.Single(ctx).QueryRow(s.format.Identity).Scan(&id)
	}
	f, err := openFile(path, os.O_RDONLY, s.format)
	if err != nil {
		return "", err
	}
	f.Close()
	pool, err := openImmutable(path)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	return id, pool.QueryRowContext(ctx, s.format.Identity).Scan(&id)
}
