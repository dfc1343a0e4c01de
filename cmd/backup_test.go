package cmd_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"onenow/db/dbtest"
)

// TestBackup runs onenow backup while serve stores bookings, and after serve has stopped.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	p, token := fleet(t, dir)
	l := newLedger()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() { l.write(ctx, p, token, 1+i, 0) })
	}
	check := func(name string, known []record) {
		t.Helper()
		copied := filepath.Join(dir, name)
		if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want mode 0600", name, info, err)
		}
		if out, _ := onenow(t, dir, "", 0, "check", name); !strings.HasPrefix(out, name+" is sound: version 2, users: 1, vehicles: 8, bookings: ") {
			t.Errorf("got %s", out)
		}
		if err := l.lost(copied, known); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range 5 {
		name := fmt.Sprintf("copy%d.db", i)
		known := l.soFar()
		if out, _ := onenow(t, dir, "", 0, "backup", name); out != "backed up onenow.db to "+name+"\n" {
			t.Errorf("got %q", out)
		}
		check(name, known)
	}
	_, stderr := onenow(t, dir, "", 1, "backup", "copy0.db")
	sentence(t, stderr, "copy0.db already exists", "--force")
	known := l.soFar()
	onenow(t, dir, "", 0, "backup", "copy0.db", "--force")
	check("copy0.db", known)
	known = l.soFar()
	out, _ := onenow(t, dir, "", 0, "backup", "-")
	if err := os.WriteFile(filepath.Join(dir, "piped.db"), []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	check("piped.db", known)
	_, stderr = onenow(t, dir, "", 1, "backup", "./onenow.db", "--force")
	sentence(t, stderr, "./onenow.db is the database itself")
	for dest, want := range map[string]string{"/dev/null": "is not a regular file", ".": "is a folder", "": "the name of the backup is empty"} {
		_, stderr = onenow(t, dir, "", 1, "backup", "--force", dest)
		sentence(t, stderr, want)
	}
	gone := exec.Command("sh", "-c", binary+" backup - | head -c 100 > /dev/null")
	gone.Dir = dir
	if out, err := gone.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	_, stderr = onenow(t, dir, "", 1, "backup", "no/where.db")
	sentence(t, stderr, "the folder no does not exist")
	cancel()
	clients.Wait()
	p.stop(os.Interrupt)
	onenow(t, dir, "", 0, "backup", "stopped.db")
	check("stopped.db", l.answered)
	if got := files(t, dir); got != "copy0.db copy1.db copy2.db copy3.db copy4.db onenow.db piped.db stopped.db" {
		t.Errorf("got files %s", got)
	}
	// A restored backup has everything, including the sign-ins.
	if err := os.Rename(filepath.Join(dir, "stopped.db"), filepath.Join(dir, "onenow.db")); err != nil {
		t.Fatal(err)
	}
	p = serve(t, dir)
	if status, body := p.get("/bookings/", token); status != 200 || strings.Count(body, `"id"`) != len(l.answered) {
		t.Errorf("got %d and %d bookings, want %d", status, strings.Count(body, `"id"`), len(l.answered))
	}
}

// TestScheduledBackups starts with a folder that cannot be created, then with a folder
// that has backups of earlier days. The server removes the oldest of them.
func TestScheduledBackups(t *testing.T) {
	dir := t.TempDir()
	backups := filepath.Join(dir, "backups")
	if err := os.WriteFile(backups, nil, 0o600); err != nil { // a file with the name of the folder
		t.Fatal(err)
	}
	p := serve(t, dir, "--backup-dir", "backups", "--backup-keep", "3")
	time.Sleep(500 * time.Millisecond) // until it has tried
	p.stop(syscall.SIGTERM)
	if !strings.Contains(p.log.String(), "the scheduled backup failed; it will be tried again") {
		t.Errorf("the log does not mention the failure:\n%s", p.log)
	}
	if err := os.Remove(backups); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(backups, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"onenow-20250101-000000.db", "onenow-20250102-000000.db", "onenow-20250103-000000.db", "onenow-20250104-000000.db", "onenow-mine.db", "onenow-20990101-000000.db"} {
		onenow(t, dir, "", 0, "backup", filepath.Join("backups", name))
	}
	kept := func() []string {
		var names []string
		for _, name := range strings.Fields(files(t, backups)) {
			if !strings.Contains(name, ".new-") {
				names = append(names, name)
			}
		}
		return names
	}
	p = serve(t, dir, "--backup-dir", "backups", "--backup-keep", "3")
	deadline := time.Now().Add(20 * time.Second)
	for len(kept()) != 5 {
		if time.Now().After(deadline) {
			t.Fatalf("got backups %v", kept())
		}
		time.Sleep(20 * time.Millisecond)
	}
	names := kept()
	if names[0] != "onenow-20250103-000000.db" || names[1] != "onenow-20250104-000000.db" || names[3] != "onenow-20990101-000000.db" || names[4] != "onenow-mine.db" {
		t.Errorf("got backups %v", names)
	}
	onenow(t, dir, "", 0, "check", filepath.Join("backups", names[2]))
	p.stop(syscall.SIGTERM)
	if strings.Contains(files(t, backups), ".new-") {
		t.Errorf("got files %s, want no leftovers", files(t, backups))
	}
	// A restarted server makes no backup before the next one is due.
	p = serve(t, dir, "--backup-dir", "backups", "--backup-keep", "3")
	time.Sleep(200 * time.Millisecond)
	p.stop(syscall.SIGTERM)
	if got := kept(); len(got) != 5 || got[2] != names[2] {
		t.Errorf("got backups %v after a restart", got)
	}
	_, stderr := onenow(t, dir, "", 1, "serve", "--backup-dir", "x", "--backup-every", "1s")
	sentence(t, stderr, "--backup-every")
}

// TestStopDuringCopy stops the server while another program copies the file. The copy is
// sound, and afterwards the file is complete.
func TestStopDuringCopy(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "onenow.db")
	p, token := fleet(t, dir)
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := p.post("/bookings/", token, `{"vehicle":1,"start_date":"2025-01-01","end_date":"2025-01-02"}`); status != 201 {
		t.Fatalf("got %d %s", status, body)
	}
	time.Sleep(300 * time.Millisecond) // longer than the time until a checkpoint
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	during := make([]byte, len(before)+1)
	n, _ := in.ReadAt(during, 0)
	if string(during[:n]) != string(before) {
		t.Error("the file was written during a copy of it")
	}
	in.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.log)
	}
	if got := files(t, dir); got != "onenow.db" {
		t.Errorf("got files %s, want onenow.db alone", got)
	}
	if got := dbtest.Count(t, path, "bookings"); got != 1 {
		t.Errorf("got %d bookings, want 1", got)
	}
}

// TestRestoreAfterCrash kills a server some time after its last write, and replaces its
// file with a backup. Nothing of the newer state gets into the restored file.
func TestRestoreAfterCrash(t *testing.T) {
	dir := t.TempDir()
	p, token := fleet(t, dir)
	onenow(t, dir, "", 0, "backup", "copy.db")
	if status, body := p.post("/bookings/", token, `{"vehicle":1,"start_date":"2025-01-01","end_date":"2025-01-02"}`); status != 201 {
		t.Fatalf("got %d %s", status, body)
	}
	wal := filepath.Join(dir, "onenow.db-wal")
	deadline := time.Now().Add(10 * time.Second)
	for info, err := os.Stat(wal); err == nil && info.Size() > 0; info, err = os.Stat(wal) {
		if time.Now().After(deadline) {
			t.Fatal("the WAL is not emptied")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	copied, err := os.ReadFile(filepath.Join(dir, "copy.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "onenow.db"), copied, 0o600); err != nil {
		t.Fatal(err)
	}
	p = serve(t, dir)
	if status, body := p.get("/bookings/", token); status != 200 || body != "[]" {
		t.Errorf("got %d %s, want the state of the backup", status, body)
	}
}
