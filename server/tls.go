package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"onenow/db"
)

// ACME configures how to get certificates from a certificate authority (RFC 8555).
type ACME struct {
	Domains   []string // the names to serve; at least one
	Directory string   // the URL of the authority's directory; empty means Let's Encrypt
}

// ServeTLS is Serve with HTTPS on one listener. It gets and renews the certificates
// itself. On the other listener, for plain HTTP, it answers the challenges of the
// certificate authority and redirects everything else to HTTPS. The account and the
// certificates are stored in the database.
func (s *Server) ServeTLS(ctx context.Context, https, plain net.Listener, a ACME) error {
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      certificates{s.db},
		HostPolicy: autocert.HostWhitelist(a.Domains...),
		Client:     &acme.Client{DirectoryURL: cmp.Or(a.Directory, autocert.DefaultACMEDirectory), UserAgent: "onenow"},
	}
	config := m.TLSConfig()
	config.MinVersion = tls.VersionTLS12
	getCertificate := config.GetCertificate
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := getCertificate(hello)
		if err != nil && slices.Contains(a.Domains, hello.ServerName) { // scanners ask for any name
			s.log.Warn("could not get a certificate", "domain", hello.ServerName, "error", err)
		}
		return cert, err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 2)
	go func() { done <- s.serve(ctx, s.httpServer(s, config), https) }()
	redirect := m.HTTPHandler(s.observe(s.redirectTo(a.Domains, https.Addr().(*net.TCPAddr))))
	go func() { done <- s.serve(ctx, s.httpServer(redirect, nil), plain) }()
	err := <-done
	cancel()
	return errors.Join(err, <-done)
}

// redirectTo returns a handler that redirects clients from http to https. Status 308
// keeps the method; after a 301, clients send a GET.
func (s *Server) redirectTo(domains []string, https *net.TCPAddr) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		if !strings.HasPrefix(r.URL.Path, "/") {
			return errPathNotFound
		}
		host := strings.ToLower(r.Host)
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if !slices.Contains(domains, host) { // an IP address, or a name that is not ours
			host = domains[0]
		}
		if https.Port != 443 {
			host = net.JoinHostPort(host, strconv.Itoa(https.Port))
		}
		to := url.URL{Scheme: "https", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		w.Header().Set("Location", to.String())
		w.WriteHeader(http.StatusPermanentRedirect)
		return nil
	})
}

// certificates is an autocert.Cache in the database.
type certificates struct{ db *db.DB }

func (c certificates) Get(ctx context.Context, name string) ([]byte, error) {
	data, err := c.db.Certificate(ctx, name)
	if errors.Is(err, db.ErrNotFound) {
		return nil, autocert.ErrCacheMiss
	}
	return data, err
}

func (c certificates) Put(ctx context.Context, name string, data []byte) error {
	return c.db.PutCertificate(ctx, name, data)
}

func (c certificates) Delete(ctx context.Context, name string) error {
	return c.db.DeleteCertificate(ctx, name)
}
