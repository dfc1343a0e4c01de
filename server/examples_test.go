package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"onenow/db/dbtest"
	"onenow/server"
)

// The parts of openapi.json that have examples.
type (
	exampleDoc struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct {
			Responses map[string]exampleResponse
		}
	}
	exampleOperation struct {
		OperationID string
		RequestBody struct{ Content exampleContent }
		Responses   map[string]exampleResponse
	}
	exampleResponse struct {
		Ref     string `json:"$ref"`
		Content exampleContent
	}
	exampleContent map[string]struct {
		Examples map[string]struct{ Value json.RawMessage }
	}
)

const jsonType = "application/json"

// tokenText matches a token in an answer. The examples have <token> in its place.
var tokenText = regexp.MustCompile(`eyJ[A-Za-z0-9_.-]+`)

// exampleShop is a shop in the state that the examples need. Booking 1 is in
// July, of car 1; car 2 belongs to another user.
func exampleShop(t *testing.T, example string) (s *shop, me tokens) {
	s = newShop(t)
	if example == "register/user1" {
		return s, tokens{}
	}
	s.user("user1")
	me = s.login("user1", "pass123")
	if example == "createVehicle/corolla" {
		return s, me
	}
	s.vehicle(me.Access, "ABC123")
	s.vehicle(s.owner("user2"), "ABC123")
	if example == "createBooking/july" {
		return s, me
	}
	s.booking(me.Access, 1, "2025-07-20", "2025-07-25")
	return s, me
}

// exampleQueries has the queries of an example's GET. An example that is not in the map
// has the empty query.
var exampleQueries = map[string][]string{
	"listBookings/one": {"", "?from=2025-07-20&to=2025-07-25"},
}

// otherExamples has examples of answers that have no request in the description, with a
// function that gets the answer. Requests that do not match their schema are here.
var otherExamples = map[string]func(s *shop, me string) answer{
	"register/closed": func(s *shop, _ string) answer {
		return newShopWith(s.t, server.Config{RegistrationClosed: true}).send("POST", "/register/", "", "{}")
	},
	"register/incomplete": func(s *shop, _ string) answer {
		return s.send("POST", "/register/", "", `{"username":"user1","password":""}`)
	},
	"login/blank": func(s *shop, _ string) answer {
		return s.send("POST", "/login/", "", `{"username":"user1","password":""}`)
	},
	"obtainTokens/blank": func(s *shop, _ string) answer {
		return s.send("POST", "/api/token/", "", `{"username":"user1","password":""}`)
	},
	"verifyToken/blank": func(s *shop, _ string) answer {
		return s.send("POST", "/api/token/verify/", "", `{"token":""}`)
	},
	"TokenRefused/blacklisted": func(s *shop, _ string) answer {
		refresh := s.login("user1", "pass123").Refresh
		s.exchange(refresh).want(s.t, 200, "")
		s.clock.advance(time.Minute)
		return s.exchange(refresh)
	},
	"Changed/changed": func(s *shop, me string) answer {
		return s.send("DELETE", "/vehicles/1/", me, nil, header{"If-Match", `"x"`})
	},
	"RefreshInvalid/blank": func(s *shop, me string) answer {
		refreshed := s.send("POST", "/api/token/refresh/", "", `{"refresh":""}`)
		s.send("POST", "/logout/", me, `{"refresh":""}`).want(s.t, refreshed.status, refreshed.body)
		return refreshed
	},
	"putVehicle/old": func(s *shop, me string) answer {
		return s.send("PUT", "/vehicles/1/", me, `{"make":"Toyota","model":"Camry","year":1885,"plate":"XYZ789"}`)
	},
	"patchVehicle/blank": func(s *shop, me string) answer {
		return s.send("PATCH", "/vehicles/1/", me, `{"plate":""}`)
	},
	"listVehicles/half": func(s *shop, me string) answer {
		return s.send("GET", "/vehicles/?available_from=2025-07-20", me, nil)
	},
	"listBookings/slashes": func(s *shop, me string) answer {
		return s.send("GET", "/bookings/?from=2025/07/20", me, nil)
	},
	"root/local": func(s *shop, _ string) answer {
		req, err := http.NewRequest("GET", s.url, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		req.Host = "127.0.0.1:8000"
		return s.do(req)
	},
	"Unauthorized/noToken":  func(s *shop, _ string) answer { return s.send("GET", "/me/", "", nil) },
	"Unauthorized/badToken": func(s *shop, _ string) answer { return s.send("GET", "/me/", "x", nil) },
	"Unauthorized/expired": func(s *shop, me string) answer {
		s.clock.advance(time.Hour + time.Minute)
		return s.send("GET", "/me/", me, nil)
	},
	"Unauthorized/badHeader": func(s *shop, me string) answer { return s.send("GET", "/me/", "a b", nil) },
	"NotFound/noPath":        func(s *shop, me string) answer { return s.send("GET", "/docs/nothing", "", nil) },
	"NoVehicle/noVehicle":    func(s *shop, me string) answer { return s.send("GET", "/vehicles/2/", me, nil) },
	"NoBooking/noBooking":    func(s *shop, me string) answer { return s.send("GET", "/bookings/99/", me, nil) },
	"TooLarge/tooLarge": func(s *shop, me string) answer {
		return s.send("POST", "/vehicles/", me, strings.Repeat(" ", 1<<20+1))
	},
	"UnsupportedType/textPlain": func(s *shop, me string) answer {
		return s.send("POST", "/vehicles/", me, "x", header{"Content-Type", "text/plain"})
	},
	"Throttled/throttled": func(s *shop, _ string) answer {
		for {
			if a := s.send("POST", "/login/", "", `{"username":"user1","password":"x"}`); a.status != 401 {
				return a
			}
		}
	},
	"MethodNotAllowed/put": func(s *shop, me string) answer { return s.send("PUT", "/vehicles/", me, nil) },
	"Unavailable/moved": func(s *shop, _ string) answer {
		return s.broken("/readyz", func(path string) error { return os.Rename(path, path+".away") })
	},
	"NotReady/moved": func(s *shop, _ string) answer {
		return s.broken("/readyz", func(path string) error { return os.Rename(path, path+".away") })
	},
	"InternalError/fault": func(s *shop, _ string) answer {
		return s.broken("/bookings/", func(path string) error { return dbtest.TryExec(s.t, path, "DROP TABLE bookings") })
	},
}

// broken returns the answer of path after damage was done to the database file.
func (s *shop) broken(path string, damage func(file string) error) answer {
	file := filepath.Join(s.t.TempDir(), "onenow.db")
	s = &shop{t: s.t, db: dbtest.Open(s.t, file)}
	s.url = start(s.t, server.Config{DB: s.db})
	req, err := http.NewRequest("GET", s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.owner("user1"))
	if err := damage(file); err != nil {
		s.t.Fatal(err)
	}
	a := s.roundTrip(req)
	s.checkDescribed(req, a) // s.do would fail because of the 500
	return a
}

// TestExamples sends each example of a request in openapi.yaml. It sends a valid one as
// each type of body. It wants the answer that is the example of the same name, and checks
// that the server gives each of the answers.
func TestExamples(t *testing.T) {
	t.Parallel() // it is slow
	var doc exampleDoc
	newShop(t).send("GET", "/openapi.json", "", nil).in(t, &doc)
	shown := map[string]bool{}
	ran := 0
	for path, item := range doc.Paths {
		for method, raw := range item {
			if method == "parameters" {
				continue
			}
			var op exampleOperation
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatal(err)
			}
			path := strings.Replace(path, "{id}", "1", 1)
			unanswered := map[string]bool{}
			for name := range op.RequestBody.Content[jsonType].Examples {
				unanswered[name] = true
			}
			for status, resp := range op.Responses {
				where := op.OperationID
				if _, component, ok := strings.Cut(resp.Ref, "#/components/responses/"); ok {
					resp, where = doc.Components.Responses[component], component
				}
				for name, example := range resp.Content[jsonType].Examples {
					key := op.OperationID + "/" + name
					request, isRequest := op.RequestBody.Content[jsonType].Examples[name]
					isPlain := op.RequestBody.Content == nil && status == "200" && otherExamples[key] == nil
					if !isRequest && !isPlain {
						if _, ok := shown[where+"/"+name]; !ok {
							shown[where+"/"+name] = false
						}
						continue
					}
					delete(unanswered, name)
					shown[where+"/"+name] = true
					for mediaType := range op.RequestBody.Content {
						if mediaType != jsonType && status[0] != '2' {
							continue // the answer is the same for each type
						}
						ran++
						t.Run(key+" as "+mediaType, func(t *testing.T) {
							s, me := exampleShop(t, key)
							text := strings.ReplaceAll(string(request.Value), "<token>", me.Refresh)
							contentType, body := encodeAs(t, mediaType, text)
							s.send(strings.ToUpper(method), path, me.Access, body, header{"Content-Type", contentType}).
								wantExample(t, status, example.Value)
						})
					}
					queries := exampleQueries[key]
					if queries == nil {
						queries = []string{""}
					}
					for _, query := range queries {
						if !isPlain {
							break
						}
						ran++
						t.Run(key+query, func(t *testing.T) {
							s, me := exampleShop(t, key)
							s.send(strings.ToUpper(method), path+query, me.Access, nil).wantExample(t, status, example.Value)
						})
					}
				}
			}
			for name := range unanswered {
				t.Errorf("%s: the request %s has no answer", op.OperationID, name)
			}
		}
	}
	for key, send := range otherExamples {
		t.Run(key, func(t *testing.T) {
			where, name, _ := strings.Cut(key, "/")
			s, me := exampleShop(t, key)
			a := send(s, me.Access)
			if resp, ok := doc.Components.Responses[where]; ok {
				a.wantExample(t, fmt.Sprint(a.status), resp.Content[jsonType].Examples[name].Value)
			} else {
				status, value := inlineExample(t, doc, where, name)
				a.wantExample(t, status, value)
			}
		})
		shown[key] = true
	}
	for key, ok := range shown {
		if !ok {
			t.Errorf("the answer %s is never given", key)
		}
	}
	if ran < 40 {
		t.Errorf("%d examples were found", ran)
	}
}

// inlineExample returns an example of an answer that is described in an operation itself.
func inlineExample(t *testing.T, doc exampleDoc, operationID, name string) (status string, value json.RawMessage) {
	t.Helper()
	for _, item := range doc.Paths {
		for method, raw := range item {
			var op exampleOperation
			if method == "parameters" || json.Unmarshal(raw, &op) != nil || op.OperationID != operationID {
				continue
			}
			for status, resp := range op.Responses {
				if e, ok := resp.Content[jsonType].Examples[name]; ok {
					return status, e.Value
				}
			}
		}
	}
	t.Fatalf("no example %s of %s", name, operationID)
	return "", nil
}

// wantExample checks that an answer is the example, including the order of its fields.
// Tokens and request ids may differ.
func (a answer) wantExample(t *testing.T, status string, example json.RawMessage) {
	t.Helper()
	want := string(example)
	got := tokenText.ReplaceAllString(a.body, "<token>")
	got = strings.ReplaceAll(got, a.header.Get("X-Request-Id"), "5c2f0e8a91b7d346")
	if fmt.Sprint(a.status) != status || got != want {
		t.Errorf("got %d %s\nwant %s %s", a.status, got, status, want)
	}
}

// encodeAs returns a body of that type with the fields of a JSON object.
func encodeAs(t *testing.T, mediaType, text string) (contentType, body string) {
	t.Helper()
	if mediaType == jsonType {
		return mediaType, text
	}
	var fields map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	form := url.Values{}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, v := range fields {
		form.Set(name, fmt.Sprint(v))
		if err := w.WriteField(name, fmt.Sprint(v)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if mediaType == "multipart/form-data" {
		return w.FormDataContentType(), b.String()
	}
	return mediaType, form.Encode()
}
