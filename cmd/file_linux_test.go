package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"onenow/db/dbtest"
)

const overwritten = `{"detail":"The database file has been overwritten: nothing was saved. Restart onenow to use what the file holds now.","code":"storage_unavailable"}`

// overwrite copies a file over another one in place, as cp does.
func overwrite(t *testing.T, from, to string) []byte {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return text
}

// TestOverwritten copies a backup over the file of a running server, without and with
// concurrent writes. From then on, the server answers 503, and does not change the file.
// With writes, the copy competes with the write that restarts the WAL, so the test tries
// several times.
func TestOverwritten(t *testing.T) {
	for round := range 7 {
		busy := round > 0
		t.Run(fmt.Sprintf("busy=%v", busy), func(t *testing.T) {
			t.Parallel() // what was begun may take some seconds to fail
			dir := t.TempDir()
			path, backup := filepath.Join(dir, "onenow.db"), filepath.Join(dir, "backup.db")
			p, token := fleet(t, dir)
			book := func(car, n int) (int, string) {
				day := time.Date(2025, 1, 1+n, 0, 0, 0, 0, time.UTC)
				return p.post("/bookings/", token, fmt.Sprintf(`{"vehicle":%d,"start_date":"%s","end_date":"%s"}`,
					car, day.Format(time.DateOnly), day.AddDate(0, 0, 1).Format(time.DateOnly)))
			}
			if status, body := book(1, 0); status != 201 {
				t.Fatalf("got %d %s", status, body)
			}
			onenow(t, dir, "", 0, "backup", backup)
			for n := 1; n < 200; n++ { // so that the file is larger than the backup and has other pages
				if status, body := book(1, n); status != 201 {
					t.Fatalf("got %d %s", status, body)
				}
			}
			stop := make(chan struct{})
			var writing sync.WaitGroup
			if busy {
				for car := 2; car <= writers; car++ {
					writing.Go(func() {
						for n := 0; ; n++ {
							select {
							case <-stop:
								return
							default:
							}
							if status, body := book(car, n); status != 201 && status != 503 {
								t.Errorf("got %d %s", status, body)
							}
						}
					})
				}
				time.Sleep(300 * time.Millisecond)
			} else {
				time.Sleep(500 * time.Millisecond) // until the WAL is empty
			}
			want := overwrite(t, backup, path)
			for n := range 5 {
				if status, body := book(1, 1000+n); status != 503 || body != overwritten {
					t.Errorf("POST: got %d %s, want 503 %s", status, body, overwritten)
				}
			}
			close(stop)
			writing.Wait()
			for _, get := range []string{"/readyz", "/bookings/", "/vehicles/1/"} {
				if status, body := p.get(get, token); status != 503 || body != overwritten {
					t.Errorf("%s: got %d %s, want 503 %s", get, status, body, overwritten)
				}
			}
			p.stop(os.Interrupt)
			if !strings.Contains(p.log.String(), "another program has overwritten the database file") {
				t.Errorf("the log does not mention it:\n%s", p.log)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v: the file is not as the copy left it", err)
			}
			onenow(t, dir, "", 0, "check")
			p = serve(t, dir)
			if status, body := p.get("/bookings/", token); status != 200 || strings.Count(body, `"id"`) != 1 {
				t.Errorf("after a restart: got %d %s, want the backup's booking", status, body)
			}
			if status, body := book(1, 7); status != 201 {
				t.Errorf("after a restart: got %d %s", status, body)
			}
			p.stop(os.Interrupt)
			onenow(t, dir, "", 0, "check")
		})
	}
}

// TestNotOverwritten runs other programs that use the file without overwriting it. None of
// them stops the server.
func TestNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "onenow.db")
	p, token := fleet(t, dir)
	for n := range 20 {
		switch n % 4 {
		case 0: // a shell that writes and runs a checkpoint
			dbtest.Exec(t, path, "PRAGMA wal_checkpoint(PASSIVE); UPDATE users SET created_at = created_at + 1; PRAGMA wal_checkpoint(TRUNCATE)")
		case 1: // a copy
			if _, err := slowCopy(path, filepath.Join(t.TempDir(), "copy.db"), 0); err != nil {
				t.Fatal(err)
			}
		case 2: // another onenow
			onenow(t, dir, "pass123\n", 0, "create-user", fmt.Sprint("user", n))
		case 3: // a pause until the WAL is empty
			time.Sleep(200 * time.Millisecond)
		}
		day := time.Date(2025, 1, 1+n, 0, 0, 0, 0, time.UTC)
		status, body := p.post("/bookings/", token, fmt.Sprintf(`{"vehicle":1,"start_date":"%s","end_date":"%s"}`,
			day.Format(time.DateOnly), day.AddDate(0, 0, 1).Format(time.DateOnly)))
		if status != 201 {
			t.Fatalf("%d: got %d %s", n, status, body)
		}
	}
	p.untilReady(200)
	p.stop(os.Interrupt)
	onenow(t, dir, "", 0, "check")
}

// TestTouched sets the file's modification time while bookings are written. No other
// program has the file open, so all bookings are answered and stored.
func TestTouched(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "onenow.db")
	p, token := fleet(t, dir)
	const bookings = 400
	for n := range bookings {
		if n%40 == 20 {
			if out, err := exec.Command("touch", path).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		day := time.Date(2025, 1, 1+n, 0, 0, 0, 0, time.UTC)
		status, body := p.post("/bookings/", token, fmt.Sprintf(`{"vehicle":1,"start_date":"%s","end_date":"%s"}`,
			day.Format(time.DateOnly), day.AddDate(0, 0, 1).Format(time.DateOnly)))
		if status != 201 {
			t.Fatalf("%d: got %d %s", n, status, body)
		}
	}
	p.stop(os.Interrupt)
	if got := dbtest.Count(t, path, "bookings"); got != bookings {
		t.Errorf("got %d bookings, want %d", got, bookings)
	}
}

// TestCompanionRemoved has somebody remove the log of the file that is served, or the
// log's index. A write would be lost in a crash, and another process would get a new
// log or index: what the two write would destroy each other.
func TestCompanionRemoved(t *testing.T) {
	for _, ending := range []string{"-wal", "-shm"} {
		t.Run(ending, func(t *testing.T) {
			dir := t.TempDir()
			p, token := fleet(t, dir)
			if err := os.Remove(filepath.Join(dir, "onenow.db"+ending)); err != nil {
				t.Fatal(err)
			}
			_, stderr := onenow(t, dir, "pass123\n", 1, "create-user", "clerk")
			sentence(t, stderr, "onenow.db"+ending+" has been removed", "stop that program first")
			status, body := p.post("/bookings/", token, `{"vehicle":1,"start_date":"2025-07-20","end_date":"2025-07-25"}`)
			if status != 503 || !strings.Contains(body, "moved or replaced") {
				t.Errorf("got %d %s, want a refusal", status, body)
			}
			if status, body := p.get("/readyz", ""); status != 503 {
				t.Errorf("/readyz: got %d %s", status, body)
			}
			p.stop(os.Interrupt)
			onenow(t, dir, "", 0, "check")
			if got := dbtest.Count(t, filepath.Join(dir, "onenow.db"), "vehicles"); got != writers {
				t.Errorf("got %d vehicles, want %d", got, writers)
			}
			onenow(t, dir, "pass123\n", 0, "create-user", "clerk")
		})
	}
}

// TestSecondName starts with a file that has two names (hard links). serve refuses it,
// because SQLite would use two -wal files.
func TestSecondName(t *testing.T) {
	dir := t.TempDir()
	onenow(t, dir, "pass123\n", 0, "create-user", "shop")
	if err := os.Mkdir(filepath.Join(dir, "other"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "onenow.db"), filepath.Join(dir, "other", "shop.db")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve", "--addr", "127.0.0.1:0"}, {"create-user", "clerk"}, {"backup", "copy.db"}} {
		_, stderr := onenow(t, dir, "pass123\n", 1, args...)
		sentence(t, stderr, "2 names (hard links)", "mount the folder")
	}
	if _, stderr := onenow(t, dir, "", 0, "check"); !strings.Contains(stderr, "2 names (hard links)") {
		t.Errorf("check: got %q, want a warning", stderr)
	}
	if err := os.Remove(filepath.Join(dir, "other", "shop.db")); err != nil {
		t.Fatal(err)
	}
	onenow(t, dir, "pass123\n", 0, "create-user", "clerk")
}

// TestNameLeftByCrash opens a file that still has its temporary name, as after a crash
// during the first start. onenow removes that name.
func TestNameLeftByCrash(t *testing.T) {
	dir := t.TempDir()
	onenow(t, dir, "pass123\n", 0, "create-user", "shop")
	if err := os.Link(filepath.Join(dir, "onenow.db"), filepath.Join(dir, "onenow.db.new-123")); err != nil {
		t.Fatal(err)
	}
	onenow(t, dir, "pass123\n", 0, "create-user", "clerk")
	if got := files(t, dir); got != "onenow.db" {
		t.Errorf("got files %s, want onenow.db alone", got)
	}
}

// TestMountedFile starts with a file that is a mount point, such as a single file mounted
// into a container. serve refuses it.
func TestMountedFile(t *testing.T) {
	dir := t.TempDir()
	onenow(t, dir, "pass123\n", 0, "create-user", "shop")
	inside := filepath.Join(dir, "inside")
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(inside, "onenow.db")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mount := fmt.Sprintf("mount --bind %q %q", filepath.Join(dir, "onenow.db"), target)
	if out, err := exec.Command("unshare", "-m", "sh", "-c", mount).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a file here: %v %s", err, out)
	}
	out, err := exec.Command("unshare", "-m", "sh", "-c", mount+fmt.Sprintf(" && exec %q serve --addr 127.0.0.1:0 --db %q", binary, target)).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is a mount point") || !strings.Contains(string(out), "mount the folder") {
		t.Errorf("got %v %s, want a refusal", err, out)
	}
}

// TestDamageShows damages the file of a running server. Requests for the damaged part get
// 503, and so does /readyz after the first of them.
func TestDamageShows(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "onenow.db")
	p, token := fleet(t, dir)
	if status, body := p.post("/bookings/", token, `{"vehicle":1,"start_date":"2025-07-20","end_date":"2025-07-25"}`); status != 201 {
		t.Fatalf("got %d %s", status, body)
	}
	p.stop(os.Interrupt)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	root := read(t, path, "SELECT rootpage FROM sqlite_schema WHERE name = 'bookings_vehicle_id_dates'")
	var page int64
	if _, err := fmt.Sscan(root, &page); err != nil {
		t.Fatalf("%v in %q", err, root)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 4096), (page-1)*4096); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	p = serve(t, dir)
	if status, body := p.get("/readyz", ""); status != 200 {
		t.Errorf("/readyz: got %d %s before SQLite has read the damaged part", status, body)
	}
	const want = `{"detail":"The database file is damaged: nothing was saved. Run onenow check, and put a backup in its place.","code":"storage_unavailable"}`
	if status, body := p.get("/bookings/?start_before=2030-01-01", token); status != 503 || body != want {
		t.Errorf("got %d %s, want 503 %s", status, body, want)
	}
	if status, body := p.get("/readyz", ""); status != 503 || body != want {
		t.Errorf("/readyz: got %d %s, want 503 %s", status, body, want)
	}
	if status, body := p.get("/vehicles/", token); status != 200 {
		t.Errorf("the sound part: got %d %s", status, body)
	}
	p.stop(os.Interrupt)
}

// TestReadyzWritesNothing requests /readyz of a server without problems. The file does not
// change.
func TestReadyzWritesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "onenow.db")
	p, _ := fleet(t, dir)
	time.Sleep(300 * time.Millisecond) // until the WAL is empty
	before := read(t, path, "PRAGMA data_version")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		time.Sleep(600 * time.Millisecond)
		p.untilReady(200)
	}
	log, err := os.Stat(path + "-wal")
	if err != nil || log.Size() != 0 {
		t.Errorf("got %v, %v for the -wal file, want an empty one", log, err)
	}
	if now, err := os.Stat(path); err != nil || !now.ModTime().Equal(info.ModTime()) || read(t, path, "PRAGMA data_version") != before {
		t.Error("the file has changed")
	}
	p.stop(os.Interrupt)
}
