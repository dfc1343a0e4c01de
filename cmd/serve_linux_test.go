package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// untilReady waits until /readyz answers with that status. The server tries a write only
// once a second, so the answer may be one second old.
func (p *process) untilReady(want int) {
	p.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, body := p.get("/readyz", "")
		if status == want {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("got %d %s, want %d", status, body, want)
		}
	}
}

// TestLinkedFolder runs onenow in a working directory that was entered through a link.
func TestLinkedFolder(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.Mkdir(real, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PWD", link)
	p, token := fleet(t, link)
	if status, body := p.post("/bookings/", token, `{"vehicle":1,"start_date":"2025-01-01","end_date":"2025-01-02"}`); status != 201 {
		t.Fatalf("got %d %s", status, body)
	}
	copied := filepath.Join(dir, "copy.db")
	if _, err := slowCopy(filepath.Join(link, "onenow.db"), copied, 0); err != nil {
		t.Fatal(err)
	}
	if out, _ := onenow(t, dir, "", 0, "check", copied); !strings.Contains(out, "bookings: 1\n") {
		t.Errorf("got %s", out)
	}
	if err := os.Symlink(filepath.Join(real, "onenow.db"), filepath.Join(dir, "onenow.db")); err != nil {
		t.Fatal(err)
	}
	if out, _ := onenow(t, dir, "", 0, "check", "onenow.db"); !strings.Contains(out, "bookings: 1\n") {
		t.Errorf("got %s through a link", out)
	}
	p.stop(os.Interrupt)
	if got := files(t, real); got != "onenow.db" {
		t.Errorf("got files %s, want onenow.db alone", got)
	}
}

// TestTar runs tar on the file some time after the last write. tar does not wait in
// open(2), so onenow must not hold the lease then.
func TestTar(t *testing.T) {
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip("needs tar")
	}
	dir := t.TempDir()
	p, token := fleet(t, dir)
	if status, body := p.post("/bookings/", token, `{"vehicle":1,"start_date":"2025-01-01","end_date":"2025-01-02"}`); status != 201 {
		t.Fatalf("got %d %s", status, body)
	}
	var out []byte
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if out, err = exec.Command("tar", "-C", dir, "-cf", filepath.Join(dir, "x.tar"), "onenow.db").CombinedOutput(); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	elsewhere := t.TempDir()
	if out, err := exec.Command("tar", "-C", elsewhere, "-xf", filepath.Join(dir, "x.tar")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, _ := onenow(t, elsewhere, "", 0, "check"); !strings.Contains(out, "bookings: 1\n") {
		t.Errorf("got %s", out)
	}
}

// TestQuietAfterRefusal opens the file as tar does, some time after the server has refused
// a write. onenow does not hold the lease then.
func TestQuietAfterRefusal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, token := fleet(t, dir)
	const body = `{"vehicle":1,"start_date":"2025-01-01","end_date":"2025-01-02"}`
	for _, want := range []int{201, 409} {
		if status, text := p.post("/bookings/", token, body); status != want {
			t.Fatalf("got %d %s, want %d", status, text, want)
		}
		time.Sleep(2 * time.Second)
		f, err := os.OpenFile(filepath.Join(dir, "onenow.db"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatalf("after %d: %v", want, err)
		}
		f.Close()
	}
}

// smallDisk mounts a file system of size bytes until the test ends.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("cannot make a small disk here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill uses all the space in dir until the test calls free.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// TestDiskFull fills the disk again and again, at different stages of a write and of a
// checkpoint. While the disk is full, the server refuses writes and answers reads. No
// booking that was answered is lost. When the disk has space again, the server stores
// bookings again.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t, 6<<20)
	path := filepath.Join(dir, "onenow.db")
	p, token := fleet(t, dir)
	l := newLedger()
	book := func() (int, string) {
		r := l.prepare(1)
		status, body := p.post("/bookings/", token, fmt.Sprintf(`{"vehicle":1,"start_date":"%s","end_date":"%s"}`, r.start, r.end))
		if status == 201 {
			if _, err := fmt.Sscanf(body, `{"id":%d,`, &r.id); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			l.answer(r, 0)
		}
		return status, body
	}
	full, checkpoints := 0, 0
	for round := range 6 {
		for range 20 {
			if status, body := book(); status != 201 {
				t.Fatalf("with room: got %d %s", status, body)
			}
		}
		time.Sleep(time.Duration(round) * 24 * time.Millisecond) // into the checkpoint that follows
		free := fill(t, dir)
		for range 150 { // the WAL may have space for some of them
			status, body := book()
			if status == 201 {
				continue
			}
			full++
			if want := `{"detail":"The disk is full: nothing was saved. Free some space, then try again.","code":"storage_full"}`; status != 503 || body != want {
				t.Fatalf("without room: got %d %s\nwant 503 %s", status, body, want)
			}
			break
		}
		if status, body := p.get("/bookings/", token); status != 200 || strings.Count(body, `"id"`) != len(l.answered) {
			t.Errorf("without room: got %d and %d bookings, want %d", status, strings.Count(body, `"id"`), len(l.answered))
		}
		if round == 0 { // in later rounds, a restart of the WAL may make space in it
			p.untilReady(503)
		}
		known := l.soFar()
		elsewhere := filepath.Join(t.TempDir(), "copy.db") // on another disk
		if _, err := slowCopy(path, elsewhere, 0); err != nil {
			t.Fatal(err)
		}
		onenow(t, dir, "", 0, "check", elsewhere)
		lacking := l.lost(elsewhere, known)
		t.Logf("round %d: a copy made while the disk is full: %v", round, lacking)
		time.Sleep(150 * time.Millisecond) // enough time for a checkpoint, which has no space either
		free()
		p.untilReady(200)
	}
	p.stop(os.Interrupt)
	checkpoints = strings.Count(p.log.String(), "checkpoint failed")
	if err := l.lost(path, l.answered); err != nil {
		t.Error(err)
	}
	if got := files(t, dir); got != "onenow.db" {
		t.Errorf("got files %s, want onenow.db alone", got)
	}
	onenow(t, dir, "", 0, "check")
	t.Logf("%d bookings answered, %d refused because of the full disk, %d checkpoints failed", len(l.answered), full, checkpoints)
	if full == 0 {
		t.Error("the disk was never full")
	}
}

// TestFrozen freezes the server (SIGSTOP) while another program opens the file, until the
// kernel breaks the lease. The test takes a minute and runs only with ONENOW_FROZEN=1.
func TestFrozen(t *testing.T) {
	if os.Getenv("ONENOW_FROZEN") == "" {
		t.Skip("takes a minute; set ONENOW_FROZEN=1 to run it")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "onenow.db")
	p, token := fleet(t, dir)
	p.stop(os.Interrupt)
	pad(t, path, 100_000)
	p = serve(t, dir, "--log-format", "json")
	l := newLedger()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() { l.write(ctx, p, token, 1+i, 0) })
	}
	time.Sleep(300 * time.Millisecond)
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(47*time.Second, func() { _ = p.cmd.Process.Signal(syscall.SIGCONT) })
	copied := filepath.Join(dir, "copy.db")
	waited, err := slowCopy(path, copied, 2<<20)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := onenow(t, dir, "", 0, "check", copied)
	cancel()
	clients.Wait()
	p.stop(os.Interrupt)
	t.Logf("open took %v; %s", waited, out)
	if !strings.Contains(p.log.String(), "the kernel did not wait for a checkpoint") {
		t.Errorf("the log does not mention it:\n%s", p.log)
	}
	if err := l.lost(path, l.answered); err != nil {
		t.Error(err)
	}
}

// TestMemory signs in and stores bookings. Afterwards, the process uses little memory.
func TestMemory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	onenow(t, dir, "pass123\n", 0, "create-user", "shop")
	p := serve(t, dir)
	token := p.login("shop", "pass123")
	for i := range 200 {
		p.post("/vehicles/", token, fmt.Sprintf(`{"make":"Kia","model":"Rio","year":2020,"plate":"A-%d"}`, i))
		p.get("/vehicles/", token)
	}
	const most = 24 << 10 // kB
	var rss int
	for range 100 {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "VmRSS:")
		if _, err := fmt.Sscan(rest, &rss); err != nil {
			t.Fatal(err)
		}
		if rss < most {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("takes %d kB, want less than %d", rss, most)
}
