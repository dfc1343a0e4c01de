package main_test

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

// TestBackup makes copies with onenow backup, while serve runs under writes and
// when it does not.
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
		if out, _ := onenow(t, dir, "", 0, "check", name); !strings.HasPrefix(out, name+" is sound: version 1, users: 1, vehicles: 8, bookings: ") {
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
	sentence(t, stderr, "copy0.db exists already", "--force")
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
	for dest, want := range map[string]string{"/dev/null": "is no regular file", ".": "is a folder", "": "no file is named"} {
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
	// A copy is a shop: put it back, and all is there, the sign-ins, too.
	if err := os.Rename(filepath.Join(dir, "stopped.db"), filepath.Join(dir, "onenow.db")); err != nil {
		t.Fatal(err)
	}
	p = serve(t, dir)
	if status, body := p.get("/bookings/", token); status != 200 || strings.Count(body, `"id"`) != len(l.answered) {
		t.Errorf("got %d and %d bookings, want %d", status, strings.Count(body, `"id"`), len(l.answered))
	}
}

// TestScheduledBackups starts with copies of earlier days, of which the oldest
// go, and a folder that cannot be made at first.
func TestScheduledBackups(t *testing.T) {
	dir := t.TempDir()
	backups := filepath.Join(dir, "backups")
	if err := os.WriteFile(backups, nil, 0o600); err != nil { // in the way
		t.Fatal(err)
	}
	p := serve(t, dir, "--backup-dir", "backups", "--backup-keep", "3")
	time.Sleep(500 * time.Millisecond) // for it to try
	p.stop(syscall.SIGTERM)
	if !strings.Contains(p.log.String(), "the scheduled backup failed; it will be tried again") {
		t.Errorf("the log does not tell of the failure:\n%s", p.log)
	}
	if err := os.Remove(backups); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(backups, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"onenow-20250101-000000.db", "onenow-20250102-000000.db", "onenow-20250103-000000.db", "onenow-20250104-000000.db", "onenow-mine.db", "onenow-20990101-000000.db", "onenow-20250105-000000.db.new-1"} {
		if err := os.WriteFile(filepath.Join(backups, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
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
	// A restart makes none before its time.
	p = serve(t, dir, "--backup-dir", "backups", "--backup-keep", "3")
	time.Sleep(200 * time.Millisecond)
	p.stop(syscall.SIGTERM)
	if got := kept(); len(got) != 5 || got[2] != names[2] {
		t.Errorf("got backups %v after a restart", got)
	}
	_, stderr := onenow(t, dir, "", 1, "serve", "--backup-dir", "x", "--backup-every", "1s")
	sentence(t, stderr, "--backup-every")
}

// TestCheck finds what is wrong with a file, and leaves it as it was.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "onenow.db")
	for name, c := range map[string]struct{ damage, want string }{
		"an overlap": {`DROP TRIGGER bookings_insert_overlap;
			INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (1, '2025-01-01', '2025-01-09'), (1, '2025-01-02', '2025-01-03'), (1, '2025-01-05', '2025-01-06')`,
			"the schema lacks the trigger bookings_insert_overlap\nbooking 2 of vehicle 1 begins before an earlier one has ended\nbooking 3 of vehicle 1 begins before an earlier one has ended\n"},
		"an orphan":                 {"INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (99, '2025-01-01', '2025-01-09')", "row 1 of bookings refers to a row of vehicles that does not exist\n"},
		"a table too many":          {"CREATE TABLE notes (x)", "the schema has a table notes that is not onenow's\n"},
		"an index of another":       {"DROP INDEX bookings_vehicle_id; CREATE INDEX bookings_vehicle_id ON bookings (id)", "the index bookings_vehicle_id is not as in schema.sql\n"},
		"a missing row of an index": {"PRAGMA writable_schema = 1; UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'sign_ins_user_id') WHERE name = 'bookings_vehicle_id'", "bookings_vehicle_id"},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(path)
			p, _ := fleet(t, dir)
			p.stop(os.Interrupt)
			dbtest.Exec(t, path, c.damage)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			out, stderr := onenow(t, dir, "", 1, "check")
			if !strings.Contains(out, c.want) {
				t.Errorf("got %s\nwant %s", out, c.want)
			}
			sentence(t, stderr, "onenow.db", "found wrong")
			if after, _ := os.ReadFile(path); string(after) != string(before) || files(t, dir) != "onenow.db" {
				t.Error("the file was touched")
			}
		})
	}
	if err := os.Truncate(path, 20_000); err != nil {
		t.Fatal(err)
	}
	onenow(t, dir, "", 1, "check")
	// Beside a server, and after a crash.
	_ = os.Remove(path)
	p, _ := fleet(t, dir)
	if out, _ := onenow(t, dir, "", 0, "check"); out != "onenow.db is sound: version 1, users: 1, vehicles: 8, bookings: 0\n" {
		t.Errorf("got %s", out)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	before := files(t, dir)
	if out, _ := onenow(t, dir, "", 0, "check"); out != "onenow.db is sound: version 1, users: 1, vehicles: 8, bookings: 0\n" {
		t.Errorf("got %s", out)
	}
	if got := files(t, dir); got != before {
		t.Errorf("got files %s, want %s", got, before)
	}
}

// TestNeverTwo has a second serve refused, and the other commands work beside
// the first.
func TestNeverTwo(t *testing.T) {
	dir := t.TempDir()
	p, token := fleet(t, dir)
	if err := os.Symlink("onenow.db", filepath.Join(dir, "link.db")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"onenow.db", "link.db"} {
		_, stderr := onenow(t, dir, "", 1, "serve", "--addr", "127.0.0.1:0", "--db", name)
		sentence(t, stderr, name+" is being served by another onenow")
	}
	onenow(t, dir, "", 0, "migrate")
	onenow(t, dir, "pass123\n", 0, "create-user", "second")
	p.login("second", "pass123")
	onenow(t, dir, "", 0, "backup", "copy.db")
	onenow(t, dir, "", 0, "check")
	if status, body := p.post("/bookings/", token, `{"vehicle":1,"start_date":"2025-01-01","end_date":"2025-01-02"}`); status != 201 {
		t.Errorf("got %d %s", status, body)
	}
	if err := p.cmd.Process.Kill(); err != nil { // the lock goes with the process
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	serve(t, dir)
}

// TestStopDuringCopy stops the server while a copy is under way: the copy is
// not disturbed, and the file is complete after.
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
	time.Sleep(300 * time.Millisecond) // past the quiet after which the file would be written
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

// TestRestoreAfterCrash puts a copy back over the file of a server that was
// killed while it was quiet: nothing of the newer state gets into it.
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
			t.Fatal("the log is not emptied")
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
		t.Errorf("got %d %s, want the state of the copy", status, body)
	}
}
