package server

import (
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"onenow/server/body"
	"onenow/server/docs"
)

// methods are the methods of a route, in the order in which Allow lists them.
type methods []method

type method struct {
	name   string
	handle handler
}

// handler answers one request, or returns the error to answer with.
type handler func(w http.ResponseWriter, r *http.Request) error

// access decides who may use a route. It returns nil, or the error for the client.
type access func(*Server, *http.Request) error

// anyone is the access of routes that need no token.
func anyone(*Server, *http.Request) error { return nil }

// eachRoute calls route for each path of the API with its methods, apart from
// HEAD and OPTIONS. openapi.yaml describes the same routes.
func (s *Server) eachRoute(route func(path string, who access, m methods)) {
	route("/register", anyone, methods{{"POST", s.register}})
	route("/login", anyone, methods{{"POST", s.login}})
	route("/api/token", anyone, methods{{"POST", s.login}}) // SimpleJWT's path for it
	route("/api/token/refresh", anyone, methods{{"POST", s.refresh}})
	route("/api/token/verify", anyone, methods{{"POST", s.verifyToken}})
	route("/logout", anyone, methods{{"POST", s.logout}}) // no access token: the refresh token names the sign-in
	route("/password/change", signedIn, methods{{"POST", s.changePassword}})
	route("/me", signedIn, methods{{"GET", tagged(s.me)}})

	route("/vehicles", signedIn, methods{{"GET", s.cached(s.listVehicles)}, {"POST", s.createVehicle}})
	route("/vehicles/{id}", signedIn, methods{{"GET", s.cached(s.getVehicle)}, {"PUT", s.putVehicle}, {"PATCH", s.patchVehicle}, {"DELETE", s.deleteVehicle}})
	route("/bookings", signedIn, methods{{"GET", s.cached(s.listBookings)}, {"POST", s.createBooking}})
	route("/bookings/{id}", signedIn, methods{{"GET", s.cached(s.getBooking)}, {"PUT", s.putBooking}, {"PATCH", s.patchBooking}, {"DELETE", s.deleteBooking}})

	route("/healthz", anyone, methods{{"GET", tagged(s.healthz)}})
	route("/readyz", anyone, methods{{"GET", tagged(s.readyz)}})

	route("/", anyone, methods{{"GET", tagged(s.root)}})
	route("/docs", anyone, methods{{"GET", s.docs}})
	route("/docs/{file}", anyone, methods{{"GET", s.docs}})
	route("/openapi.yaml", anyone, methods{{"GET", s.docs}})
	route("/openapi.json", anyone, methods{{"GET", s.docs}})
}

// routes returns the handler of all routes, each with and without a slash at its
// end.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.eachRoute(func(path string, who access, m methods) {
		h := s.route(who, m)
		if path != "/" {
			mux.Handle(path, h)
		}
		mux.Handle(strings.TrimSuffix(path, "/")+"/{$}", h)
	})
	for _, path := range []string{"/swagger", "/redoc"} {
		h := s.route(anyone, methods{{"GET", s.otherDocs}})
		mux.Handle(path, h)
		mux.Handle(path+"/{$}", h)
	}
	mux.Handle("/", s.handle(noPath))

	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		if !clean(r.URL.Path) { // the mux would redirect it
			return noPath(w, r)
		}
		mux.ServeHTTP(w, r)
		return nil
	})
}

// noPath answers a request for a path without a route. A preflight gets 204 all the same, because a
// browser hides the 404 of the request itself if its preflight is refused.
func noPath(w http.ResponseWriter, r *http.Request) error {
	if !isPreflight(r) {
		return errPathNotFound
	}
	w.Header().Set("Allow", http.MethodOptions)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// clean reports whether p begins with a slash and has no empty, "." or ".."
// segments.
func clean(p string) bool {
	return p == "/" || strings.HasPrefix(p, "/") && strings.TrimSuffix(p, "/") == path.Clean(p)
}

// route returns the handler of one path. It checks the access first, then the
// method.
func (s *Server) route(who access, m methods) http.Handler {
	handlers := map[string]handler{}
	var names []string
	for _, m := range m {
		handlers[m.name] = m.handle
		names = append(names, m.name)
	}
	if get, ok := handlers["GET"]; ok {
		handlers["HEAD"] = get
		names = append(names, "HEAD")
	}
	allow := strings.Join(append(names, "OPTIONS"), ", ")

	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method == http.MethodOptions { // a CORS preflight has no token
			w.Header().Set("Allow", allow)
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		if err := who(s, r); err != nil {
			return err
		}
		h, ok := handlers[r.Method]
		if !ok {
			w.Header().Set("Allow", allow)
			return methodNotAllowed(r.Method)
		}
		return h(w, r)
	})
}

// handle returns an http.Handler that calls h and answers with the error that h
// returns.
func (s *Server) handle(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// root answers with links to the collections, as the router of Django REST framework
// does. It redirects a browser to the page about the API.
func (s *Server) root(w http.ResponseWriter, r *http.Request) error {
	w.Header().Add("Vary", "Accept")
	if wantsPage(r) {
		docs.Redirect(w)
		return nil
	}
	base := baseURL(r) + exchangeOf(r).prefix
	return writeJSON(w, http.StatusOK, struct {
		Vehicles string `json:"vehicles"`
		Bookings string `json:"bookings"`
	}{base + "/vehicles/", base + "/bookings/"})
}

// wantsPage reports whether r is from a browser that opens an address, and not
// from a program: it prefers HTML to JSON.
func wantsPage(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return body.Quality(accept, "text/html", "text/*", "*/*") > body.Quality(accept, "application/json", "application/*", "*/*")
}

// docs answers with a file of the page about the API.
func (s *Server) docs(w http.ResponseWriter, r *http.Request) error {
	err := docs.Serve(w, r)
	if errors.Is(err, fs.ErrNotExist) {
		return errPathNotFound
	}
	return err
}

// pathID returns the id in r's path, or errPathNotFound if it is not a number.
func pathID(r *http.Request) (int64, error) {
	id, ok := body.PathID(r.PathValue("id"))
	if !ok {
		return 0, errPathNotFound
	}
	return id, nil
}

// otherDocs redirects to /docs/ from the usual paths of such a page in projects with
// Django REST framework. These paths are not part of the API, and openapi.yaml does not
// describe them.
func (s *Server) otherDocs(w http.ResponseWriter, r *http.Request) error {
	location := "docs/" // relative, because a proxy may add a prefix
	if strings.HasSuffix(r.URL.Path, "/") {
		location = "../docs/"
	}
	w.Header().Set("Location", location)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusFound)
	return nil
}

// baseURL returns the scheme and host that the client has used, or "" if the request
// names no host, as in HTTP/1.0.
func baseURL(r *http.Request) string {
	if r.Host == "" {
		return ""
	}
	if exchangeOf(r).https {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

type status struct {
	Status string `json:"status"`
}

// healthz answers that the process is up.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, status{"ok"})
}

// readyz answers whether the database can be read and written.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := s.db.Ready(r.Context()); err != nil {
		if toAPIError(err) != nil {
			return err
		}
		return &apiError{
			status: http.StatusServiceUnavailable,
			body:   codeBody{"The database does not answer.", "storage_unavailable"},
			cause:  err,
		}
	}
	return writeJSON(w, http.StatusOK, status{"ok"})
}
