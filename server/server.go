// Package server answers the requests of onenow's REST API over HTTP. It has the
// routes, the handlers and the answers; the rules of the shop are in package db.
package server

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"onenow/auth"
	"onenow/db"
	"onenow/server/body"
	"onenow/server/limit"
)

// The time limits of a connection. A slow client occupies only its own connection,
// and the number of connections is limited too.
const (
	headerTimeout   = 10 * time.Second
	readTimeout     = 30 * time.Second
	writeTimeout    = 60 * time.Second
	idleTimeout     = 30 * time.Second
	shutdownTimeout = 10 * time.Second

	maxHeaderBytes = 64 << 10

	defaultMaxConnections = 1024
)

// Config configures a Server.
type Config struct {
	DB     *db.DB       // required
	Logger *slog.Logger // gets one line per request, and warnings for the owner; nil discards them

	RegistrationClosed bool           // refuse POST /register/
	KeepRefreshTokens  bool           // a refresh token works for its whole day, also after its exchange
	CORSOrigins        []string       // origins whose pages may call the API; none means any
	TrustedProxies     []netip.Prefix // networks whose X-Forwarded-For, -Proto and -Prefix headers are trusted; none means no network
	MaxConnections     int            // of all listeners together; further connections wait; 0 means 1024
}

// Server is the HTTP API over one database.
type Server struct {
	db        *db.DB
	log       *slog.Logger
	turns     *auth.Turns
	bodies    *body.Reader
	guard     *limit.Guard
	registers *limit.Limiter // by address
	proxies   proxies

	largeLists chan struct{} // holds one element for each large list that is being sent

	proxyOnce sync.Once // for the warning about a proxy that is not trusted

	corsLimited bool // whether only pages of some origins may call the API
	refusedMu   sync.Mutex
	refused     map[string]struct{} // the refused origins that are in the log

	tokens   *auth.Tokens
	verified *cache[db.Revision, string, verifiedToken]
	answers  *cache[db.Revision, answerKey, *answer]
	handler  http.Handler

	run string // a random text, because a revision identifies a state only within one run of the program

	registrationClosed bool
	keepRefreshTokens  bool
	connections        connections
}

// New returns a Server. It reads the key that signs tokens from the database.
func New(ctx context.Context, cfg Config) (*Server, error) {
	key, err := cfg.DB.SigningKey(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{
		db:                 cfg.DB,
		log:                cfg.Logger,
		turns:              auth.NewTurns(),
		guard:              limit.NewGuard(cfg.DB.Now),
		registers:          limit.NewLimiter(100, time.Second, cfg.DB.Now),
		proxies:            cfg.TrustedProxies,
		bodies:             body.NewReader(),
		corsLimited:        len(cfg.CORSOrigins) > 0,
		refused:            map[string]struct{}{},
		tokens:             auth.NewTokens(key, cfg.DB.Now),
		verified:           newCache[db.Revision, string, verifiedToken](maxVerified, cfg.DB.Revision),
		answers:            newCache[db.Revision, answerKey, *answer](maxAnswers, cfg.DB.Revision),
		largeLists:         make(chan struct{}, largeLists),
		run:                newRequestID(),
		registrationClosed: cfg.RegistrationClosed,
		keepRefreshTokens:  cfg.KeepRefreshTokens,
		connections:        make(connections, cmp.Or(cfg.MaxConnections, defaultMaxConnections)),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.handler = s.middleware(s.routes(), cfg.CORSOrigins)
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Serve answers the requests that arrive at l until ctx ends. Then it accepts no
// more connections, gives the requests in progress up to 10 seconds to finish, and
// returns nil.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, s.httpServer(s, nil), l)
}

// httpServer returns an http.Server for the open internet. config is nil for plain
// HTTP.
func (s *Server) httpServer(h http.Handler, config *tls.Config) *http.Server {
	return &http.Server{
		HTTP2: &http.HTTP2Config{ // a connection has one client, so little is enough
			MaxConcurrentStreams:          32,
			MaxReceiveBufferPerConnection: 128 << 10,
			MaxReceiveBufferPerStream:     64 << 10,
		},
		Handler:                      h,
		TLSConfig:                    config,
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		ErrorLog:                     log.New(serverLog{s.log}, "", 0),
		DisableGeneralOptionsHandler: true, // OPTIONS * is an unknown path like any other
	}
}

func (s *Server) serve(ctx context.Context, srv *http.Server, l net.Listener) error {
	l = s.connections.listen(l)
	failed := make(chan error, 1)
	go func() {
		if srv.TLSConfig != nil {
			failed <- srv.ServeTLS(l, "", "")
		} else {
			failed <- srv.Serve(l)
		}
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		s.log.Warn("some requests did not finish in time and were cut off", "after", shutdownTimeout)
		return srv.Close()
	}
	return nil
}

// serverLog writes the messages of net/http to the log, except those about failed TLS
// handshakes: on the open internet, scanners cause them all day.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	if !bytes.Contains(line, []byte("TLS handshake error")) {
		l.log.Warn("http", "error", strings.TrimSpace(string(line)))
	}
	return len(line), nil
}
