package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	invalid "github.com/pb33f/libopenapi-validator/errors"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// description is openapi.yaml, with which the tests compare requests and answers.
type description struct {
	model  *v3.Document
	all    validator.Validator
	noBody validator.Validator // for answers to HEAD
}

// general is a path that only the tests use. It has the answers that every path may
// give.
const general = `
  /general:
    get:
      responses:
        '204': {$ref: '#/components/responses/Options'}
        '401': {$ref: '#/components/responses/Unauthorized'}
        '404': {$ref: '#/components/responses/NotFound'}
        '405': {$ref: '#/components/responses/MethodNotAllowed'}
`

// described reads the description, once, since that takes a while.
var described = sync.OnceValues(func() (*description, error) {
	text, err := os.ReadFile("docs/openapi.yaml")
	if err != nil {
		return nil, err
	}
	d := &description{}
	doc, err := libopenapi.NewDocument(bytes.Replace(text, []byte("\npaths:\n"), []byte("\npaths:"+general), 1))
	if err != nil {
		return nil, err
	}
	m, err := doc.BuildV3Model()
	if err != nil {
		return nil, err
	}
	d.model = &m.Model
	options := []config.Option{
		config.WithFormatAssertions(),
		config.WithStandardBodyDecoders(),
		config.WithRejectUnsupportedBodyContent(),
		config.WithStrictMode(), // refuses properties and headers that are not described
		config.WithStrictIgnoredHeadersExtra("X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
			"X-Forwarded-Prefix", "Content-Security-Policy", "Content-Encoding", "Vary", "Expect", "Accept-Ranges", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods",
			"Access-Control-Allow-Headers", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Access-Control-Max-Age"),
	}
	d.all = validator.NewValidatorFromV3Model(d.model, options...)
	d.all.SetDocument(doc)
	d.noBody = validator.NewValidatorFromV3Model(d.model, append(options, config.WithoutResponseBodyValidation())...)
	return d, nil
})

// path returns p with the slash at its end that the description has, and the
// item that describes it; "" if there is none.
func (d *description) path(p string) (string, *v3.PathItem) {
	want := strings.Split(strings.TrimSuffix(p, "/"), "/")
	for template, item := range d.model.Paths.PathItems.FromOldest() {
		got := strings.Split(strings.TrimSuffix(template, "/"), "/")
		if slices.EqualFunc(got, want, func(t, s string) bool { return t == s || strings.HasPrefix(t, "{") && s != "" }) {
			if strings.HasSuffix(template, "/") {
				return strings.TrimSuffix(p, "/") + "/", item
			}
			return strings.TrimSuffix(p, "/"), item
		}
	}
	return "", nil
}

// operation returns the description of a method. HEAD has the description of GET.
func operation(item *v3.PathItem, method string) *v3.Operation {
	if item == nil {
		return nil
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return item.GetOperations().GetOrZero(strings.ToLower(method))
}

// check returns an error if an answer differs from the description, or if the request
// succeeded and differs from the description.
func (d *description) check(req *http.Request, a answer, loose bool) error {
	r := req.Clone(req.Context())
	p, item := d.path(req.URL.EscapedPath())
	valid := d.all
	if r.Method == http.MethodHead {
		r.Method, valid = http.MethodGet, d.noBody
	}
	if operation(item, req.Method) == nil {
		if allow := a.header.Get("Allow"); item != nil && allow != "" {
			for m := range strings.SplitSeq(allow, ", ") {
				if m != "OPTIONS" && operation(item, m) == nil {
					return fmt.Errorf("allows %s, which is not described", m)
				}
			}
			if n := item.GetOperations().Len(); n > len(strings.Split(allow, ", "))-1 {
				return fmt.Errorf("%d methods are described, %s are allowed", n, allow)
			}
		}
		r.Method, p = http.MethodGet, "/general"
	} else if a.status/100 == 2 && !loose {
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return err
			}
			r.Body = body
		}
		r.URL.Path, r.URL.RawPath = p, ""
		if r.Method == http.MethodGet {
			r.Body = nil
		}
		if err := problems(valid.ValidateHttpRequestSync(r)); err != nil {
			return fmt.Errorf("the request is not as described: %w", err)
		}
	}
	r.URL.Path, r.URL.RawPath, r.URL.Opaque = p, "", ""
	resp := &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}
	if err := problems(valid.ValidateHttpResponse(r, resp)); err != nil {
		return fmt.Errorf("the answer is not as described: %w", err)
	}
	return nil
}

func problems(ok bool, found []*invalid.ValidationError) error {
	var all []error
	for _, e := range found {
		text := e.Message + ": " + e.Reason
		for _, s := range e.SchemaValidationErrors {
			text += "; " + s.FieldPath + " " + s.Reason
		}
		all = append(all, errors.New(text))
	}
	if !ok && all == nil {
		return errors.New("for no reason given")
	}
	return errors.Join(all...)
}

// checkDescribed compares a request and its answer with openapi.yaml.
func (s *shop) checkDescribed(req *http.Request, a answer) {
	s.t.Helper()
	d, err := described()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := d.check(req, a, s.loose); err != nil {
		s.t.Errorf("%s %s: got %d %.300s\n%.2000v", req.Method, req.URL.RequestURI(), a.status, a.body, err)
	}
}

// TestNames checks that client generators can use the names in openapi.yaml unchanged:
// each name has one component, hides no type of the languages, and is not a name that a
// generator makes from an operation's name, such as LoginErrors from login. Each
// component is used.
func TestNames(t *testing.T) {
	d, err := described()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	add := func(kind string, names iter.Seq[string]) {
		for name := range names {
			if other := kinds[name]; other != "" {
				t.Errorf("%s is the name of one of the %s and one of the %s", name, other, kind)
			}
			kinds[name] = kind
			if ref := "'#/components/" + kind + "/" + name + "'"; !strings.Contains(string(text)+general, ref) {
				t.Errorf("nothing refers to %s", ref)
			}
		}
	}
	add("schemas", d.model.Components.Schemas.KeysFromOldest())
	add("responses", d.model.Components.Responses.KeysFromOldest())
	add("parameters", d.model.Components.Parameters.KeysFromOldest())
	add("headers", d.model.Components.Headers.KeysFromOldest())
	for _, name := range []string{"Array", "Blob", "Boolean", "Date", "Error", "Event", "File", "Function", "Map", "Number", "Object",
		"Promise", "Record", "Request", "Response", "Set", "String", "Symbol", "URL"} {
		if kinds[name] != "" {
			t.Errorf("%s is a type of TypeScript's", name)
		}
	}
	for _, item := range d.model.Paths.PathItems.FromOldest() {
		for _, op := range item.GetOperations().FromOldest() {
			for _, suffix := range []string{"", "Body", "Data", "Error", "Errors", "Params", "Request", "Response", "Responses", "Result"} {
				if id := op.OperationId; id != "" && kinds[strings.ToUpper(id[:1])+id[1:]+suffix] != "" {
					t.Errorf("the component %s%s has the name of a type made of the operation %s", id, suffix, id)
				}
			}
		}
	}
}

// TestDescription checks that the description is OpenAPI 3.1, and the same in YAML and
// JSON.
func TestDescription(t *testing.T) {
	d, err := described()
	if err != nil {
		t.Fatal(err)
	}
	if err := problems(d.all.ValidateDocument()); err != nil {
		t.Error(err)
	}
	s := newShop(t)
	var fromYAML, fromJSON any
	if err := yaml.Unmarshal([]byte(s.send("GET", "/openapi.yaml", "", nil).body), &fromYAML); err != nil {
		t.Fatal(err)
	}
	s.send("GET", "/openapi.json", "", nil).in(t, &fromJSON)
	want, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(fromJSON); err != nil || !bytes.Equal(got, want) {
		t.Errorf("openapi.json is not openapi.yaml: %v\n%s\n%s", err, got, want)
	}
}
