//go:build unix

package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"onenow/db/dbtest"
)

// untilBackedUp waits until a folder has that many backups of this year or later.
func untilBackedUp(t *testing.T, dir string, want int) {
	t.Helper()
	made := regexp.MustCompile(`-20(2[6-9]|[3-9][0-9])[0-9]{4}-[0-9]{6}(-[0-9]+)?\.db$`)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		entries, _ := os.ReadDir(dir)
		got := 0
		for _, e := range entries {
			if made.MatchString(e.Name()) {
				got++
			}
		}
		if got == want {
			time.Sleep(100 * time.Millisecond) // until it has removed the oldest backups
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d new backups in %s, want %d", got, dir, want)
		}
	}
}

// TestTwoShopsOneBackupDir runs two shops whose database files have the same name and
// whose backups go to one folder. Each shop keeps the given number of its own backups.
func TestTwoShopsOneBackupDir(t *testing.T) {
	root := t.TempDir()
	backups := filepath.Join(root, "back[ups]") // must not be used as a pattern
	shops := map[string]string{}
	for _, name := range []string{"lahore", "multan"} {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		onenow(t, dir, "pass123\n", 0, "create-user", name)
		shops[name] = dir
	}
	if err := os.Mkdir(backups, 0o700); err != nil {
		t.Fatal(err)
	}
	// A backup that its owner has renamed to keep it.
	kept := filepath.Join(backups, "before the move onenow-20250101-000000.db")
	onenow(t, shops["lahore"], "", 0, "backup", kept)
	// Older backups of both shops, of which each shop must remove one, and the temporary
	// file of a running onenow backup.
	for i, name := range []string{"lahore", "multan", "lahore", "multan"} {
		onenow(t, shops[name], "", 0, "backup", filepath.Join(backups, fmt.Sprintf("onenow-2025010%d-000000.db", i+1)))
	}
	manual, err := os.OpenFile(filepath.Join(backups, "onenow-20250109-000000.db.new-1"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer manual.Close()
	if err := syscall.Flock(int(manual.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(backups, "onenow-20250109-000000.db.new-2")
	if err := os.WriteFile(dead, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	makeOld(t, dead)
	before := 0
	for _, dir := range shops {
		p := serve(t, dir, "--backup-dir", backups, "--backup-keep", "2")
		untilBackedUp(t, backups, before+1)
		before++
		p.stop(os.Interrupt)
	}
	whose := map[string]int{}
	entries, err := os.ReadDir(backups)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.Contains(e.Name(), ".new-") && e.Name() != filepath.Base(kept) {
			whose[read(t, filepath.Join(backups, e.Name()), "SELECT username FROM users")]++
		}
	}
	if whose["lahore"] != 2 || whose["multan"] != 2 {
		t.Errorf("got backups %v, want 2 of each shop", whose)
	}
	if _, err := os.Stat(manual.Name()); err != nil {
		t.Errorf("the temporary file of a running backup: %v", err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("a copy with a name of its own: %v", err)
	}
	if _, err := os.Stat(dead); err == nil {
		t.Error("the temporary file of a dead process is still there")
	}
}

// TestBackupsAtOnce runs several backups to one file at the same time. None removes the
// files of another.
func TestBackupsAtOnce(t *testing.T) {
	dir := t.TempDir()
	p, _ := fleet(t, dir)
	p.stop(os.Interrupt)
	pad(t, filepath.Join(dir, "onenow.db"), 50_000)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for range 20 {
				cmd := exec.Command(binary, "backup", "--force", "copy.db")
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			}
		})
	}
	all.Wait()
	if got := files(t, dir); got != "copy.db onenow.db" {
		t.Errorf("got files %s", got)
	}
}

// TestOrphanInBackup backs up a file with a row that refers to a row that does not exist.
// The backup has the row, too, and the command prints a warning.
func TestOrphanInBackup(t *testing.T) {
	dir := t.TempDir()
	p, _ := fleet(t, dir)
	p.stop(os.Interrupt)
	dbtest.Exec(t, filepath.Join(dir, "onenow.db"), `
		DROP TRIGGER bookings_insert_orphan;
		INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (99, '2025-07-20', '2025-07-25')`)
	_, stderr := onenow(t, dir, "", 0, "backup", "copy.db")
	if !strings.Contains(stderr, "refer to rows that do not exist") || !strings.Contains(stderr, "rows=1") {
		t.Errorf("got %q, want a warning", stderr)
	}
	if got := dbtest.Count(t, filepath.Join(dir, "copy.db"), "bookings"); got != 1 {
		t.Errorf("got %d bookings in the copy, want 1", got)
	}
	p = serve(t, dir, "--backup-dir", "backups")
	untilBackedUp(t, filepath.Join(dir, "backups"), 1)
	p.stop(os.Interrupt)
}

// TestBackupToOutputLeavesNothing interrupts and kills backups to standard output. After
// the next backup, no temporary file is left.
func TestBackupToOutputLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	p, _ := fleet(t, dir)
	p.stop(os.Interrupt)
	pad(t, filepath.Join(dir, "onenow.db"), 300_000)
	for _, sig := range []os.Signal{os.Interrupt, os.Kill} {
		for _, after := range []time.Duration{30, 100, 200, 400} {
			cmd := exec.Command(binary, "backup", "-")
			cmd.Dir = dir
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(after * time.Millisecond)
			_ = cmd.Process.Signal(sig)
			_ = cmd.Wait()
			if got := files(t, dir); sig == os.Interrupt && got != "onenow.db" {
				t.Errorf("after %v and %v: got files %s", after, sig, got)
			}
		}
	}
	for _, name := range strings.Fields(files(t, dir)) {
		if name != "onenow.db" {
			makeOld(t, filepath.Join(dir, name))
		}
	}
	onenow(t, dir, "", 0, "backup", "-")
	if got := files(t, dir); got != "onenow.db" {
		t.Errorf("got files %s, want onenow.db alone", got)
	}
}

// makeOld makes a file as old as one that a process left an hour ago.
func makeOld(t *testing.T, path string) {
	t.Helper()
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
}
