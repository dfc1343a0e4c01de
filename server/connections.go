package server

import (
	"net"
	"sync"
)

// connections limits how many connections all listeners of a server have open
// together. The channel holds one element for each open connection.
type connections chan struct{}

// listen returns a listener for the connections of l. A connection beyond the limit
// waits until another one closes.
func (c connections) listen(l net.Listener) net.Listener {
	closed := make(chan struct{})
	return &limitedListener{l, c, closed, sync.OnceFunc(func() { close(closed) })}
}

type limitedListener struct {
	net.Listener
	open   connections
	closed chan struct{}
	close  func()
}

// Accept counts a connection after it has accepted it. If it reserved a place first,
// as the listener of golang.org/x/net does, each idle listener would hold a place
// that another listener needs.
func (l *limitedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case l.open <- struct{}{}:
		return &limitedConn{conn, sync.OnceFunc(func() { <-l.open })}, nil
	case <-l.closed:
		_ = conn.Close()
		return nil, net.ErrClosed
	}
}

func (l *limitedListener) Close() error {
	l.close()
	return l.Listener.Close()
}

// limitedConn is a counted connection. It may be closed twice, and counts once.
type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
