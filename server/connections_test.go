package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"onenow/db/dbtest"
)

// listening starts a server with two listeners, which share its limit of connections.
func listening(t *testing.T, limit int) (addresses [2]string) {
	t.Helper()
	s, err := New(t.Context(), Config{DB: dbtest.New(t), MaxConnections: limit})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, len(addresses))
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses[i] = l.Addr().String()
		go func() { stopped <- s.serve(ctx, s.httpServer(s, nil), l) }()
	}
	t.Cleanup(func() {
		cancel()
		for range addresses {
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		}
	})
	return addresses
}

func connect(t *testing.T, address, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

const health = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

// TestListenersShareTheLimit fills the limit through one listener: a client of the
// other one waits, and is served when there is a place.
func TestListenersShareTheLimit(t *testing.T) {
	addresses := listening(t, 2)
	idle := []net.Conn{connect(t, addresses[0], "GET"), connect(t, addresses[0], "GET")}
	time.Sleep(100 * time.Millisecond) // for the server to accept them
	waiting := connect(t, addresses[1], health)
	_ = waiting.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := waiting.Read(make([]byte, 1)); err == nil {
		t.Errorf("got %d bytes of an answer from a third connection", n)
	}
	idle[0].Close()
	wantHealthy(t, waiting)
}

// TestIdleListenersTakeNoPlace sends requests to both listeners in turn, with a limit of
// one connection.
func TestIdleListenersTakeNoPlace(t *testing.T) {
	addresses := listening(t, 1)
	for i := range 6 {
		wantHealthy(t, connect(t, addresses[i%2], health))
	}
}

// TestShutdownWithWaitingClients stops a server while a client waits for a place. The
// test would not end if the server did not stop.
func TestShutdownWithWaitingClients(t *testing.T) {
	addresses := listening(t, 1)
	connect(t, addresses[0], "GET")
	for _, address := range addresses {
		connect(t, address, health)
	}
	time.Sleep(100 * time.Millisecond)
}

func wantHealthy(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		t.Errorf("got %d, want 200", resp.StatusCode)
	}
}
