package cmd

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listen opens one listener for plain HTTP or, with domains, two listeners: the first for
// HTTPS, the second for the redirect to HTTPS.
func listen(opts serveOptions) ([]net.Listener, error) {
	addrs := []struct{ flag, addr string }{{"--addr", opts.addr}}
	if len(opts.acme.Domains) > 0 {
		addrs = []struct{ flag, addr string }{{"--https-addr", opts.httpsAddr}, {"--http-addr", opts.httpAddr}}
	}
	var listeners []net.Listener
	for _, a := range addrs {
		l, err := listenOn(a.flag, a.addr)
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// listenOn opens a listener on addr, the value of a flag.
func listenOn(flag, addr string) (net.Listener, error) {
	if addr == "" { // net.Listen would choose a random port
		return nil, fmt.Errorf("%s has no address: give one like %s 127.0.0.1:8000", flag, flag)
	}
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l, nil
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // without the address, which the message already has
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("cannot listen on %s: another program uses this address; stop that program, or choose another address with %s", addr, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("cannot listen on %s: ports below 1024 need CAP_NET_BIND_SERVICE; see the README on systemd, or choose a higher port with %s", addr, flag)
	}
	return nil, fmt.Errorf("cannot listen on %s: %w; choose another address with %s", addr, err, flag)
}

// publicURL returns the URL of the API: with domains, the URL of the first one; otherwise
// the URL for a browser on this machine.
func publicURL(opts serveOptions, l net.Listener) string {
	if len(opts.acme.Domains) > 0 {
		return fmt.Sprintf("https://%s/", opts.acme.Domains[0])
	}
	tcp := l.Addr().(*net.TCPAddr)
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "localhost"
	}
	return fmt.Sprintf("http://%s/", net.JoinHostPort(host, fmt.Sprint(tcp.Port)))
}
