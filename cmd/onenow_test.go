package cmd_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// binary is the path of onenow, built as for a server.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "onenow")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "onenow")
		build := exec.Command("go", "build", "-o", binary, "..")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			panic(string(out))
		}
		return m.Run()
	}())
}

// onenow runs a command in dir, waits for its end, and returns its standard output and
// standard error. It fails the test if the exit code is not code.
func onenow(t *testing.T, dir, stdin string, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the exit code is checked below
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
	log *bytes.Buffer // its standard error; read it only after the process has stopped
}

var ready = regexp.MustCompile(`^onenow serves (\S+) at (https?://\S+)/\n$`)

// serve starts onenow serve in dir, on a free port unless args have a domain. It stops the
// process when the test ends, unless the test has stopped it.
func serve(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return serveTo(t, nil, dir, args...)
}

// serveTo is serve with a file for the log. If stderr is nil, the log goes to p.log.
func serveTo(t *testing.T, stderr *os.File, dir string, args ...string) *process {
	t.Helper()
	p := &process{t: t, log: &bytes.Buffer{}}
	if !slices.Contains(args, "--domain") {
		args = append(args, "--addr", "127.0.0.1:0")
	}
	p.cmd = exec.Command(binary, append([]string{"serve"}, args...)...)
	p.cmd.Dir, p.cmd.Stderr = dir, p.log
	if stderr != nil {
		p.cmd.Stderr = stderr
	}
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

// login signs in and returns the access token.
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

// files returns the names in dir.
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

// sentence fails the test unless stderr is one line that contains each of the words.
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
