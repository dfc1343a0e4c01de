package server

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"onenow/db/dbtest"
)

// TestCacheBounds puts more into a cache than it may keep.
func TestCacheBounds(t *testing.T) {
	c := newCache[int, int, string](100)
	for i := range 1000 {
		c.put(0, i, "x", 7)
		if _, ok := c.get(0, i); !ok {
			t.Fatalf("%d is forgotten at once", i)
		}
	}
	if len(c.entries) != 14 || c.weight != 14*7 {
		t.Errorf("keeps %d of weight %d, want 14 of 98", len(c.entries), c.weight)
	}
	c.put(0, 999, "y", 9)
	if v, _ := c.get(0, 999); v != "y" || c.weight > 100 {
		t.Errorf("got %q, weight %d, after it was put again", v, c.weight)
	}
	c.put(0, -1, "too heavy", 101)
	if _, ok := c.get(0, -1); ok {
		t.Error("keeps what is too heavy")
	}
	c.put(1, 1, "z", 7)
	if _, ok := c.get(0, 999); ok || len(c.entries) != 1 || c.weight != 7 {
		t.Errorf("in another state it keeps %d of weight %d", len(c.entries), c.weight)
	}
}

// TestBrokenOff has the database fail in the middle of a long list: the client
// must not take what it has for all there is.
func TestBrokenOff(t *testing.T) {
	s, err := New(t.Context(), Config{DB: dbtest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	rows := list[int]{id: func(i int) int64 { return int64(i) }, read: func(after int64, limit int) ([]int, error) {
		if after > 0 {
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

// TestSlowDisk has the database take longer over a part than a client may over a
// piece.
func TestSlowDisk(t *testing.T) {
	ours := pieceTimeout
	defer func() { pieceTimeout = ours }()
	pieceTimeout = 100 * time.Millisecond
	s, err := New(t.Context(), Config{DB: dbtest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	rows := list[int]{id: func(i int) int64 { return int64(i) }, read: func(after int64, limit int) ([]int, error) {
		if after == 0 {
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

// TestStuckClient has a client ask for a long list and not read it: its place is
// soon another's.
func TestStuckClient(t *testing.T) {
	ours := pieceTimeout
	defer func() { pieceTimeout = ours }()
	pieceTimeout = 50 * time.Millisecond
	s, err := New(t.Context(), Config{DB: dbtest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	endless := list[int]{id: func(i int) int64 { return int64(i) }, read: func(_ int64, limit int) ([]int, error) {
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
		t.Fatal("it is still waited for")
	}
	if len(s.largeLists) != 0 {
		t.Error("its place is not free")
	}
}
