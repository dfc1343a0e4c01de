package server_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"onenow/server"
)

// logBuffer stores the log.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// lines returns the lines of the log so far, each of which is a JSON object.
func (b *logBuffer) lines(t testing.TB) []map[string]any {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []map[string]any
	for line := range strings.Lines(b.text.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, entry)
	}
	return all
}

// TestLog checks that the log has one line per request, and no secret.
func TestLog(t *testing.T) {
	buffer := &logBuffer{}
	s := newShopWith(t, server.Config{Logger: slog.New(slog.NewJSONHandler(buffer, nil)), CORSOrigins: []string{"https://a.example"}})
	me := s.owner("shop")
	s.vehicle(me, "SECRET-PLATE")
	s.send("GET", "/bookings/?from=SECRET-QUERY", me, nil)
	s.send("GET", "/SECRET-PATH%0Alevel=ERROR", me, nil)
	s.send("GET", "/vehicles/7%0Alevel=ERROR/", me, nil, header{"User-Agent", "SECRET-AGENT"}, header{"Cookie", "SECRET=COOKIE"})
	s.send("POST", "/login/", "", `{"username":"SECRET-NAME","password":"SECRET-PASSWORD"}`)
	for range 3 {
		s.send("GET", "/", "", nil, header{"Origin", "https://b.example"})
	}
	s.send("GET", "/", "", nil, header{"Origin", "https://a.example"})
	s.send("GET", "/", "", nil, header{"Origin", "null"}) // nothing to allow
	s.send("GET", "/", "", nil, header{"Origin", s.url})  // our own
	for range 2 {
		s.send("GET", "/", "", nil, header{"X-Forwarded-For", "203.0.113.5"})
	}

	proxy := 0
	requests, refused := 0, 0
	for _, e := range buffer.lines(t) {
		switch e["msg"] {
		case "request":
			requests++
			for _, key := range []string{"method", "route", "status", "took", "bytes", "client", "request_id"} {
				if _, ok := e[key]; !ok {
					t.Errorf("no %s in %v", key, e)
				}
			}
			if e["client"] != "127.0.0.1" {
				t.Errorf("got client %v", e["client"])
			}
			if e["route"] == "/vehicles/" && e["status"] == 201.0 && e["user_id"] != 1.0 {
				t.Errorf("got user %v in %v", e["user_id"], e)
			}
		case "a connection with X-Forwarded-For comes from an address that is not trusted; if your proxy has that address, start onenow with the flag":
			if proxy++; e["flag"] != "--trusted-proxy 127.0.0.1" {
				t.Errorf("got %v", e)
			}
		default:
			refused++
			if e["level"] != "WARN" || e["origin"] != "https://b.example" || e["flag"] != "--cors-origin https://b.example" {
				t.Errorf("got %v", e)
			}
		}
	}
	if requests != 14 || refused != 1 || proxy != 1 {
		t.Errorf("%d requests, %d refused origins and %d proxies are logged, want 14, 1 and 1", requests, refused, proxy)
	}
	for _, secret := range []string{"SECRET", "pass123", me} {
		if strings.Contains(buffer.text.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, &buffer.text)
		}
	}
}

// TestTextLogIsNotForged sends a line break in every part of a request that can have one.
func TestTextLogIsNotForged(t *testing.T) {
	buffer := &logBuffer{}
	s := newShopWith(t, server.Config{Logger: slog.New(slog.NewTextHandler(buffer, nil)), CORSOrigins: []string{"https://a.example"}})
	s.send("GET", "/", "", nil, header{"Origin", "https://b.example level=ERROR msg=forged"})
	s.raw("GET /a%0Alevel=ERROR HTTP/1.1\r\nHost: x\r\n\r\n")
	s.raw("FORGED%0A / HTTP/1.1\r\nHost: x\r\n\r\n")
	for line := range strings.Lines(buffer.text.String()) {
		if !strings.HasPrefix(line, "time=") || strings.Contains(line, " level=ERROR") && !strings.Contains(line, `"`) {
			t.Errorf("got line %q", line)
		}
	}
}

// TestHeaders checks the headers that every answer has.
func TestHeaders(t *testing.T) {
	s := newShop(t)
	for _, path := range []string{"/", "/login/", "/vehicles/", "/nowhere"} {
		a := s.send("GET", path, "", nil)
		for name, want := range map[string]string{
			"X-Content-Type-Options":    "nosniff",
			"X-Frame-Options":           "DENY",
			"Referrer-Policy":           "no-referrer",
			"Cache-Control":             "no-store",
			"Strict-Transport-Security": "", // this is plain HTTP
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: got %s %q, want %q", path, name, got, want)
			}
		}
	}
}
