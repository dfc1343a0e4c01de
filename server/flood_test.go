package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"onenow/db/dbtest"
)

// TestFloods lets many guests send, at once, the requests that take the most memory. The
// guests read only the head of the answer, or do not finish their requests. The heap of
// the whole process stays small, including the buffers of these clients.
// ONENOW_FLOOD=1000 has more clients ask for files.
func TestFloods(t *testing.T) {
	flood := dbtest.Scale(t, "ONENOW_FLOOD", 200)
	megabyte := strings.Repeat("x", 1<<20-100)
	many := func(format string, size int) string {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	post := func(path, contentType, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, contentType, len(body), body)
	}
	for name, c := range map[string]struct {
		request string
		clients int
		answers int // how many to wait for
		mostMiB uint64
	}{
		"a file, not compressed": {"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n", flood, flood, 45},
		"a long query":           {"GET /docs/?" + many("&%d", 60<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", flood, flood, 200},
		"a long user name":       {post("/login/", "application/json", `{"username":"`+megabyte+`","password":"x"}`), 100, 8, 120},
		"a deep body":            {post("/login/", "application/json", strings.Repeat("[", 1<<20-100)), 100, 8, 120},
		"many fields":            {post("/login/", "application/json", `{"0":0`+many(`,"%d":0`, 1<<20-100)+"}"), 100, 8, 120},
		"many form fields":       {post("/login/", "application/x-www-form-urlencoded", many("&%d=", 1<<20-100)), 100, 8, 120},
		"many parts":             {post("/login/", "multipart/form-data; boundary=b", many("--b\r\nContent-Disposition: form-data; name=%d\r\n\r\n\r\n", 1<<20-100)+"--b--"), 100, 8, 120},
		"unfinished bodies":      {post("/login/", "application/json", megabyte)[:1<<16], 500, 0, 120},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.send("GET", "/docs/swagger-ui-bundle.js", "", nil, header{"Accept-Encoding", "identity"})
			runtime.GC()
			var before, now runtime.MemStats
			runtime.ReadMemStats(&before)
			var answered sync.WaitGroup
			answered.Add(c.answers)
			left := make(chan struct{}, c.answers)
			for range c.answers {
				left <- struct{}{}
			}
			for range c.clients {
				conn := s.dial()
				_ = conn.(*net.TCPConn).SetReadBuffer(4096)
				go func() {
					_, _ = io.WriteString(conn, c.request) // as much as the server takes
				}()
				go func() {
					if _, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil); err != nil {
						return // the test is over
					}
					select {
					case <-left:
						answered.Done()
					default:
					}
				}()
			}
			peak := uint64(0)
			done := make(chan struct{})
			go func() { answered.Wait(); time.Sleep(time.Second); close(done) }()
			timeout := time.After(time.Minute)
			for running := true; running; {
				select {
				case <-done:
					running = false
				case <-timeout:
					t.Fatalf("%d clients have no answer yet", len(left))
				case <-time.After(20 * time.Millisecond):
				}
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapInuse)
			}
			grown := (max(peak, before.HeapInuse) - before.HeapInuse) >> 20
			t.Logf("the heap has grown by %d MiB", grown)
			if grown > c.mostMiB {
				t.Errorf("the heap has grown by %d MiB, want %d at most", grown, c.mostMiB)
			}
		})
	}
}
