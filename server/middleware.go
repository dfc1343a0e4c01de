package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rs/cors"

	"onenow/db"
	"onenow/server/body"
)

// middleware wraps the routes, outermost first: log, CORS.
func (s *Server) middleware(routes http.Handler, origins []string) http.Handler {
	return s.observe(s.allowOrigins(origins, routes))
}

// isPreflight reports whether r is a preflight request, with which a browser asks whether
// a page of another origin may send a request: https://fetch.spec.whatwg.org/#cors-preflight-request
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// exposedHeaders are the headers that a page of another origin may read.
const exposedHeaders = "Link, Retry-After, ETag, X-Total-Count, X-Request-Id"

// allowOrigins lets pages of other origins use the API (CORS). Tokens travel in a
// header, never in a cookie, so that a page can use only a token that its user has given
// to that page.
func (s *Server) allowOrigins(origins []string, next http.Handler) http.Handler {
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	headers := []string{"Authorization", "Content-Type"}
	c := cors.New(cors.Options{
		AllowedOrigins:     origins, // none means any
		AllowedMethods:     methods,
		AllowedHeaders:     []string{"*"}, // any header: frameworks and tracing libraries add their own
		ExposedHeaders:     strings.Split(exposedHeaders, ", "),
		AllowCredentials:   len(origins) > 0,                // some frameworks always send credentials; browsers refuse them if any origin is allowed
		MaxAge:             int((24 * time.Hour).Seconds()), // browsers use less
		OptionsPassthrough: true,                            // the route adds Allow and the 204
	})
	return c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if w.Header().Get("Access-Control-Expose-Headers") != "" {
			w.Header().Set("Access-Control-Expose-Headers", exposedHeaders) // cors would write Etag
		}
		if h := w.Header(); h.Get("Access-Control-Allow-Methods") != "" {
			// cors lists only the method and the headers of this request. If the answer
			// lists all of them, the browser needs no second preflight.
			h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
			if h.Get("Access-Control-Allow-Headers") == "" {
				h.Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
			}
		} else if origin := r.Header.Get("Origin"); s.corsLimited && h.Get("Access-Control-Allow-Origin") == "" && origin != baseURL(r) {
			s.noteRefused(origin)
		}
		next.ServeHTTP(w, r)
	}))
}

// maxRefused is the greatest number of refused origins in the log.
const maxRefused = 100

// noteRefused logs a refused origin, once.
func (s *Server) noteRefused(origin string) {
	if !ValidOrigin(origin) { // --cors-origin would refuse it
		return
	}
	s.refusedMu.Lock()
	defer s.refusedMu.Unlock()
	if _, logged := s.refused[origin]; logged || len(s.refused) >= maxRefused {
		return
	}
	s.refused[origin] = struct{}{}
	s.log.Warn("a page of this origin was refused; to allow it, start onenow with the flag", "origin", origin, "flag", "--cors-origin "+origin)
}

// ValidOrigin reports whether o is an origin of a web page, as browsers write it
// (RFC 6454).
func ValidOrigin(o string) bool {
	u, err := url.Parse(o)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(o) <= 300 &&
		o == u.Scheme+"://"+u.Host && !strings.ContainsAny(o, "* ")
}

// noteProxy logs, once, that a connection seems to come from a proxy that is not
// trusted. All clients of such a proxy share one rate limit. noteProxy names the address
// at the other end of the connection, and never an address in a header: that may be the
// address of a client, and a client that is trusted like a proxy can forge its address.
func (s *Server) noteProxy(r *http.Request) {
	peer := remote(r)
	if (peer.IsLoopback() || peer.IsPrivate()) && r.Header.Get("X-Forwarded-For") != "" && !s.proxies.trust(peer) {
		s.proxyOnce.Do(func() {
			s.log.Warn("a connection with X-Forwarded-For comes from an address that is not trusted; if your proxy has that address, start onenow with the flag", "flag", "--trusted-proxy "+peer.String())
		})
	}
}

// exchange is one request with its answer. In it, the middleware and the handlers store
// facts about both for each other and for the log.
type exchange struct {
	http.ResponseWriter
	id     string
	client netip.Addr    // the address of the client
	https  bool          // whether the request came over HTTPS, to us or to a trusted proxy
	prefix string        // the path below which a trusted proxy serves us, or ""
	by     *db.Principal // the signed-in user; nil for a guest
	status int           // 0 until the header is written
	bytes  int64
	cause  error // the reason for an error; only for the log
	broken bool  // whether the answer stopped halfway

	releaseBody func() // nil if no body was read
}

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(b)
	x.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// readBody reads r's body. A large body counts toward the limit of large bodies until r
// has been answered.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (fields body.Body, err error) {
	fields, exchangeOf(r).releaseBody, err = s.bodies.Read(w, r)
	return fields, err
}

type exchangeKey struct{}

// exchangeOf returns the exchange that r belongs to.
func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

// observe gives each request an id, logs one line when the request is answered, and
// answers 500 if the handler panics.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		x := &exchange{ResponseWriter: w, id: newRequestID()}
		x.client, x.https = s.proxies.client(r)
		s.noteProxy(r)
		x.prefix = s.proxies.prefix(r)
		setHeaders(w.Header(), r, x.id)
		closeAfterChunks(w, r)
		r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
		defer func() {
			if x.releaseBody != nil {
				defer x.releaseBody()
			}
			if v := recover(); v != nil {
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(v)
				}
				s.fail(x, r, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
			}
			s.logRequest(r, x, time.Since(start))
			if x.broken {
				panic(http.ErrAbortHandler) // makes net/http cut the connection
			}
		}()
		next.ServeHTTP(x, r)
	})
}

// commonHeaders are the headers of every answer. All answers share the values, because
// Header.Set would allocate each value for each request.
var commonHeaders = []struct {
	name  string // in the canonical form
	value []string
}{
	{"X-Content-Type-Options", []string{"nosniff"}}, // browsers must not show JSON as a page
	{"X-Frame-Options", []string{"DENY"}},           // no page may show an answer in a frame
	{"Referrer-Policy", []string{"no-referrer"}},    // links send no other site the address
	{"Cache-Control", []string{"no-store"}},         // an answer belongs to one user, or is a token
	{"Vary", []string{"Accept-Encoding"}},           // long answers are compressed
}

// setHeaders sets the headers of every answer.
func setHeaders(h http.Header, r *http.Request, id string) {
	h["X-Request-Id"] = []string{id}
	for _, c := range commonHeaders {
		h[c.name] = c.value
	}
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000") // RFC 6797: a year of HTTPS only
	}
}

// closeAfterChunks makes the server close the connection after a chunked request.
// A request with both Transfer-Encoding and Content-Length may end at one place
// for a proxy and at another for us. Then a request that a client hides in its body
// would become the next client's request. net/http ignores that Content-Length, and
// closing the connection prevents a further request on it (RFC 9112, section 6.1).
func closeAfterChunks(w http.ResponseWriter, r *http.Request) {
	if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

// newRequestID returns 16 hexadecimal digits. They are in the answer and in its line in
// the log.
func newRequestID() string {
	var b [8]byte
	for i, n := 0, rand.Uint64(); i < len(b); i, n = i+1, n>>8 {
		b[i] = byte(n)
	}
	return hex.EncodeToString(b[:])
}

// logRequest logs one line about r. It never logs the path, the query, the body or
// a header, because a client may have put a secret into any of them.
func (s *Server) logRequest(r *http.Request, x *exchange, took time.Duration) {
	level := slog.LevelInfo
	if x.status >= 500 && x.status != statusClientGone {
		level = slog.LevelError
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 9)
	attrs = append(attrs,
		slog.String("method", r.Method[:min(len(r.Method), 32)]),
		slog.String("route", strings.TrimSuffix(r.Pattern, "{$}")), // the pattern, not the path
		slog.Int("status", x.status),
		slog.Duration("took", took),
		slog.Int64("bytes", x.bytes),
		slog.String("client", x.client.String()),
		slog.String("request_id", x.id))
	if x.by != nil {
		attrs = append(attrs, slog.Int64("user_id", int64(x.by.User)))
	}
	if x.cause != nil {
		attrs = append(attrs, slog.String("error", x.cause.Error()))
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}
