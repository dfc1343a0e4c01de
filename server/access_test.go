package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestEveryMethodOfEveryPath sends each method to each path as the owner, as another
// user and as a guest.
func TestEveryMethodOfEveryPath(t *testing.T) {
	all := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"}
	const (
		login = `{"username":"shop","password":"pass123"}`
		car   = `{"make":"Kia","model":"Rio","year":2022,"plate":"NEW1"}`
		rent  = `{"vehicle":1,"start_date":"2026-01-01","end_date":"2026-01-02"}`
		// the other user books their own car
		theirs = `{"vehicle":3,"start_date":"2026-01-01","end_date":"2026-01-02"}`
	)
	for _, route := range []struct {
		path   string
		allow  string
		public bool
		row    bool           // belongs to the owner only
		body   string         // of POST, PUT and PATCH
		status map[string]int // of the allowed methods
		absent string         // the 404 that other users get
	}{
		{path: "/", allow: "GET, HEAD, OPTIONS", public: true, status: map[string]int{"GET": 200}},
		{path: "/healthz", allow: "GET, HEAD, OPTIONS", public: true, status: map[string]int{"GET": 200}},
		{path: "/readyz", allow: "GET, HEAD, OPTIONS", public: true, status: map[string]int{"GET": 200}},
		{path: "/openapi.yaml", allow: "GET, HEAD, OPTIONS", public: true, status: map[string]int{"GET": 200}},
		{path: "/openapi.json", allow: "GET, HEAD, OPTIONS", public: true, status: map[string]int{"GET": 200}},
		{path: "/docs/docs.js", allow: "GET, HEAD, OPTIONS", public: true, status: map[string]int{"GET": 200}},
		{path: "/register/", allow: "POST, OPTIONS", public: true, body: `{"username":"new","password":"x"}`, status: map[string]int{"POST": 201}},
		{path: "/login/", allow: "POST, OPTIONS", public: true, body: login, status: map[string]int{"POST": 200}},
		{path: "/api/token/refresh/", allow: "POST, OPTIONS", public: true, body: `{"refresh":"x"}`, status: map[string]int{"POST": 401}},
		{path: "/api/token/", allow: "POST, OPTIONS", public: true, body: login, status: map[string]int{"POST": 200}},
		{path: "/api/token/verify/", allow: "POST, OPTIONS", public: true, body: `{"token":"x"}`, status: map[string]int{"POST": 401}},
		{path: "/logout/", allow: "POST, OPTIONS", public: true, status: map[string]int{"POST": 400}},
		{path: "/password/change/", allow: "POST, OPTIONS", status: map[string]int{"POST": 400}},
		{path: "/me/", allow: "GET, HEAD, OPTIONS", status: map[string]int{"GET": 200}},
		{path: "/vehicles/", allow: "GET, POST, HEAD, OPTIONS", body: car, status: map[string]int{"GET": 200, "POST": 201}},
		{path: "/bookings/", allow: "GET, POST, HEAD, OPTIONS", body: rent, status: map[string]int{"GET": 200, "POST": 201}},
		{path: "/vehicles/1/", allow: "GET, PUT, PATCH, DELETE, HEAD, OPTIONS", row: true, body: car, absent: noVehicle,
			status: map[string]int{"GET": 200, "PUT": 200, "PATCH": 200, "DELETE": 204}},
		{path: "/bookings/1/", allow: "GET, PUT, PATCH, DELETE, HEAD, OPTIONS", row: true, body: rent, absent: noBooking,
			status: map[string]int{"GET": 200, "PUT": 200, "PATCH": 200, "DELETE": 204}},
	} {
		t.Run(route.path, func(t *testing.T) {
			f := newFixture(t)
			paths := []string{route.path}
			if route.path != "/" {
				paths = append(paths, strings.TrimSuffix(route.path, "/"))
			}
			// Guests and other users come first, because they must not change anything.
			for _, who := range []string{"guest", "other", "owner"} {
				token := map[string]string{"other": f.other, "owner": f.me}[who]
				for i, method := range all {
					path := paths[i%len(paths)]
					body := ""
					if method == "POST" || method == "PUT" || method == "PATCH" {
						body = route.body
						if who == "other" && route.path == "/bookings/" {
							body = theirs
						}
						if route.path == "/register/" {
							body = strings.Replace(body, "new", who, 1)
							if who == "other" {
								body = strings.Replace(body, "other", "another", 1)
							}
						}
					}
					as := method
					if as == "HEAD" {
						as = "GET"
					}
					want, wantBody := route.status[as], ""
					switch {
					case method == "OPTIONS":
						want = 204
					case who == "guest" && !route.public:
						want, wantBody = 401, noToken
					case want == 0:
						want, wantBody = 405, fmt.Sprintf(`{"detail":"Method \"%s\" not allowed."}`, method)
					case who == "other" && route.row:
						want, wantBody = 404, route.absent
					}
					if method == "HEAD" {
						wantBody = ""
					}
					a := f.as(t).send(method, path, token, body)
					if a.status != want || wantBody != "" && a.body != wantBody {
						t.Errorf("%s as %s: got %d %s, want %d %s", method, who, a.status, a.body, want, wantBody)
					}
					if allowed := a.header.Get("Allow"); (want == 405 || want == 204 && method == "OPTIONS") && allowed != route.allow {
						t.Errorf("%s as %s: got Allow %q, want %q", method, who, allowed, route.allow)
					}
				}
			}
			if route.row { // the owner has deleted the row
				f.as(t).send("DELETE", route.path, f.me, nil).want(t, 404, route.absent)
			}
		})
	}
}

// TestHEAD checks that HEAD gets the answer of GET, without the body.
func TestHEAD(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/", "/healthz", "/me/", "/vehicles/", "/vehicles/1/", "/vehicles/99/", "/bookings/?limit=1&count=1", "/nowhere"} {
		get, head := f.send("GET", path, f.me, nil), f.send("HEAD", path, f.me, nil)
		if head.status != get.status || head.body != "" {
			t.Errorf("%s: got %d with %q, want %d with nothing", path, head.status, head.body, get.status)
		}
		for _, name := range []string{"Content-Length", "Content-Type", "Link", "ETag", "X-Total-Count", "Vary"} {
			if !slices.Equal(head.header.Values(name), get.header.Values(name)) {
				t.Errorf("%s: got %s %q, want %q", path, name, head.header.Values(name), get.header.Values(name))
			}
		}
	}
}

// TestOwnersAreApart lets two owners list their rows: each sees only their own.
func TestOwnersAreApart(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct{ token, vehicles, bookings string }{{f.me, "[1 2]", "[1]"}, {f.other, "[3]", "[2]"}} {
		if got := f.send("GET", "/vehicles/", c.token, nil).ids(t); got != c.vehicles {
			t.Errorf("got vehicles %s, want %s", got, c.vehicles)
		}
		if got := f.send("GET", "/bookings/", c.token, nil).ids(t); got != c.bookings {
			t.Errorf("got bookings %s, want %s", got, c.bookings)
		}
	}
	// The other owner's booking leaves the same days free for my cars.
	if got := f.send("GET", "/vehicles/?available_from=2025-07-20&available_to=2025-07-25", f.me, nil).ids(t); got != "[2]" {
		t.Errorf("got free vehicles %s, want [2]", got)
	}
}
