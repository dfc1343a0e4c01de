package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"onenow/server"
)

// fuzzer is a server that the test calls without a network, which is fast. It has a
// signed-in user, who owns vehicle 1 and booking 1.
type fuzzer struct {
	handler http.Handler
	token   string
}

func newFuzzer(f *testing.F) *fuzzer {
	f.Helper()
	s := newShop(f)
	handler, err := server.New(context.Background(), server.Config{DB: s.db})
	if err != nil {
		f.Fatal(err)
	}
	z := &fuzzer{handler: handler, token: s.owner("shop")}
	s.vehicle(z.token, "ABC123")
	s.booking(z.token, 1, "2025-07-20", "2025-07-25")
	return z
}

// check sends a request. For any request, the server must not panic, and the answer must
// be JSON that openapi.yaml describes, and not a 5xx.
func (z *fuzzer) check(t *testing.T, req *http.Request) {
	t.Helper()
	if req.Header.Get("Authorization") == "" {
		req.Header.Set("Authorization", "Bearer "+z.token)
	}
	rec := httptest.NewRecorder()
	z.handler.ServeHTTP(rec, req)
	if rec.Code >= 500 {
		t.Fatalf("%s %q: got %d %s", req.Method, req.URL, rec.Code, rec.Body)
	}
	if rec.Code != http.StatusNoContent && (!json.Valid(rec.Body.Bytes()) || rec.Header().Get("Content-Type") != "application/json") {
		t.Fatalf("%s %q: got %d %q, not JSON", req.Method, req.URL, rec.Code, rec.Body)
	}
	d, err := described()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.check(req, answer{rec.Code, rec.Header(), rec.Body.String()}, true); err != nil {
		t.Fatalf("%s %q: got %d %s\n%v", req.Method, req.URL, rec.Code, rec.Body, err)
	}
}

var contentTypes = []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain"}

func FuzzBody(f *testing.F) {
	for _, example := range []string{
		`{"vehicle":1,"start_date":"2025-07-20","end_date":"2025-07-25"}`,
		`{"make":"Toyota","model":"Corolla","year":2020,"plate":"ABC123"}`,
		`{"make":5,"year":1e3,"plate":"\ud83d\ude00","model":"\u0000"}`,
		`{"year":-0,"vehicle":1.0e0}`, `{"year":1e999999999,"vehicle":"1e5"}`, `[1,2]`, `nul`, `{"a":{"b":[`, `"\ud800"`,
		"make=a&model=b&year=2020&plate=%zz", "vehicle=1&start_date=2025-07-20&end_date=",
		"--b\r\nContent-Disposition: form-data; name=\"make\"\r\n\r\nKia\r\n--b--\r\n",
		"--b\r\nContent-Disposition: form-data; name=\"make\"; filename=\"x\"\r\n\r\nKia\r\n--b--\r\n", "--b", "",
	} {
		for i := range contentTypes {
			f.Add(uint8(i), []byte(example))
		}
	}
	z := newFuzzer(f)
	// Login, register and the password are left out: hashing would take all the time.
	f.Fuzz(func(t *testing.T, contentType uint8, text []byte) {
		for _, to := range []struct{ method, path string }{
			{"POST", "/vehicles/"}, {"PATCH", "/vehicles/1/"}, {"POST", "/bookings/"}, {"PUT", "/bookings/1/"},
			{"PATCH", "/bookings/1/"}, {"POST", "/api/token/refresh/"}, {"POST", "/logout/"},
		} {
			req := httptest.NewRequest(to.method, to.path, bytes.NewReader(text))
			req.Header.Set("Content-Type", contentTypes[int(contentType)%len(contentTypes)])
			z.check(t, req)
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, example := range []string{"2025-07-20", "2024-02-29", "2025-02-29", "0000-01-01", "9999-12-31", "2025-7-2", "-001-01-01", "٢٠٢٥-٠٧-٢٠", "now"} {
		f.Add(example, "2025-07-25")
		f.Add("2025-07-20", example)
	}
	z := newFuzzer(f)
	f.Fuzz(func(t *testing.T, from, to string) {
		text, err := json.Marshal(map[string]any{"vehicle": 1, "start_date": from, "end_date": to})
		if err != nil {
			t.Skip()
		}
		req := httptest.NewRequest("PUT", "/bookings/1/", bytes.NewReader(text))
		req.Header.Set("Content-Type", "application/json")
		z.check(t, req)
		q := url.Values{"from": {from}, "to": {to}, "end_after": {from}, "start_before": {to}}
		z.check(t, httptest.NewRequest("GET", "/bookings/?"+q.Encode(), nil))
	})
}

func FuzzID(f *testing.F) {
	for _, example := range []string{"1", "01", "+1", "-1", "0", "1.0", "1e0", "9223372036854775808", "abc", " 1", "1/", "١", "\x00", ""} {
		f.Add(example)
	}
	z := newFuzzer(f)
	f.Fuzz(func(t *testing.T, id string) {
		for _, path := range []string{"/vehicles/", "/bookings/"} {
			z.check(t, httptest.NewRequest("GET", path+url.PathEscape(id), nil))
			z.check(t, httptest.NewRequest("PATCH", path+url.PathEscape(id)+"/", nil))
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, example := range []string{
		"from=2025-07-20&to=2025-07-25", "limit=1&after=0", "limit=1000&limit=0", "vehicle=99999999999999999999", "after=-9223372036854775809",
		"available_from=2025-07-20&available_to=2025-07-25", "%zz=%zz", ";&;", "from", "=", "from=%00", "from=%ff",
	} {
		f.Add(example)
	}
	z := newFuzzer(f)
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/bookings/", "/vehicles/"} {
			req := httptest.NewRequest("GET", path, nil)
			req.URL.RawQuery = query
			z.check(t, req)
		}
	})
}

func FuzzAuthorization(f *testing.F) {
	for _, example := range []string{"", "Bearer", "Bearer x", "bearer a.b.c", "Basic x", "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer a b", "\x00", "Bearer ..", "Bearer é"} {
		f.Add(example)
	}
	z := newFuzzer(f)
	var once sync.Once
	f.Fuzz(func(t *testing.T, value string) {
		once.Do(func() { // once, because making a token takes time
			for i := range len(z.token) {
				req := httptest.NewRequest("GET", "/me/", nil)
				req.Header.Set("Authorization", "Bearer "+z.token[:i]+strings.ToUpper(z.token[i:]))
				z.check(t, req)
			}
		})
		req := httptest.NewRequest("GET", "/me/", nil)
		req.Header["Authorization"] = []string{value}
		z.check(t, req)
	})
}
