package server

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"onenow/db/dbtest"
)

// TestCacheBounds stores more in a cache than it may hold.
func TestCacheBounds(t *testing.T) {
	now := 0
	c := newCache[int, int, string](100, func() (int, bool) { return now, true })
	put := func(state, key int, value string, weight int) {
		t.Helper()
		now = state
		v, err := c.find(key, func() (string, int, error) { return value, weight, nil })
		if v != value || err != nil {
			t.Fatalf("got %q, %v, want %q", v, err, value)
		}
	}
	for i := range 1000 {
		put(0, i, "x", 7)
		if _, ok := c.get(0, i); !ok {
			t.Fatalf("value %d was dropped at once", i)
		}
	}
	if len(c.entries) != 14 || c.weight != 14*7 {
		t.Errorf("the cache holds %d values of weight %d, want 14 of 98", len(c.entries), c.weight)
	}
	put(0, -1, "too heavy", 101)
	if _, ok := c.get(0, -1); ok || len(c.entries) != 14 {
		t.Error("the cache holds a value that is too heavy")
	}
	put(1, 1, "z", 7)
	if _, ok := c.get(0, 999); ok || len(c.entries) != 1 || c.weight != 7 {
		t.Errorf("in another state the cache holds %d values of weight %d", len(c.entries), c.weight)
	}
}

// TestCacheShares lets many callers look up one key while one of them computes the
// value.
func TestCacheShares(t *testing.T) {
	fault := errors.New("fault")
	for name, c := range map[string]struct {
		weight int
		err    error
		works  int // how many of ten callers compute
		cached bool
	}{
		"one computes for all":        {1, nil, 1, true},
		"an error is not shared":      {1, fault, 10, false},
		"a heavy value is not shared": {101, nil, 10, false},
		"the state changes meanwhile": {1, nil, 1, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			var now atomic.Int64
			all := newCache[int64, string, int](100, func() (int64, bool) { return now.Load(), true })
			var works atomic.Int64
			var group sync.WaitGroup
			for range 10 {
				group.Go(func() {
					v, err := all.find("key", func() (int, int, error) {
						works.Add(1)
						time.Sleep(time.Second)
						return 7, c.weight, c.err
					})
					if v != 7 || err != c.err {
						t.Errorf("%s: got %d, %v", name, v, err)
					}
				})
			}
			synctest.Wait()
			if !c.cached && c.works == 1 { // while the value is being computed
				now.Store(1)
				if v, _ := all.find("key", func() (int, int, error) { return 8, 1, nil }); v != 8 {
					t.Errorf("%s: got %d, want 8", name, v)
				}
			}
			group.Wait()
			if got := int(works.Load()); got != c.works {
				t.Errorf("%s: %d callers compute, want %d", name, got, c.works)
			}
			if _, ok := all.get(0, "key"); ok != c.cached {
				t.Errorf("%s: the value is cached: %v", name, ok)
			}
			if v, ok := all.get(1, "key"); ok && (v != 8 || all.weight != 1) {
				t.Errorf("%s: in the other state the cache holds %d, and its weight is %d", name, v, all.weight)
			}
		})
	}
}

// TestCachePanics lets the caller that computes for all panic: the others do not wait
// forever.
func TestCachePanics(t *testing.T) {
	c := newCache[int, string, int](100, func() (int, bool) { return 0, true })
	synctest.Test(t, func(t *testing.T) {
		var group sync.WaitGroup
		group.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			_, _ = c.find("key", func() (int, int, error) { time.Sleep(time.Second); panic("fault") })
		})
		synctest.Wait()
		group.Go(func() {
			if v, err := c.find("key", func() (int, int, error) { return 7, 1, nil }); v != 7 || err != nil {
				t.Errorf("got %d, %v", v, err)
			}
		})
		group.Wait()
	})
}

// TestTokenAlone gets a token from a long header. The cached token must not keep the
// header in memory.
func TestTokenAlone(t *testing.T) {
	header := "Bearer" + strings.Repeat(" ", 60<<10) + "token"
	token, err := bearerToken(&http.Request{Header: http.Header{"Authorization": {header}}})
	if err != nil || token != "token" {
		t.Fatalf("got %q, %v", token, err)
	}
	if end := header[len(header)-len(token):]; unsafe.StringData(token) == unsafe.StringData(end) {
		t.Error("the token is a part of the header")
	}
}

// TestBrokenOff lets the database fail in the middle of a long list: the client must see
// that the list is not complete.
func TestBrokenOff(t *testing.T) {
	s, err := New(t.Context(), Config{DB: dbtest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	rows := list[int]{id: func(i int) int64 { return int64(i) }, read: func(after *int64, limit int) ([]int, error) {
		if after != nil {
			return nil, errors.New("the disk is gone")
		}
		part := make([]int, limit)
		for i := range part {
			part[i] = i + 1
		}
		return part, nil
	}}
	server := httptest.NewServer(s.observe(s.handle(func(w http.ResponseWriter, r *http.Request) error {
		return rows.stream(s, w, r)
	})))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if !resp.Uncompressed {
		t.Error("the list was not compressed")
	}
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatalf("nothing was sent: %v", err)
	}
	if err := readAll(resp); err == nil {
		t.Error("the answer ends as if it were whole")
	}
}

func readAll(resp *http.Response) error {
	_, err := io.Copy(io.Discard, resp.Body)
	return err
}

// TestSlowDisk lets the database take longer for a part than a client may take for a
// piece.
func TestSlowDisk(t *testing.T) {
	ours := pieceTimeout
	defer func() { pieceTimeout = ours }()
	pieceTimeout = 100 * time.Millisecond
	s, err := New(t.Context(), Config{DB: dbtest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	rows := list[int]{id: func(i int) int64 { return int64(i) }, read: func(after *int64, limit int) ([]int, error) {
		if after == nil {
			return slices.Repeat([]int{1}, limit), nil
		}
		time.Sleep(3 * pieceTimeout)
		return []int{2}, nil
	}}
	server := httptest.NewServer(s.observe(s.handle(func(w http.ResponseWriter, r *http.Request) error {
		return rows.stream(s, w, r)
	})))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all []int
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil || len(all) != largePart+1 {
		t.Errorf("got %d rows, %v", len(all), err)
	}
}

// TestStuckClient lets a client request a long list and not read it: another client
// soon gets its place.
func TestStuckClient(t *testing.T) {
	ours := pieceTimeout
	defer func() { pieceTimeout = ours }()
	pieceTimeout = 50 * time.Millisecond
	s, err := New(t.Context(), Config{DB: dbtest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	endless := list[int]{id: func(i int) int64 { return int64(i) }, read: func(_ *int64, limit int) ([]int, error) {
		return make([]int, limit), nil
	}}
	ended := make(chan struct{})
	server := httptest.NewServer(s.observe(s.handle(func(w http.ResponseWriter, r *http.Request) error {
		defer close(ended)
		return endless.stream(s, w, r)
	})))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the server still waits for the client")
	}
	if len(s.largeLists) != 0 {
		t.Error("the place of the client is not free")
	}
}
