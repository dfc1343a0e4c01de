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

// Schedule configures BackupEvery.
type Schedule struct {
	Dir   string        // the folder of the backups; created if it does not exist
	Every time.Duration // from one backup to the next
	Keep  int           // how many backups to keep; BackupEvery removes older ones
}

// retryBackup is the time until a failed backup is tried again.
const retryBackup = time.Minute

// backupTimeFormat is the format of the time in the name of a backup. The time is in UTC.
const backupTimeFormat = "20060102-150405"

// backupTime matches the part of a backup's name between the name of the database and
// its ending: the time, and a number if another backup has the same name.
var backupTime = regexp.MustCompile(`^-([0-9]{8}-[0-9]{6})(-[0-9]+)?$`)

// leftoverName matches the name of the temporary file of a scheduled backup.
var leftoverName = regexp.MustCompile(`^.*-[0-9]{8}-[0-9]{6}(-[0-9]+)?(\.[^.]*)?` + regexp.QuoteMeta(tempInfix) + `[0-9]+$`)

// scheduledBackup is a backup that BackupEvery has made.
type scheduledBackup struct {
	path string
	at   time.Time // when the backup began, from its name
}

// BackupEvery makes backups according to the schedule until ctx is cancelled. It logs
// an error and tries again. The next backup is due schedule.Every after the newest one
// in the folder, so that a restart of the process neither skips nor repeats a backup.
// Several databases may use the same folder: BackupEvery counts and removes only
// backups of this database, which have the same Identity and the same beginning of the
// name. It leaves a backup alone that its owner has renamed.
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

// nextBackup returns the time at which the next backup is due.
func (s *Store) nextBackup(ctx context.Context, schedule Schedule) time.Time {
	backups, err := s.backupsIn(ctx, schedule.Dir)
	if err != nil || len(backups) == 0 {
		return time.Time{}
	}
	return backups[len(backups)-1].at.Add(schedule.Every)
}

// backupInto makes one backup, removes the oldest backups beyond schedule.Keep, and
// returns the name of the new backup.
func (s *Store) backupInto(ctx context.Context, schedule Schedule) (string, error) {
	if err := os.MkdirAll(schedule.Dir, 0o700); err != nil {
		return "", Cannot("create", schedule.Dir, err)
	}
	removeLeftovers(schedule.Dir, func(name string) bool { return leftoverName.MatchString(name) })
	dest := s.freeName(schedule.Dir, time.Now())
	if err := s.Backup(ctx, dest, false, nil); err != nil {
		return dest, err
	}
	if err := s.removeOld(ctx, schedule); err != nil {
		s.log.Warn("old backups could not be removed", "folder", schedule.Dir, "error", err)
	}
	return dest, nil
}

// removeOld removes the oldest backups beyond schedule.Keep.
func (s *Store) removeOld(ctx context.Context, schedule Schedule) error {
	backups, err := s.backupsIn(ctx, schedule.Dir)
	for len(backups) > schedule.Keep && err == nil {
		err = os.Remove(backups[0].path)
		backups = backups[1:]
	}
	return err
}

// freeName returns an unused name for a backup that begins at that time.
func (s *Store) freeName(dir string, at time.Time) string {
	ending := filepath.Ext(s.path)
	stem := filepath.Join(dir, strings.TrimSuffix(filepath.Base(s.path), ending)+"-"+at.UTC().Format(backupTimeFormat))
	name := stem + ending
	for n := 2; ; n++ {
		if _, err := os.Lstat(name); err != nil {
			return name
		}
		name = fmt.Sprintf("%s-%d%s", stem, n, ending)
	}
}

// backupsIn lists the scheduled backups of this database in a folder, oldest first.
func (s *Store) backupsIn(ctx context.Context, dir string) ([]scheduledBackup, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, Cannot("list", dir, err)
	}
	identity, err := s.identify(ctx, s.real)
	if err != nil {
		return nil, err
	}
	ending := filepath.Ext(s.path)
	stem := strings.TrimSuffix(filepath.Base(s.path), ending)
	var backups []scheduledBackup
	for _, e := range entries {
		rest, ok1 := strings.CutPrefix(e.Name(), stem)
		rest, ok2 := strings.CutSuffix(rest, ending)
		name := backupTime.FindStringSubmatch(rest)
		if !ok1 || !ok2 || name == nil || !e.Type().IsRegular() {
			continue
		}
		at, err := time.Parse(backupTimeFormat, name[1])
		if err != nil || at.After(time.Now()) { // a backup with a future time was made with a wrong clock
			continue
		}
		b := scheduledBackup{filepath.Join(dir, e.Name()), at}
		if id, err := s.identify(ctx, b.path); err == nil && id == identity {
			backups = append(backups, b)
		}
	}
	slices.SortStableFunc(backups, func(a, b scheduledBackup) int { return a.at.Compare(b.at) })
	return backups, nil
}

// identify returns the Identity of the open database, if path is its path, or of the
// backup at path.
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
