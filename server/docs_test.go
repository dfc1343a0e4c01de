package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const chromiumAccepts = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

// TestDocs gets the page and its files as a browser does.
func TestDocs(t *testing.T) {
	s := newShop(t)
	page := s.send("GET", "/docs/", "", nil)
	page.want(t, 200, "")
	if got := page.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("got Content-Type %q", got)
	}
	if got := page.header.Get("Content-Security-Policy"); strings.Contains(got, "unsafe") || strings.Contains(got, "http") || !strings.HasPrefix(got, "default-src 'none'; ") {
		t.Errorf("got Content-Security-Policy %q", got)
	}
	links := regexp.MustCompile(`(?:href|src)="([^"]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(links) != 6 {
		t.Errorf("got links %q, want 6", links)
	}
	paths := []string{"/docs/", "/openapi.yaml", "/openapi.json"}
	for _, l := range links {
		if strings.HasPrefix(l[1], "/") || strings.Contains(l[1], ":") {
			t.Errorf("the link %s is not relative", l[1])
		}
		paths = append(paths, "/docs/"+l[1])
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "/../openapi.yaml") { // a browser would resolve it
			continue
		}
		var bodies []string
		for _, encoding := range []string{"identity", "gzip", "br;q=1, *;q=0.5", "gzip;q=0"} {
			get := s.send("GET", path, "", nil, header{"Accept-Encoding", encoding})
			get.want(t, 200, "")
			zipped := get.header.Get("Content-Encoding") == "gzip"
			if !zipped {
				bodies = append(bodies, get.body)
			}
			accepts := encoding != "identity" && encoding != "gzip;q=0"
			if want := accepts && len(bodies[0]) >= 1024 && path != "/docs/favicon.png"; zipped != want {
				t.Errorf("%s with %d bytes for %q: compressed is %v, want %v", path, len(bodies[0]), encoding, zipped, want)
			}
			if get.header.Get("Cache-Control") != "no-cache" {
				t.Errorf("%s: got Cache-Control %q", path, get.header.Get("Cache-Control"))
			}
			tag := get.header.Get("ETag")
			head := s.send("HEAD", path, "", nil, header{"Accept-Encoding", encoding})
			for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding", "ETag", "Vary"} {
				if head.status != 200 || head.body != "" || !slices.Equal(head.header[name], get.header[name]) {
					t.Errorf("HEAD %s: got %d and %s %q, want %q", path, head.status, name, head.header[name], get.header[name])
				}
			}
			for _, known := range []string{tag, "*", `"a", W/` + tag} {
				s.send("GET", path, "", nil, header{"Accept-Encoding", encoding}, header{"If-None-Match", known}).wantEmpty(t, 304)
			}
			s.send("GET", path, "", nil, header{"Accept-Encoding", encoding}, header{"If-None-Match", `"a"`}).want(t, 200, "")
		}
		if len(slices.Compact(bodies)) != 1 {
			t.Errorf("%s has different contents", path)
		}
	}
	// A range is a part of the file that is not compressed.
	whole := s.send("GET", "/docs/swagger-ui-bundle.js", "", nil, header{"Accept-Encoding", "identity"})
	part, err := http.NewRequest("GET", s.url+"/docs/swagger-ui-bundle.js", nil)
	if err != nil {
		t.Fatal(err)
	}
	part.Header.Set("Accept-Encoding", "identity")
	part.Header.Set("Range", "bytes=1000-1999")
	resp, err := http.DefaultClient.Do(part)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 206 || string(got) != whole.body[1000:2000] {
		t.Errorf("got %d, %v and %d bytes for a range, want 206 and the 1000 bytes", resp.StatusCode, err, len(got))
	}
	s.send("GET", "/docs/nothing", "", nil).want(t, 404, notFound)
	s.send("GET", "/docs/../main.go", "", nil).want(t, 404, notFound)
	s.send("POST", "/docs/", "", nil).want(t, 405, `{"detail":"Method \"POST\" not allowed."}`)
}

// wantEmpty checks that the answer has that status and no body.
func (a answer) wantEmpty(t testing.TB, status int) {
	t.Helper()
	if a.status != status || a.body != "" {
		t.Errorf("got %d %s\nwant %d and no body", a.status, a.body, status)
	}
}

// TestWayToDocs checks the redirects of browsers to the page: from the root, from its path
// without the slash, and from /swagger/ and /redoc/, below any prefix of a proxy.
func TestWayToDocs(t *testing.T) {
	s := newShop(t)
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(http.StripPrefix("/rental", httputil.NewSingleHostReverseProxy(target)))
	defer proxy.Close()
	ways := map[string]string{}
	for _, path := range []string{"/", "/docs", "/swagger", "/swagger/", "/redoc", "/redoc/"} {
		ways[s.url+path] = s.url + "/docs/"
		ways[proxy.URL+"/rental"+path] = proxy.URL + "/rental/docs/"
	}
	for from, to := range ways {
		req, err := http.NewRequest("GET", from, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", chromiumAccepts)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Request.URL.String(); resp.StatusCode != 200 || got != to {
			t.Errorf("%s: got %d at %s, want %s", from, resp.StatusCode, got, to)
		}
	}
	for _, method := range []string{"GET", "HEAD"} {
		a := s.send(method, "/", "", nil, header{"Accept", chromiumAccepts})
		a.wantEmpty(t, 302)
		if got := a.header.Get("Location"); got != "docs/" {
			t.Errorf("got Location %q", got)
		}
	}
	for _, path := range []string{"/swagger/", "/redoc"} {
		req, err := http.NewRequest("HEAD", s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.roundTrip(req).wantEmpty(t, 302)
		s.send("POST", path, "", nil).want(t, 405, `{"detail":"Method \"POST\" not allowed."}`)
	}
	s.send("GET", "/swagger/nothing", "", nil).want(t, 404, notFound)
	links := s.send("GET", "/", "", nil)
	for _, accept := range []string{"", "*/*", "application/json", "application/json, text/plain, */*"} {
		a := s.send("GET", "/", "", nil, header{"Accept", accept})
		a.want(t, 200, links.body)
		if !slices.Contains(a.header["Vary"], "Accept") {
			t.Errorf("got Vary %q", a.header["Vary"])
		}
	}
}
