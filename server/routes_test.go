package server

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"onenow/server/docs"
)

// TestRoutesAreDescribed compares the routes with openapi.yaml: the paths, the methods
// and the access.
func TestRoutesAreDescribed(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	text, err := yaml.YAMLToJSON(docs.YAML)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	described := map[string]string{}
	for path, item := range doc.Paths {
		var names []string
		public := map[bool]bool{}
		for method, text := range item {
			if method == "parameters" {
				continue
			}
			var op struct{ Security *[]any }
			if err := json.Unmarshal(text, &op); err != nil {
				t.Fatal(err)
			}
			names = append(names, strings.ToUpper(method))
			public[op.Security != nil] = true
		}
		slices.Sort(names)
		if len(public) != 1 {
			t.Errorf("%s is for anyone and for signed-in users", path)
		}
		described[strings.TrimSuffix(path, "/")] = describe(public[true], names)
	}
	routes := map[string]string{}
	(&Server{}).eachRoute(func(path string, who access, m methods) {
		var names []string
		for _, m := range m {
			names = append(names, m.name)
		}
		slices.Sort(names)
		err := who(&Server{}, &http.Request{}) // the access of a guest
		if err != nil && err != error(errNoCredentials) {
			t.Errorf("%s: got %v for a guest", path, err)
		}
		routes[strings.TrimSuffix(path, "/")] = describe(err == nil, names)
	})
	for path := range maps.Keys(routes) {
		if described[path] != routes[path] {
			t.Errorf("%s: %q is described, the routes have %q", path, described[path], routes[path])
		}
	}
	for path := range maps.Keys(described) {
		if routes[path] == "" {
			t.Errorf("%s is described but is not a route", path)
		}
	}
}

func describe(public bool, methods []string) string {
	if public {
		return "anyone: " + strings.Join(methods, " ")
	}
	return "signed in: " + strings.Join(methods, " ")
}

// TestWantsPage distinguishes browsers from programs by their Accept headers.
func TestWantsPage(t *testing.T) {
	for accept, want := range map[string]bool{
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8": true, // Chromium, Firefox
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8":                       true, // Safari
		"Text/HTML":                         true,
		"text/*":                            true,
		"text/html, application/json;q=0.9": true,
		"application/json;q=0.5, text/html;level=1;Q=0.6": true,
		"":                                  false,
		"*/*":                               false, // curl, fetch
		"application/json, text/plain, */*": false, // axios
		"application/json":                  false,
		"text/html;q=0, */*":                false,
		"text/html;q=0.5, application/json": false,
		"text/html, application/json":       false,
		"text/html, application/*":          false,
		"image/png":                         false,
		"text/htmlx":                        false,
		";;;,,q=":                           false,
	} {
		if got := wantsPage(&http.Request{Header: http.Header{"Accept": {accept}}}); got != want {
			t.Errorf("%q: got %v, want %v", accept, got, want)
		}
	}
}
