package server

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestRoutesAreDescribed compares the routes with openapi.yaml: the paths, their
// methods, and who may use them.
func TestRoutesAreDescribed(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	text, err := yamlToJSON(openapiYAML)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	described := map[string]string{}
	for path, item := range doc.Paths {
		var names []string
		who := map[access]bool{}
		for method, text := range item {
			if method == "parameters" {
				continue
			}
			var op struct{ Security *[]any }
			if err := json.Unmarshal(text, &op); err != nil {
				t.Fatal(err)
			}
			names = append(names, strings.ToUpper(method))
			who[op.Security == nil] = true
		}
		slices.Sort(names)
		if len(who) != 1 {
			t.Errorf("%s is for anyone and for who is signed in", path)
		}
		described[strings.TrimSuffix(path, "/")] = describe(access(who[true]), names)
	}
	routes := map[string]string{}
	(&Server{}).eachRoute(func(path string, who access, m methods) {
		var names []string
		for _, m := range m {
			names = append(names, m.name)
		}
		slices.Sort(names)
		routes[strings.TrimSuffix(path, "/")] = describe(who, names)
	})
	for path := range maps.Keys(routes) {
		if described[path] != routes[path] {
			t.Errorf("%s: %q is described, the routes have %q", path, described[path], routes[path])
		}
	}
	for path := range maps.Keys(described) {
		if routes[path] == "" {
			t.Errorf("%s is described and no route", path)
		}
	}
}

func describe(who access, methods []string) string {
	if who == signedIn {
		return "signed in: " + strings.Join(methods, " ")
	}
	return "anyone: " + strings.Join(methods, " ")
}

// TestWantsPage tells browsers from programs by what they accept.
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

// TestYAMLToJSON keeps the order of the keys.
func TestYAMLToJSON(t *testing.T) {
	for text, want := range map[string]string{
		"{b: 1, a: [true, null, 1.5, <x>, 2025-07-20, '1'], c: {}, d: []}": `{"b":1,"a":[true,null,1.5,"<x>","2025-07-20","1"],"c":{},"d":[]}`,
		"a: &x {y: z}\nb: *x":  `{"a":{"y":"z"},"b":{"y":"z"}}`,
		"a: |\n  two\n  lines": `{"a":"two\nlines"}`,
		"a: [":                 "",
	} {
		got, err := yamlToJSON([]byte(text))
		if string(got) != want && want != "" || (err == nil) != (want != "") {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
}
