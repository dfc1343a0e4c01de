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
	"strings"
	"syscall"
	"testing"
	"time"
)

// pipe returns a pipe whose writing end blocks, like a pipe of a shell.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	r, w = os.NewFile(uintptr(fds[0]), "reader"), os.NewFile(uintptr(fds[1]), "writer")
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// fullPipe returns a pipe without any room, and the number of bytes in it.
func fullPipe(t *testing.T) (r, w *os.File, size int) {
	t.Helper()
	r, w = pipe(t)
	fd := int(w.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for chunk := make([]byte, 4096); len(chunk) > 0; {
		n, err := syscall.Write(fd, chunk)
		if err != nil {
			chunk = chunk[:len(chunk)/2]
			continue
		}
		size += n
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	return r, w, size
}

// stopsSoon stops the process with SIGTERM. It fails the test if the exit code is not 0 or
// if the process takes too long.
func (p *process) stopsSoon() {
	p.t.Helper()
	start := time.Now()
	kill := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	p.stop(syscall.SIGTERM)
	if took := time.Since(start); took > 8*time.Second {
		p.t.Errorf("it took %v to stop", took)
	}
}

// TestLogReaderGone closes the other end of standard error. The server keeps running.
func TestLogReaderGone(t *testing.T) {
	r, w := pipe(t)
	p := serveTo(t, w, t.TempDir())
	w.Close()
	r.Close()
	for range 10 {
		if status, body := p.get("/readyz", ""); status != 200 {
			t.Fatalf("got %d %s", status, body)
		}
	}
	p.stopsSoon()
}

// TestStalledLog runs a server whose standard error nothing reads. The server stores and
// answers bookings, and stops on a signal.
func TestStalledLog(t *testing.T) {
	t.Parallel()
	_, w, _ := fullPipe(t)
	dir := t.TempDir()
	p := serveTo(t, w, dir)
	onenow(t, dir, "pass123\n", 0, "create-user", "shop")
	token := p.login("shop", "pass123")
	p.post("/vehicles/", token, `{"make":"Kia","model":"Rio","year":2020,"plate":"A-1"}`)
	const bookings = 300
	for i := range bookings {
		start := time.Date(2025, 1, 1+i, 0, 0, 0, 0, time.UTC)
		body := fmt.Sprintf(`{"vehicle":1,"start_date":"%s","end_date":"%s"}`, start.Format(time.DateOnly), start.AddDate(0, 0, 1).Format(time.DateOnly))
		if status, text := p.post("/bookings/", token, body); status != 201 {
			t.Fatalf("got %d %s", status, text)
		}
	}
	p.stopsSoon()
	if out, _ := onenow(t, dir, "", 0, "check"); !strings.Contains(out, fmt.Sprintf("bookings: %d\n", bookings)) {
		t.Errorf("got %s", out)
	}
}

// TestDroppedLogLines reads no log until lines are dropped, and then reads again. The log
// has the number of dropped lines.
func TestDroppedLogLines(t *testing.T) {
	r, w, size := fullPipe(t)
	p := serveTo(t, w, t.TempDir(), "--log-format", "json")
	w.Close()
	const requests = 6000
	request(t, p, "/healthz", requests)
	if _, err := io.CopyN(io.Discard, r, int64(size)); err != nil {
		t.Fatal(err)
	}
	log := make(chan string, 2*requests)
	go func() {
		defer close(log)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			log <- lines.Text()
		}
	}()
	written, dropped := 0, 0
	for dropped == 0 {
		select {
		case line, ok := <-log:
			if !ok {
				t.Fatal("the log has ended")
			}
			var entry struct {
				Level, Msg, Route string
				Dropped           int
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Fatalf("%v in %q", err, line)
			}
			if entry.Route == "/healthz" {
				written++
			}
			if entry.Dropped > 0 && (entry.Level != "WARN" || !strings.Contains(entry.Msg, "were dropped")) {
				t.Errorf("got %s", line)
			}
			dropped = entry.Dropped
		case <-time.After(10 * time.Second):
			t.Fatalf("no line mentions dropped lines, after %d lines of requests", written)
		}
	}
	if written+dropped != requests {
		t.Errorf("got %d lines and %d dropped, want %d together", written, dropped, requests)
	}
	p.stopsSoon()
	last := ""
	for line := range log {
		last = line
	}
	if !strings.Contains(last, `"signal":"SIGTERM"`) {
		t.Errorf("got the last line %s", last)
	}
}

// request sends n requests for a path on one connection. It sends all of them before it
// reads the first answer.
func request(t *testing.T, p *process, path string, n int) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		_, _ = io.WriteString(c, strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n", n)) // a failure shows below
	}()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	answers := bufio.NewReader(c)
	for i := range n {
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			t.Fatalf("answer %d: got %d, %v", i, resp.StatusCode, err)
		}
	}
}

// TestStandardOutput starts serve with a standard output that is closed or that nothing
// reads.
func TestStandardOutput(t *testing.T) {
	t.Parallel()
	gone, closed := pipe(t)
	gone.Close()
	_, stalled, _ := fullPipe(t)
	for name, stdout := range map[string]*os.File{"closed": closed, "stalled": stalled} {
		t.Run(name, func(t *testing.T) {
			addr := fmt.Sprint("127.0.0.1:", freePort(t))
			p := &process{t: t, cmd: exec.Command(binary, "serve", "--addr", addr), url: "http://" + addr}
			p.cmd.Dir, p.cmd.Stdout = t.TempDir(), stdout
			if err := p.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				resp, err := http.Get(p.url + "/readyz")
				if err == nil {
					resp.Body.Close()
					break
				}
				if time.Now().After(deadline) {
					t.Error(err)
					break
				}
			}
			p.stopsSoon()
		})
	}
}

// TestStalledError runs a command that fails, with a standard error that nothing
// reads. The process still exits with 1.
func TestStalledError(t *testing.T) {
	t.Parallel()
	_, w, _ := fullPipe(t)
	cmd := exec.CommandContext(t.Context(), binary, "migrate", "--db", "no/where.db")
	cmd.Dir, cmd.Stderr = t.TempDir(), w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	_ = cmd.Wait() // the exit code is checked below
	if got := cmd.ProcessState.ExitCode(); got != 1 {
		t.Errorf("got exit code %d, want 1", got)
	}
}

// TestSignals wants each signal to stop the server, and its name in the log.
func TestSignals(t *testing.T) {
	for sig, name := range map[os.Signal]string{os.Interrupt: "SIGINT", syscall.SIGTERM: "SIGTERM", syscall.SIGHUP: "SIGHUP"} {
		p := serve(t, t.TempDir())
		p.stop(sig)
		if log := p.log.String(); !strings.HasSuffix(log, "level=INFO msg=stopping signal="+name+"\n") {
			t.Errorf("%v: got the log\n%s", sig, log)
		}
	}
}

// TestNohup starts serve with SIGHUP ignored, as nohup does. The signal does not stop the
// server.
func TestNohup(t *testing.T) {
	addr := fmt.Sprint("127.0.0.1:", freePort(t))
	p := &process{t: t, url: "http://" + addr}
	p.cmd = exec.Command("sh", "-c", `trap "" HUP; exec "$0" serve --addr `+addr, binary)
	p.cmd.Dir = t.TempDir()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Errorf("%v after %q", err, line)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // enough time for the signal to stop the server
	if status, body := p.get("/readyz", ""); status != 200 {
		t.Errorf("got %d %s", status, body)
	}
	p.stop(syscall.SIGTERM)
}
