package cmd_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"onenow/db/dbtest"
)

// TestServe creates a database, takes a booking, stops, starts again, and still
// has the booking.
func TestServe(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		dir := t.TempDir()
		p := serve(t, dir)
		if status, body := p.post("/register/", "", `{"username":"user1","password":"pass123"}`); status != 201 {
			t.Fatalf("register: got %d %s", status, body)
		}
		token := p.login("user1", "pass123")
		p.post("/vehicles/", token, `{"make":"Toyota","model":"Corolla","year":2020,"plate":"ABC123"}`)
		p.post("/bookings/", token, `{"vehicle":1,"start_date":"2025-07-20","end_date":"2025-07-25"}`)
		p.stop(sig)
		if got := files(t, dir); got != "onenow.db" {
			t.Errorf("after %v: got files %s, want onenow.db alone", sig, got)
		}
		if info, err := os.Stat(filepath.Join(dir, "onenow.db")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("got %v, %v, want mode 0600", info, err)
		}
		for _, secret := range []string{"pass123", token, "ABC123"} {
			if strings.Contains(p.log.String(), secret) {
				t.Errorf("the log has %q:\n%s", secret, p.log)
			}
		}
		if !strings.Contains(p.log.String(), "method=POST route=/bookings/ status=201") {
			t.Errorf("the log lacks the booking:\n%s", p.log)
		}

		p = serve(t, dir, "--registration", "closed", "--log-format", "json")
		if status, body := p.post("/register/", "", `{"username":"user2","password":"x"}`); status != 403 {
			t.Errorf("register: got %d %s, want 403", status, body)
		}
		// The signing key is in the file, so a token is valid after a restart.
		status, body := p.post("/bookings/", token, `{"vehicle":1,"start_date":"2025-07-24","end_date":"2025-07-30"}`)
		if status != 409 {
			t.Errorf("got %d %s, want 409", status, body)
		}
		p.stop(sig)
		for line := range strings.Lines(p.log.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("the log is not JSON: %s", line)
			}
		}
	}
}

// TestRefreshTokensFlag exchanges a refresh token that was exchanged a minute ago. With
// keep it still works, by the flag and by its variable. With rotate, as without the
// flag, it does not.
func TestRefreshTokensFlag(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "onenow.db")
	for _, c := range []struct {
		args     []string
		variable string
		status   int
	}{
		{nil, "", 401},
		{[]string{"--refresh-tokens", "rotate"}, "keep", 401},
		{[]string{"--refresh-tokens", "keep"}, "", 200},
		{nil, "keep", 200},
	} {
		t.Setenv("ONENOW_REFRESH_TOKENS", c.variable)
		p := serve(t, dir, c.args...)
		p.post("/register/", "", `{"username":"user1","password":"pass123"}`)
		_, body := p.post("/login/", "", `{"username":"user1","password":"pass123"}`)
		var tokens struct{ Refresh string }
		if err := json.Unmarshal([]byte(body), &tokens); err != nil {
			t.Fatal(err)
		}
		refresh := `{"refresh":"` + tokens.Refresh + `"}`
		if status, body := p.post("/api/token/refresh/", "", refresh); status != 200 {
			t.Errorf("got %d %s, want 200", status, body)
		}
		dbtest.Exec(t, path, "UPDATE refresh_tokens SET used_at = used_at - 60")
		status, body := p.post("/api/token/refresh/", "", refresh)
		if status != c.status || status == 401 && !strings.Contains(body, "Token is blacklisted") {
			t.Errorf("%v with %q: got %d %s, want %d", c.args, c.variable, status, body, c.status)
		}
		p.stop(syscall.SIGTERM)
	}
	_, stderr := onenow(t, dir, "", 1, "serve", "--refresh-tokens", "forget")
	sentence(t, stderr, "--refresh-tokens", "rotate or keep")
}

// TestStopLetsRequestsFinish stops the server while a request is half sent.
func TestStopLetsRequestsFinish(t *testing.T) {
	p := serve(t, t.TempDir())
	c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := `{"username":"user1","password":"pass123"}`
	if _, err := io.WriteString(c, "POST /register/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "+
		"41\r\n\r\n"+body[:20]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // for the request to begin
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // for the server to stop accepting
	if _, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://")); err == nil {
		t.Error("a stopping server accepts connections")
	}
	if _, err := io.WriteString(c, body[20:]); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 201 {
		t.Errorf("got %v, %v, want 201", resp, err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, p.log)
	}
}

// TestServeRefuses starts with files, addresses and flags that do not work.
func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, stderr := onenow(t, dir, "", 1, "serve", "--addr", l.Addr().String())
	sentence(t, stderr, l.Addr().String(), "another program", "--addr")
	if got := files(t, dir); got != "" {
		t.Errorf("got files %s, want none", got)
	}

	notes := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(notes, []byte("no database\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, stderr = onenow(t, dir, "", 1, "serve", "--addr", "127.0.0.1:0", "--db", "notes.txt")
	sentence(t, stderr, "notes.txt is not a onenow database")
	_, stderr = onenow(t, dir, "", 1, "serve", "--addr", "127.0.0.1:0", "--db", "no/where.db")
	sentence(t, stderr, "cannot create no/where.db", "folder no does not exist")
	_, stderr = onenow(t, dir, "", 1, "serve", "--addr", "127.0.0.1:0", "--db", "/proc/onenow.db")
	sentence(t, stderr, "cannot create /proc/onenow.db")
	_, stderr = onenow(t, dir, "", 1, "serve", "--addr", "nonsense")
	sentence(t, stderr, "cannot listen on nonsense")
	_, stderr = onenow(t, dir, "", 1, "serve", "--registration", "ajar")
	sentence(t, stderr, "--registration", "open or closed")
	_, stderr = onenow(t, dir, "", 1, "serve", "--cors-origin", "example.com/")
	sentence(t, stderr, "--cors-origin", "https://example.com")
	_, stderr = onenow(t, dir, "", 1, "serve", "--cors-origin", "https://*")
	sentence(t, stderr, "--cors-origin", "no *")
	for flag, bad := range map[string][]string{
		"--domain":         {"localhost", "192.0.2.1", "a..b", "*.example.com", "münchen.example", "https://a.example"},
		"--acme-directory": {"foo", "http://a.example"},
		"--trusted-proxy":  {"x", "::ffff:127.0.0.0/104", "10.0.0.0/33"},
	} {
		for _, value := range bad {
			_, stderr = onenow(t, dir, "", 1, "serve", flag, value)
			sentence(t, stderr, flag, value)
		}
	}
	_, stderr = onenow(t, dir, "", 1, "serve", "now")
	sentence(t, stderr, "now")
	if got := files(t, dir); got != "notes.txt" {
		t.Errorf("got files %s, want notes.txt alone", got)
	}
	if text, _ := os.ReadFile(notes); string(text) != "no database\n" {
		t.Errorf("notes.txt was changed to %q", text)
	}
}

// TestStopWhileStarting stops the server at different moments of its first start. It
// leaves a complete database or no file.
func TestStopWhileStarting(t *testing.T) {
	for i := range 40 {
		dir := t.TempDir()
		cmd := exec.Command(binary, "serve", "--addr", "127.0.0.1:0")
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * time.Millisecond)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // an early signal kills the process
		switch got := files(t, dir); got {
		case "":
		case "onenow.db":
			onenow(t, dir, "", 0, "check")
		default:
			t.Errorf("after %d ms: got files %s", i, got)
		}
	}
}

// TestFileMoved moves the file of a running server away, puts another file in its place,
// and moves the first file back. While its file is away, the server refuses writes.
func TestFileMoved(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "onenow.db")
	p, token := fleet(t, dir)
	book := func(day int) (int, string) {
		return p.post("/bookings/", token, fmt.Sprintf(`{"vehicle":1,"start_date":"2025-01-%02d","end_date":"2025-01-%02d"}`, day, day+1))
	}
	book(1)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	const want = `{"detail":"The database file has been moved or replaced: nothing was saved. Put it back, or restart onenow.","code":"storage_unavailable"}`
	for range 2 {
		if status, body := book(2); status != 503 || body != want {
			t.Errorf("got %d %s\nwant 503 %s", status, body, want)
		}
		if status, _ := p.get("/readyz", ""); status != 503 {
			t.Errorf("got %d from /readyz, want 503", status)
		}
		if status, body := p.get("/bookings/", token); status != 200 || strings.Count(body, `"id"`) != 1 {
			t.Errorf("got %d %s", status, body)
		}
		if err := os.WriteFile(path, []byte("another"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if status, body := book(3); status != 201 {
		t.Errorf("got %d %s with the file back, want 201", status, body)
	}
	p.stop(syscall.SIGTERM)
	if out, _ := onenow(t, dir, "", 0, "check"); !strings.Contains(out, "bookings: 2\n") {
		t.Errorf("got %s", out)
	}
}

// TestNeverTwo starts a second serve, which refuses the file, and runs the other commands
// while the first serve runs.
func TestNeverTwo(t *testing.T) {
	t.Parallel()
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
	if err := p.cmd.Process.Kill(); err != nil { // the kernel releases the lock of a dead process
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	serve(t, dir)
}
