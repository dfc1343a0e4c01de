package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"onenow/auth"
	"onenow/db"
	"onenow/db/dbtest"
	"onenow/server"
)

// shop is a running server with a database of its own.
type shop struct {
	t     testing.TB
	url   string
	db    *db.DB
	clock *clock
	loose bool // see loosely
}

// clock is a clock that stands still unless a test moves it on.
type clock struct{ ahead atomic.Int64 }

var began = time.Now()

func (c *clock) now() time.Time          { return began.Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

func newShop(t testing.TB) *shop { return newShopWith(t, server.Config{}) }

// newShopWith starts a server with cfg and a new database.
func newShopWith(t testing.TB, cfg server.Config) *shop {
	t.Helper()
	s := &shop{t: t, db: dbtest.New(t), clock: &clock{}}
	s.db.Now = s.clock.now
	cfg.DB = s.db
	s.url = start(t, cfg)
	return s
}

// as returns s for a subtest.
func (s *shop) as(t testing.TB) *shop {
	sub := *s
	sub.t = t
	return &sub
}

// loosely returns s for requests that the server accepts although openapi.yaml does not
// describe them.
func (s *shop) loosely() *shop {
	sub := *s
	sub.loose = true
	return &sub
}

// start runs a server with cfg on loopback until the test ends, and returns its URL.
func start(t testing.TB, cfg server.Config) string {
	t.Helper()
	srv, err := server.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

// answer is an answer of the server.
type answer struct {
	status int
	header http.Header
	body   string
}

// header is a header of a request, in addition to those that send sets.
type header struct{ name, value string }

// send sends one request. It sends a string unchanged, and any other body as JSON.
// The Content-Type is JSON unless a header says otherwise.
func (s *shop) send(method, path, token string, body any, headers ...header) answer {
	s.t.Helper()
	var text string
	switch b := body.(type) {
	case nil:
	case string:
		text = b
	default:
		j, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		text = string(j)
	}
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	if text != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		req.Header.Add(h.name, h.value)
		if h.name == "Content-Type" {
			req.Header.Set(h.name, h.value)
		}
	}
	return s.do(req)
}

// do sends a request and checks that the answer is one of a healthy server.
func (s *shop) do(req *http.Request) answer {
	s.t.Helper()
	a := s.roundTrip(req)
	s.checkShape(req, a)
	s.checkDescribed(req, a)
	return a
}

// roundTrip sends a request and returns the answer with its body decompressed.
func (s *shop) roundTrip(req *http.Request) answer {
	s.t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req) // it follows no redirect
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.Header.Get("Content-Encoding") == "gzip" && len(b) > 0 && resp.StatusCode != http.StatusPartialContent {
		zr, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			s.t.Fatal(err)
		}
		if b, err = io.ReadAll(zr); err != nil {
			s.t.Fatal(err)
		}
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// checkShape checks the rules that hold for every answer.
func (s *shop) checkShape(req *http.Request, a answer) {
	s.t.Helper()
	what := req.Method + " " + req.URL.RequestURI()
	if a.status >= 500 {
		s.t.Errorf("%s: got %d %s, which is our own fault", what, a.status, a.body)
	}
	if a.header.Get("X-Request-Id") == "" {
		s.t.Errorf("%s: no X-Request-Id", what)
	}
	if a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") != `Bearer realm="api"` {
		s.t.Errorf("%s: 401 with WWW-Authenticate %q", what, a.header.Get("WWW-Authenticate"))
	}
	if a.status == http.StatusNoContent {
		if a.body != "" || a.header.Get("Content-Type") != "" {
			s.t.Errorf("%s: 204 with %q of type %q", what, a.body, a.header.Get("Content-Type"))
		}
		return
	}
	if a.status == http.StatusNotModified {
		if a.body != "" || a.header.Get("ETag") == "" {
			s.t.Errorf("%s: 304 with %q and ETag %q", what, a.body, a.header.Get("ETag"))
		}
		return
	}
	if a.header.Get("Cache-Control") == "no-cache" || a.status == http.StatusFound {
		return // a file, or a redirect to it
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		s.t.Errorf("%s: got Content-Type %q, want application/json", what, got)
	}
	if req.Method != http.MethodHead && !json.Valid([]byte(a.body)) {
		s.t.Errorf("%s: got %q, which is not JSON", what, a.body)
	}
}

// want checks that the answer has that status and, unless body is "", exactly that body.
func (a answer) want(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status || body != "" && a.body != body {
		t.Errorf("got %d %s\nwant %d %s", a.status, a.body, status, body)
	}
}

// in decodes the body into v.
func (a answer) in(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v in %d %s", err, a.status, a.body)
	}
}

// hashes caches the hash of each password, because hashing takes long.
var hashes sync.Map

func hashOf(t testing.TB, password string) string {
	t.Helper()
	if h, ok := hashes.Load(password); ok {
		return h.(string)
	}
	h := auth.Hash(password)
	hashes.Store(password, h)
	return h
}

// tokens is the answer to a sign-in.
type tokens struct{ Access, Refresh string }

// user creates a user with the password pass123.
func (s *shop) user(name string) db.UserID {
	s.t.Helper()
	id, err := s.db.CreateUser(s.t.Context(), name, hashOf(s.t, "pass123"))
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// login signs a user in.
func (s *shop) login(name, password string) tokens {
	s.t.Helper()
	a := s.send("POST", "/login/", "", map[string]string{"username": name, "password": password})
	if a.status != 200 {
		s.t.Fatalf("login as %s: got %d %s", name, a.status, a.body)
	}
	var tk tokens
	a.in(s.t, &tk)
	return tk
}

// owner creates a user and signs them in.
func (s *shop) owner(name string) string {
	s.t.Helper()
	s.user(name)
	return s.login(name, "pass123").Access
}

// vehicle creates a vehicle and returns its id.
func (s *shop) vehicle(token, plate string) int {
	s.t.Helper()
	return s.made("/vehicles/", token, map[string]any{"make": "Toyota", "model": "Corolla", "year": 2020, "plate": plate})
}

// booking creates a booking and returns its id.
func (s *shop) booking(token string, vehicle int, start, end string) int {
	s.t.Helper()
	return s.made("/bookings/", token, bookingBody(vehicle, start, end))
}

func bookingBody(vehicle int, start, end string) map[string]any {
	return map[string]any{"vehicle": vehicle, "start_date": start, "end_date": end}
}

func (s *shop) made(path, token string, body any) int {
	s.t.Helper()
	a := s.send("POST", path, token, body)
	if a.status != 201 {
		s.t.Fatalf("POST %s: got %d %s", path, a.status, a.body)
	}
	var row struct{ ID int }
	a.in(s.t, &row)
	return row.ID
}

// ids returns the ids in the array that the answer is.
func (a answer) ids(t testing.TB) string {
	t.Helper()
	var rows []struct{ ID int }
	a.in(t, &rows)
	ids := make([]int, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return fmt.Sprint(ids)
}
