package main_test

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is onenow, built as for a server.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "onenow")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "onenow")
		build := exec.Command("go", "build", "-o", binary, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			panic(string(out))
		}
		return m.Run()
	}())
}

// onenow runs a command to its end in dir and returns what it printed, and
// fails the test if its exit code is not code.
func onenow(t *testing.T, dir, stdin string, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the code says it
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("onenow %v: got exit code %d, want %d\n%s%s", args, got, code, &out, &errs)
	}
	return out.String(), errs.String()
}

// process is a running onenow serve.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
	log *bytes.Buffer // what it wrote to standard error; to be read once it has stopped
}

var ready = regexp.MustCompile(`^onenow serves (\S+) at (https?://\S+)/\n$`)

// serve starts onenow serve in dir on a free port, to be stopped by the test
// or at its end.
func serve(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{t: t, log: &bytes.Buffer{}}
	p.cmd = exec.Command(binary, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	p.cmd.Dir, p.cmd.Stderr = dir, p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.stop(syscall.SIGTERM)
		}
	})
	line, _ := bufio.NewReader(out).ReadString('\n')
	m := ready.FindStringSubmatch(line)
	if m == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		t.Fatalf("got %q, want an address\n%s", line, p.log)
	}
	p.url = m[2]
	return p
}

// stop sends a signal and wants exit code 0.
func (p *process) stop(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("after %v: %v\n%s", sig, err, p.log)
	}
}

// post sends JSON and returns the status and the body.
func (p *process) post(path, token, body string) (int, string) {
	p.t.Helper()
	return p.send("POST", path, token, body)
}

func (p *process) get(path, token string) (int, string) {
	p.t.Helper()
	return p.send("GET", path, token, "")
}

func (p *process) send(method, path, token, body string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// login returns an access token.
func (p *process) login(name, password string) string {
	p.t.Helper()
	body, err := json.Marshal(map[string]string{"username": name, "password": password})
	if err != nil {
		p.t.Fatal(err)
	}
	status, text := p.post("/login/", "", string(body))
	var tokens struct{ Access string }
	if err := json.Unmarshal([]byte(text), &tokens); err != nil || status != 200 {
		p.t.Fatalf("login: got %d %s", status, text)
	}
	return tokens.Access
}

// files lists what is in dir.
func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestStaticBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks at an ELF file, which Linux has")
	}
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary needs a dynamic loader")
		}
	}
	if libs, err := f.ImportedLibraries(); err != nil || len(libs) != 0 {
		t.Errorf("the binary needs %v, %v", libs, err)
	}
}

// TestServe starts on nothing, takes a booking, stops, starts again, and has it.
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
		// The key is in the file: a token outlives a restart.
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

// sentence wants one line on standard error, with each of the words.
func sentence(t *testing.T, stderr string, words ...string) {
	t.Helper()
	if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "onenow: ") {
		t.Errorf("got %q, want one line", stderr)
	}
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			t.Errorf("got %q, want %q in it", stderr, w)
		}
	}
}

// TestServeRefuses starts where it cannot serve.
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

// TestStopWhileStarting signals the server at every moment of its first start:
// what it leaves is a database or nothing.
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
		_ = cmd.Wait() // killed if it was too early for a handler
		switch got := files(t, dir); got {
		case "":
		case "onenow.db":
			onenow(t, dir, "", 0, "check")
		default:
			t.Errorf("after %d ms: got files %s", i, got)
		}
	}
}

// TestOddFiles are not taken for a place to make a database.
func TestOddFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(in("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"dangling": "nowhere", "link": "empty"} {
		if err := os.Symlink(to, in(from)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"empty": "", "old.db-wal": "bookings", "old2.db": "", "old2.db-wal": "bookings"} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"fifo":      "fifo is not a onenow database: it is no regular file",
		"/dev/null": "/dev/null is not a onenow database: it is no regular file",
		"dangling":  "cannot open dangling: it is a link to a file that does not exist",
		"old.db":    "old.db-wal beside it holds data of another",
		"old2.db":   "old2.db-wal beside it holds data of another",
	} {
		_, stderr := onenow(t, dir, "", 1, "migrate", "--db", name)
		sentence(t, stderr, want)
	}
	onenow(t, dir, "", 0, "migrate", "--db", "link")
	onenow(t, dir, "", 0, "check", "empty")
	for _, command := range []string{"set-password", "backup"} {
		_, stderr := onenow(t, dir, "pass123\n", 1, command, "x", "--db", "typo.db")
		sentence(t, stderr, "cannot open typo.db: it does not exist")
	}
	_, stderr := onenow(t, dir, "", 1, "check", "typo.db")
	sentence(t, stderr, "cannot open typo.db: it does not exist")
	if got := files(t, dir); got != "dangling empty fifo link old.db-wal old2.db old2.db-wal" {
		t.Errorf("got files %s", got)
	}
}

// TestFileMoved moves the file away under a running server, puts another in its
// place, and puts it back: no write is taken for a file that is not there.
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

// TestNewerFile is refused by every command, and left as it was.
func TestNewerFile(t *testing.T) {
	dir := t.TempDir()
	onenow(t, dir, "", 0, "migrate")
	path := filepath.Join(dir, "onenow.db")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[63] = 99 // the last byte of user_version
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve", "--addr", "127.0.0.1:0"}, {"migrate"}, {"create-user", "a"}, {"set-password", "a"}} {
		_, stderr := onenow(t, dir, "pass123\n", 1, args...)
		sentence(t, stderr, "onenow.db", "version 99", "newer onenow")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, text) || files(t, dir) != "onenow.db" {
		t.Error("the file was touched")
	}
}

func TestMigrateCommand(t *testing.T) {
	dir := t.TempDir()
	if out, _ := onenow(t, dir, "", 0, "migrate", "--db", "a.db"); out != "created a.db, version 1\n" {
		t.Errorf("got %q", out)
	}
	if out, _ := onenow(t, dir, "", 0, "migrate", "--db", "a.db"); out != "a.db is of version 1: nothing to do\n" {
		t.Errorf("got %q", out)
	}
}

// TestFirstStarts begins with one new file in many processes at once: all
// write to the same one.
func TestFirstStarts(t *testing.T) {
	t.Run("none", func(t *testing.T) { firstStarts(t, t.TempDir()) })
	t.Run("empty", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "onenow.db"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		firstStarts(t, dir)
	})
}

func firstStarts(t *testing.T, dir string) {
	const processes = 8
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), binary, "create-user", fmt.Sprint("user", i))
			cmd.Dir, cmd.Stdin = dir, strings.NewReader("pass123\n")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	if got := files(t, dir); got != "onenow.db" {
		t.Errorf("got files %s, want onenow.db alone", got)
	}
	p := serve(t, dir)
	for i := range processes {
		p.login(fmt.Sprint("user", i), "pass123")
	}
}

// TestUserCommands make a user and give them a new password while the server
// runs.
func TestUserCommands(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	if out, _ := onenow(t, dir, "pass123\n", 0, "create-user", " shop "); out != "created user \"shop\"\n" {
		t.Errorf("got %q", out)
	}
	token := p.login("shop", "pass123")
	_, stderr := onenow(t, dir, "other\n", 1, "create-user", "shop")
	sentence(t, stderr, `"shop"`, "already", "set-password")
	_, stderr = onenow(t, dir, "", 1, "create-user", "second")
	sentence(t, stderr, "Password is required.")
	_, stderr = onenow(t, dir, strings.Repeat("x", 1025), 1, "create-user", "second")
	sentence(t, stderr, "no more than 1024 characters")
	_, stderr = onenow(t, dir, "pass123\n", 1, "create-user", " ")
	sentence(t, stderr, "Username is required.")
	_, stderr = onenow(t, dir, "pass123\n", 1, "create-user", "shop", "pass123")
	sentence(t, stderr, "accepts 1 arg")
	_, stderr = onenow(t, dir, "pass123\n", 1, "set-password", "nobody")
	sentence(t, stderr, `no user "nobody"`, "create-user")

	if out, _ := onenow(t, dir, "new pass \r\n", 0, "set-password", "shop"); !strings.Contains(out, `"shop"`) {
		t.Errorf("got %q", out)
	}
	deadline := time.Now().Add(10 * time.Second)
	for { // an empty body is refused only after the token is
		status, _ := p.post("/vehicles/", token, "{}")
		if status == 401 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d with the old token, want 401", status)
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.login("shop", "new pass ")
	onenow(t, dir, "pass123\n", 0, "create-user", "second")
	// What a command has written is soon in the file itself.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := slowCopy(filepath.Join(dir, "onenow.db"), filepath.Join(dir, "copy.db"), 0); err != nil {
			t.Fatal(err)
		}
		out, _ := onenow(t, dir, "", 0, "check", "copy.db")
		if strings.Contains(out, "users: 2,") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %s", out)
		}
	}
}

// TestEnvironment sets flags by their variables.
func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("ONENOW_DB", "env.db")
	t.Setenv("ONENOW_CORS_ORIGIN", "https://a.example,https://b.example")
	t.Setenv("ONENOW_REGISTRATION", "closed")
	onenow(t, dir, "", 0, "migrate")
	onenow(t, dir, "", 0, "migrate", "--db", "flag.db")
	if got := files(t, dir); got != "env.db flag.db" {
		t.Errorf("got files %s", got)
	}
	p := serve(t, dir)
	if status, _ := p.post("/register/", "", "{}"); status != 403 {
		t.Errorf("got %d, want 403", status)
	}
	req, err := http.NewRequest("GET", p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://b.example")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "https://b.example" {
		t.Errorf("got Access-Control-Allow-Origin %q", got)
	}
	t.Setenv("ONENOW_ADDR", "") // as if absent
	onenow(t, dir, "", 0, "help", "serve")
	_, stderr := onenow(t, dir, "", 1, "serve", "--addr", "")
	sentence(t, stderr, "--addr")
	_, stderr = onenow(t, dir, "", 1, "migrate", "--db", "")
	sentence(t, stderr, "--db")
	t.Setenv("ONENOW_REGISTRATION", "ajar")
	_, stderr = onenow(t, dir, "", 1, "serve")
	sentence(t, stderr, "ONENOW_REGISTRATION", "open or closed")
}

// TestHelp wants an example of every command, and the version.
func TestHelp(t *testing.T) {
	dir := t.TempDir()
	for _, command := range []string{"", "serve", "migrate", "create-user", "set-password", "backup", "check", "import-django"} {
		out, _ := onenow(t, dir, "", 0, strings.Fields(command+" --help")...)
		if !strings.Contains(out, "Examples:\n  onenow "+command) {
			t.Errorf("%s --help has no example:\n%s", command, out)
		}
	}
	if out, _ := onenow(t, dir, "", 0, "--version"); !strings.HasPrefix(out, "onenow version ") {
		t.Errorf("got %q", out)
	}
	if out, _ := onenow(t, dir, "", 0, "completion", "bash"); !strings.Contains(out, "__start_onenow") {
		t.Errorf("got %q", out)
	}
}

// readmeBlock returns the block of the README that is marked as that test's.
func readmeBlock(t *testing.T, test string) string {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)" + test + ".*?```[a-z]+\n(.*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatalf("no block of %s in the README", test)
	}
	return string(m[1])
}

// TestReadmeWalkthrough runs the README's block of curl commands as it stands,
// but for the port.
func TestReadmeWalkthrough(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the walk-through needs %s", tool)
		}
	}
	block := readmeBlock(t, "TestReadmeWalkthrough")
	p := serve(t, t.TempDir())
	script := strings.ReplaceAll(block, "http://127.0.0.1:8000", p.url)
	var want strings.Builder
	for line := range strings.Lines(script) {
		if answer, ok := strings.CutPrefix(line, "# "); ok {
			want.WriteString(answer)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Stderr = os.Stderr
	got, err := cmd.Output()
	if err != nil || string(got) != want.String() {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want.String())
	}
}

// TestSystemdUnit has systemd look at the README's unit, with the program where
// it is.
func TestSystemdUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("needs systemd-analyze")
	}
	block := readmeBlock(t, "TestSystemdUnit")
	unit := filepath.Join(t.TempDir(), "onenow.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(block, "/usr/local/bin/onenow", binary)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("onenow.service")) {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestImports keeps the packages' one direction: main, then server, then db
// and auth, which know nothing of each other.
func TestImports(t *testing.T) {
	for pkg, allowed := range map[string][]string{
		"./db":           {"onenow/db"},
		"./auth":         {"onenow/auth"},
		"./server":       {"onenow/server", "onenow/server/body", "onenow/server/docs", "onenow/server/limit", "onenow/db", "onenow/auth"},
		"./server/body":  {"onenow/server/body", "onenow/db"},
		"./server/docs":  {"onenow/server/docs", "onenow/server/body", "onenow/db"},
		"./server/limit": {"onenow/server/limit"},
	} {
		out, err := exec.Command("go", "list", "-deps", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for dep := range strings.FieldsSeq(string(out)) {
			if strings.HasPrefix(dep, "onenow") && !strings.Contains(" "+strings.Join(allowed, " ")+" ", " "+dep+" ") {
				t.Errorf("%s imports %s", pkg, dep)
			}
			if dep == "modernc.org/sqlite" && pkg == "./auth" {
				t.Errorf("%s imports the driver", pkg)
			}
		}
	}
}
