package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"onenow/server"
)

// dial opens a connection to a shop.
func (s *shop) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// raw sends text unchanged. It returns all answers until the server closes the
// connection or sends nothing for a moment.
func (s *shop) raw(text string) []*http.Response {
	s.t.Helper()
	c := s.dial()
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	var all []*http.Response
	in := bufio.NewReader(c)
	for {
		patience := 300 * time.Millisecond
		if len(all) == 0 {
			patience = 10 * time.Second
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return all
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(strings.NewReader(string(body)))
		all = append(all, resp)
	}
}

// TestSlowLoris holds 500 connections open that send a header now and then,
// while a normal client's requests all succeed.
func TestSlowLoris(t *testing.T) {
	f := newFixture(t)
	for i := range 500 {
		c := f.dial()
		if _, err := fmt.Fprintf(c, "POST /login/ HTTP/1.1\r\nHost: x\r\nX-Slow-%d: ", i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		f.send("GET", "/vehicles/1/", f.me, nil).want(t, 200, vehicle1)
		f.send("POST", "/bookings/", f.me, bookingBody(2, fmt.Sprintf("2025-01-%02d", i/2+1), fmt.Sprintf("2025-01-%02d", i/2+2)))
	}
}

// TestMaxConnections opens one connection more than the limit: its client waits, and gets
// an answer when another connection closes.
func TestMaxConnections(t *testing.T) {
	s := newShopWith(t, server.Config{MaxConnections: 4})
	idle := make([]net.Conn, 4)
	for i := range idle {
		idle[i] = s.dial()
		if _, err := io.WriteString(idle[i], "GET"); err != nil {
			t.Fatal(err)
		}
	}
	waiting := s.dial()
	if _, err := io.WriteString(waiting, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = waiting.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := waiting.Read(make([]byte, 1)); err == nil {
		t.Errorf("got %d bytes of an answer from a fifth connection", n)
	}
	idle[0].Close()
	_ = waiting.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(waiting), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("got %v, %v, want 200", resp, err)
	}
}

// TestCutOffRequests cuts a request off after every byte. The server stores only the
// booking of the complete request, and goes on.
func TestCutOffRequests(t *testing.T) {
	f := newFixture(t)
	body := `{"vehicle":2,"start_date":"2025-07-20","end_date":"2025-07-25"}`
	request := fmt.Sprintf("POST /bookings/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", f.me, len(body), body)
	var wg sync.WaitGroup
	for i := range len(request) {
		wg.Go(func() {
			c := f.dial()
			if _, err := io.WriteString(c, request[:i]); err != nil {
				t.Error(err)
			}
			if i%2 == 0 { // half of the clients wait for an answer, and half go away
				_ = c.(*net.TCPConn).CloseWrite()
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err == nil && resp.StatusCode != 400 {
					t.Errorf("cut off at %d of %d: got %d", i, len(request), resp.StatusCode)
				}
			}
			c.Close()
		})
	}
	wg.Wait()
	if got := f.send("GET", "/bookings/", f.me, nil).ids(t); got != "[1]" {
		t.Errorf("got bookings %s, want [1] alone", got)
	}
	if all := f.raw(request); len(all) != 1 || all[0].StatusCode != 201 {
		t.Errorf("got %v for the whole request, want one 201", all)
	}
}

// TestHeaderBomb sends more headers than any client needs.
func TestHeaderBomb(t *testing.T) {
	s := newShop(t)
	for name, head := range map[string]string{
		"one long": "X-A: " + strings.Repeat("a", 80<<10) + "\r\n",
		"many":     strings.Repeat("X-A: a\r\n", 20<<10),
	} {
		all := s.raw("GET /healthz HTTP/1.1\r\nHost: x\r\n" + head + "\r\n")
		if len(all) != 1 || all[0].StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: got %v, want one 431", name, all)
		}
	}
	if all := s.raw("GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 50<<10) + "\r\n\r\n"); len(all) != 1 || all[0].StatusCode != 200 {
		t.Errorf("50 KiB: got %v, want one 200", all)
	}
}

// TestSmuggling sends requests that a proxy and our server may read differently: our
// server never answers the request that is hidden in them.
func TestSmuggling(t *testing.T) {
	f := newFixture(t)
	hidden := "DELETE /vehicles/1/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + f.me + "\r\n\r\n"
	chunked := "0\r\n\r\n" + hidden
	head := "POST /login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	for name, text := range map[string]string{
		"both lengths after another request": "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + head + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n", len(chunked)) + chunked,
		"both lengths":                       head + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n", len(chunked)) + chunked,
		"both, the other way":                head + fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n", len(chunked)) + chunked,
		"two lengths":                        head + fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n\r\n", len(hidden)) + hidden,
		"a list of lengths":                  head + fmt.Sprintf("Content-Length: 0, %d\r\n\r\n", len(hidden)) + hidden,
		"a signed length":                    head + fmt.Sprintf("Content-Length: +%d\r\n\r\n", len(hidden)) + hidden,
		"a space before the colon":           head + "Content-Length : 0\r\n\r\n" + hidden,
		"a folded header":                    head + fmt.Sprintf("Content-Length:\r\n %d\r\n\r\n", len(hidden)) + hidden,
		"an odd coding":                      head + "Transfer-Encoding: xchunked\r\n\r\n" + chunked,
		"a coding twice":                     head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunked,
		"a coding list":                      head + "Transfer-Encoding: identity, chunked\r\n\r\n" + chunked,
		"a coding with a control":            head + "Transfer-Encoding: \x0bchunked\r\n\r\n" + chunked,
		"a chunk size beyond 64 bits":        head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n\r\n" + hidden,
		"a chunk size with a sign":           head + "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n" + hidden,
		"a chunk size in C's way":            head + "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + hidden,
		"no end of the chunk":                head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n" + hidden,
		"HTTP/1.0 with chunks":               strings.Replace(head, "1.1", "1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n" + chunked,
	} {
		for _, resp := range f.raw(text) {
			if resp.StatusCode == http.StatusNoContent {
				t.Errorf("%s: the hidden request was answered", name)
			}
		}
		f.send("GET", "/vehicles/1/", f.me, nil).want(t, 200, vehicle1)
	}
	for _, both := range []string{"Content-Length: 2\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 7"} {
		all := f.raw(head + both + "\r\n\r\n2\r\n[]\r\n0\r\n\r\n" + hidden)
		if len(all) != 1 || all[0].StatusCode != 400 || !all[0].Close {
			t.Fatalf("got %v for both lengths, want one 400 and the connection closed", all)
		}
		if text, _ := io.ReadAll(all[0].Body); !strings.Contains(string(text), "but got list.") {
			t.Errorf("got %s for both lengths, want what is wrong with the list in the chunks", text)
		}
	}
	// Two valid requests at once get two answers.
	if all := f.raw("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /me HTTP/1.1\r\nHost: x\r\n\r\n"); len(all) != 2 || all[0].StatusCode != 200 || all[1].StatusCode != 401 {
		t.Errorf("got %v, want a 200 and a 401", all)
	}
}
