package server

import (
	"bytes"
	"context"
	"net"
	"net/http"
)

// A request that gives both Content-Length and Transfer-Encoding may end in
// one place for a proxy and in another for us, so that what a client hides in
// its body becomes somebody else's request. RFC 9112, section 6.1, lets a
// server refuse it, and has it close the connection in any case. net/http
// drops the Content-Length before a handler sees it; so the head of a request
// is kept as it came, up to headKept.

// headKept is how much is kept of a request's head: all that comes in one read
// of net/http's.
const headKept = 4096

// headListener keeps the heads of requests on its connections.
type headListener struct{ net.Listener }

func (l headListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &headConn{Conn: c}, nil
}

// headConn is used by one goroutine at a time, as net/http uses a connection
// while it reads requests.
type headConn struct {
	net.Conn
	head []byte // of the request being read; nil before its first byte
}

func (c *headConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if room := headKept - len(c.head); room > 0 && n > 0 && !bytes.Contains(c.head, []byte("\r\n\r\n")) {
		c.head = append(c.head, p[:min(n, room)]...)
	}
	return n, err
}

type headKey struct{}

// keepHeads makes srv hand the head of each request to framingRefused.
func keepHeads(srv *http.Server) {
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, headKey{}, c)
	}
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		if hc, ok := c.(*headConn); ok && state == http.StateIdle {
			hc.head = hc.head[:0] // what comes next is another request
		}
	}
}

// checkFraming refuses a request with both lengths, and has the connection
// closed after every chunked one, in case its head was not seen.
func checkFraming(w http.ResponseWriter, r *http.Request) error {
	if len(r.TransferEncoding) == 0 || r.ProtoMajor != 1 {
		return nil
	}
	w.Header().Set("Connection", "close")
	c, ok := r.Context().Value(headKey{}).(*headConn)
	if !ok {
		return nil
	}
	head, _, _ := bytes.Cut(c.head, []byte("\r\n\r\n"))
	if bytes.Contains(bytes.ToLower(head), []byte("\ncontent-length:")) {
		return detail(http.StatusBadRequest, "A request has a Content-Length or a Transfer-Encoding, not both.")
	}
	return nil
}
