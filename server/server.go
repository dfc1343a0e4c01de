// Package server answers onenow's REST API over HTTP: routes, what requests
// may say, and what answers look like. What is true of the shop's data is
// package db's to know.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"onenow/auth"
	"onenow/db"
)

// How long a connection may take. A slow client holds nothing but its own
// connection, but those are limited, too.
const (
	headerTimeout   = 10 * time.Second
	readTimeout     = 30 * time.Second
	writeTimeout    = 60 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 10 * time.Second

	maxHeaderBytes = 64 << 10
)

// Config is what a Server needs.
type Config struct {
	DB     *db.DB       // where everything is kept; required
	Logger *slog.Logger // one line a request, and what the owner should know; nil discards

	RegistrationClosed bool     // refuse POST /register/
	CORSOrigins        []string // origins whose pages may call the API; none means any
}

// Server is the HTTP API over one database.
type Server struct {
	db        *db.DB
	log       *slog.Logger
	passwords *auth.Passwords
	tokens    *auth.Tokens
	verified  *tokenCache
	handler   http.Handler

	registrationClosed bool
}

// New returns a Server with the signing key that is in the database.
func New(ctx context.Context, cfg Config) (*Server, error) {
	key, err := cfg.DB.SigningKey(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{
		db:                 cfg.DB,
		log:                cfg.Logger,
		passwords:          auth.NewPasswords(),
		tokens:             auth.NewTokens(key, cfg.DB.Now),
		verified:           newTokenCache(),
		registrationClosed: cfg.RegistrationClosed,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.handler = s.middleware(s.routes(), cfg.CORSOrigins)
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Serve answers what arrives at l until ctx ends. Then it stops accepting,
// lets running requests finish, for 10 seconds at most, and returns nil.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:                      s,
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		DisableGeneralOptionsHandler: true, // OPTIONS * is an unknown path like any other
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		s.log.Warn("some requests did not finish in time and were cut off", "after", shutdownTimeout)
		return errors.Join(srv.Close())
	}
	return nil
}
