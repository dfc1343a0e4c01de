package server_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"onenow/db/dbtest"
	"onenow/server"
)

var strongTag = regexp.MustCompile(`^"[0-9a-f]{20}"$`)

// TestETags sends the ETag of an answer with the same request: the answer is 304 until the
// row changes.
func TestETags(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/", "/me/", "/healthz", "/readyz", "/vehicles/", "/vehicles/1/", "/vehicles/?limit=1&count=1", "/bookings/", "/bookings/1/", "/bookings/?from=2030-01-01"} {
		get := f.send("GET", path, f.me, nil)
		tag := get.header.Get("ETag")
		if !strongTag.MatchString(tag) {
			t.Errorf("%s: got ETag %q", path, tag)
		}
		zipped := strings.TrimSuffix(tag, `"`) + `-gzip"`
		for _, known := range []string{tag, "W/" + tag, zipped, "W/" + zipped, "*", `"a", ` + tag, `W/"a",` + tag + `,"b"`} {
			for _, method := range []string{"GET", "HEAD"} {
				a := f.send(method, path, f.me, nil, header{"If-None-Match", known})
				a.wantEmpty(t, 304)
				if a.header.Get("ETag") != tag || !slices.Equal(a.header.Values("Vary"), get.header.Values("Vary")) || a.header.Get("Content-Type") != "" {
					t.Errorf("%s: got a 304 with %v, want the ETag %s and the Vary %q", path, a.header, tag, get.header.Values("Vary"))
				}
			}
		}
		f.send("GET", path, f.me, nil, header{"If-None-Match", `"a"`}, header{"If-None-Match", tag}).wantEmpty(t, 304)
		for _, other := range []string{`"a"`, strings.Trim(tag, `"`), `"*"`, `W/*`, "", `"` + strings.Trim(tag, `"`) + `-br"`} {
			f.send("GET", path, f.me, nil, header{"If-None-Match", other}).want(t, 200, get.body)
		}
	}
	// A refusal stays one.
	f.send("GET", "/vehicles/", "", nil, header{"If-None-Match", "*"}).want(t, 401, noToken)
	f.send("GET", "/vehicles/99/", f.me, nil, header{"If-None-Match", "*"}).want(t, 404, noVehicle)
	f.send("GET", "/vehicles/?limit=x", f.me, nil, header{"If-None-Match", "*"}).want(t, 400, "")
	if got := f.send("POST", "/vehicles/", f.me, `{"make":"a","model":"b","year":2020,"plate":"c"}`, header{"If-None-Match", "*"}).status; got != 201 {
		t.Errorf("got %d for a POST with If-None-Match, want 201", got)
	}
}

// TestETagsChange changes a row, and the rows around a page.
func TestETagsChange(t *testing.T) {
	f := newFixture(t)
	tag := func(path string) string {
		t.Helper()
		return f.send("GET", path, f.me, nil).header.Get("ETag")
	}
	wantChange := func(paths []string, change func()) {
		t.Helper()
		before := map[string]string{}
		for _, p := range paths {
			before[p] = tag(p)
		}
		change()
		for _, p := range paths {
			a := f.send("GET", p, f.me, nil, header{"If-None-Match", before[p]})
			if a.status != 200 || a.header.Get("ETag") == before[p] {
				t.Errorf("%s: got %d with the ETag %s after a change, before it %s", p, a.status, a.header.Get("ETag"), before[p])
			}
		}
	}
	booking2 := tag("/bookings/1/")
	wantChange([]string{"/vehicles/1/", "/vehicles/"}, func() {
		f.send("PATCH", "/vehicles/1/", f.me, `{"year":2021}`).want(t, 200, "")
	})
	if got := tag("/bookings/1/"); got != booking2 {
		t.Errorf("got ETag %s for a booking that did not change, want %s", got, booking2)
	}
	// The rows of the first page stay, but more follow.
	wantChange([]string{"/bookings/?limit=1", "/bookings/?limit=1&count=1"}, func() { f.booking(f.me, 1, "2026-01-01", "2026-01-02") })
	wantChange([]string{"/bookings/?limit=1&count=1"}, func() { f.booking(f.me, 1, "2026-02-01", "2026-02-02") })
}

// TestETagOfLongLists wants weak tags for lists that are sent in parts.
func TestETagOfLongLists(t *testing.T) {
	t.Parallel() // it mostly waits
	s, path := newShopAt(t)
	me, other := s.owner("shop"), s.owner("other")
	for i := range 20 {
		s.vehicle(me, fmt.Sprint("A-", i))
	}
	bookMany(t, path, 3100)
	get := func(token, tag, encoding string) answer {
		t.Helper()
		return s.send("GET", "/bookings/?ordering=-id", token, nil, header{"If-None-Match", tag}, header{"Accept-Encoding", encoding})
	}
	plain := get(me, "", "identity")
	tag := plain.header.Get("ETag")
	// A moment after a write, the server copies it from the WAL into the file, which
	// changes the tag once more.
	for same, tries := 0, 0; same < 20 && tries < 1000; tries++ {
		time.Sleep(10 * time.Millisecond)
		now := get(me, "", "identity").header.Get("ETag")
		if same++; now != tag {
			tag, same = now, 0
		}
	}
	if len(plain.body) < 100_000 || !strings.HasPrefix(tag, "W/") || !strongTag.MatchString(tag[2:]) || plain.header.Get("Content-Encoding") != "" {
		t.Fatalf("got %d bytes with %v", len(plain.body), plain.header)
	}
	zipped := get(me, "", "gzip")
	zippedTag := strings.TrimSuffix(tag, `"`) + `-gzip"`
	if zipped.header.Get("Content-Encoding") != "gzip" || zipped.header.Get("ETag") != zippedTag || zipped.body != plain.body {
		t.Errorf("got %d bytes with %v, want %d bytes with the ETag %s", len(zipped.body), zipped.header, len(plain.body), zippedTag)
	}
	for _, known := range []string{tag, tag[2:], zippedTag, "*"} {
		get(me, known, "identity").wantEmpty(t, 304)
	}
	if a := get(me, tag, "gzip"); a.status != 304 || a.header.Get("ETag") != zippedTag || a.header.Get("Content-Encoding") != "" {
		t.Errorf("got %d with %v, want 304 with the ETag %s", a.status, a.header, zippedTag)
	}
	get(other, tag, "identity").want(t, 200, "[]")

	// Another program changes it, and changes it back.
	for range 2 {
		dbtest.Exec(t, path, "UPDATE bookings SET end_date = date(start_date, '2 days') WHERE id = 3100")
		dbtest.Exec(t, path, "UPDATE bookings SET end_date = date(start_date, '1 days') WHERE id = 3100")
	}
	if a := get(me, tag, "identity"); a.status != 200 || a.header.Get("ETag") == tag {
		t.Errorf("got %d with ETag %s after a change", a.status, a.header.Get("ETag"))
	}
	// Another run of the server cannot tell whether it has changed meanwhile.
	now := get(me, "", "identity").header.Get("ETag")
	s.url = start(t, server.Config{DB: s.db})
	if a := get(me, now, "identity"); a.status != 200 || a.header.Get("ETag") == now {
		t.Errorf("got %d with ETag %s from another run", a.status, a.header.Get("ETag"))
	}
}

// TestIfMatch changes and deletes rows on the condition that nobody has changed them since
// the client got them.
func TestIfMatch(t *testing.T) {
	const changed = `{"detail":"This was changed by somebody else meanwhile."}`
	for _, noun := range []struct {
		path, absent string
		bodies       []string // each makes another row
		invalid      string
	}{
		{"/vehicles/", noVehicle, []string{
			`{"make":"Kia","model":"Rio","year":2021,"plate":"ABC123"}`, `{"make":"Kia","model":"Rio","year":2022,"plate":"ABC123"}`,
		}, `{"year":1}`},
		{"/bookings/", noBooking, []string{
			`{"vehicle":1,"start_date":"2025-08-01","end_date":"2025-08-02"}`, `{"vehicle":2,"start_date":"2025-08-01","end_date":"2025-08-03"}`,
		}, `{"end_date":"x"}`},
	} {
		for _, method := range []string{"PUT", "PATCH"} {
			t.Run(method+" "+noun.path, func(t *testing.T) {
				f := newFixture(t)
				path := noun.path + "1/"
				row := func() (body, tag string) {
					a := f.send("GET", path, f.me, nil)
					return a.body, a.header.Get("ETag")
				}
				n := 0
				write := func(match ...string) answer {
					t.Helper()
					n++
					var headers []header
					for _, m := range match {
						headers = append(headers, header{"If-Match", m})
					}
					return f.as(t).send(method, path, f.me, noun.bodies[n%2], headers...)
				}
				before, tag := row()
				for _, m := range []string{`"a"`, "W/" + tag, strings.Trim(tag, `"`), "", `"*"`, `W/"a", "b"`} {
					write(m).want(t, 412, changed)
					if got, _ := row(); got != before {
						t.Errorf("If-Match %q: got %s after a 412, want %s", m, got, before)
					}
				}
				write(tag).want(t, 200, "")
				write(tag).want(t, 412, changed) // it is another one now
				_, tag = row()
				write(strings.TrimSuffix(tag, `"`)+`-gzip"`).want(t, 200, "")
				_, tag = row()
				write(`"a", `+tag).want(t, 200, "")
				_, tag = row()
				write(`"a"`, tag).want(t, 200, "")
				write("*").want(t, 200, "")
				write().want(t, 200, "")
				f.send(method, path, f.me, noun.invalid, header{"If-Match", `"a"`}).want(t, 400, "")
				f.send(method, path, f.other, noun.bodies[0], header{"If-Match", "*"}).want(t, 404, noun.absent)
				f.send(method, noun.path+"99/", f.me, noun.bodies[0], header{"If-Match", "*"}).want(t, 404, noun.absent)
			})
		}
		t.Run("DELETE "+noun.path, func(t *testing.T) {
			f := newFixture(t)
			path := noun.path + "1/"
			tag := f.send("GET", path, f.me, nil).header.Get("ETag")
			del := func(token, match string) answer {
				return f.as(t).send("DELETE", path, token, nil, header{"If-Match", match})
			}
			del(f.me, `"a"`).want(t, 412, changed)
			del(f.me, "W/"+tag).want(t, 412, changed)
			del(f.other, "*").want(t, 404, noun.absent)
			f.send("PATCH", path, f.me, noun.bodies[0]).want(t, 200, "")
			del(f.me, tag).want(t, 412, changed)
			del(f.me, f.send("GET", path, f.me, nil).header.Get("ETag")).want(t, 204, "")
			del(f.me, "*").want(t, 404, noun.absent)
		})
	}
	// The condition comes before the rules for the row that would result.
	f := newFixture(t)
	f.send("PATCH", "/bookings/1/", f.me, `{"vehicle":3}`, header{"If-Match", `"a"`}).want(t, 412, changed)
	f.send("PATCH", "/bookings/1/", f.me, `{"vehicle":3}`, header{"If-Match", "*"}).want(t, 403, "")
}

// TestIfMatchRace lets clients that have the same version of a row change it at once: one
// of them succeeds, and the others get a 412.
func TestIfMatchRace(t *testing.T) {
	f := newFixture(t)
	for round := range 20 {
		path, body := "/vehicles/1/", `{"make":"Kia %d-%d"}`
		if round%2 == 1 {
			path, body = "/bookings/1/", `{"start_date":"2025-01-%02d","end_date":"2025-02-%02d"}`
		}
		clients := 2 + round%4
		tag := f.send("GET", path, f.me, nil).header.Get("ETag")
		answers := make([]answer, clients)
		var all sync.WaitGroup
		for c := range clients {
			all.Go(func() {
				answers[c] = f.send("PATCH", path, f.me, fmt.Sprintf(body, 1+round, 1+c), header{"If-Match", tag})
			})
		}
		all.Wait()
		won := 0
		for _, a := range answers {
			if a.status == http.StatusOK {
				won++
				f.send("GET", path, f.me, nil).want(t, 200, a.body)
			} else {
				a.want(t, 412, `{"detail":"This was changed by somebody else meanwhile."}`)
			}
		}
		if won != 1 {
			t.Errorf("round %d: %d of %d clients won, want 1", round, won, clients)
		}
	}
}

// TestCompression checks that answers of 1 KiB and more are compressed for clients that
// accept this, and that all others are plain.
func TestCompression(t *testing.T) {
	f := newFixture(t)
	get := func(method, path, encoding string) answer {
		t.Helper()
		return f.send(method, path, f.me, nil, header{"Accept-Encoding", encoding})
	}
	cars := []int{1, 2}
	// grow makes the list of vehicles exactly length bytes long.
	grow := func(length int) {
		t.Helper()
		missing := func() int { return length - len(f.send("GET", "/vehicles/", f.me, nil).body) }
		for missing() > 100 {
			cars = append(cars, f.vehicle(f.me, fmt.Sprint("LONG-", 100+len(cars))))
		}
		for _, id := range slices.Backward(cars) {
			path := fmt.Sprintf("/vehicles/%d/", id)
			var v struct{ Model string }
			f.send("GET", path, f.me, nil).in(t, &v)
			longer := v.Model + strings.Repeat("x", min(missing(), 50-len(v.Model)))
			f.send("PATCH", path, f.me, map[string]string{"model": longer}).want(t, 200, "")
		}
		if n := missing(); n != 0 {
			t.Fatalf("the list misses %d bytes", n)
		}
	}
	for _, length := range []int{1023, 1024, 5000} {
		grow(length)
		for range 2 { // the second answers are cached
			plain := get("GET", "/vehicles/", "identity")
			if len(plain.body) != length || plain.header.Get("Content-Encoding") != "" || plain.header.Get("Content-Length") != fmt.Sprint(length) {
				t.Errorf("got %d bytes with %v, want %d", len(plain.body), plain.header, length)
			}
			for encoding, accepts := range map[string]bool{
				"gzip": true, "GZIP": true, "br, gzip;q=0.5": true, "*": true, "deflate, *;q=0.1": true,
				"identity": false, "br": false, "gzip;q=0": false, "gzip;q=0, *": false,
			} {
				a := get("GET", "/vehicles/", encoding)
				tag := plain.header.Get("ETag")
				zipped := accepts && length >= 1024
				if zipped {
					tag = strings.TrimSuffix(tag, `"`) + `-gzip"`
				}
				if (a.header.Get("Content-Encoding") == "gzip") != zipped || a.header.Get("ETag") != tag || a.body != plain.body || a.header.Get("Vary") != "Accept-Encoding" {
					t.Errorf("%d bytes for %q: got %v and %d bytes, want compressed %v and the ETag %s", length, encoding, a.header, len(a.body), zipped, tag)
				}
				head := get("HEAD", "/vehicles/", encoding)
				for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding", "ETag", "Vary"} {
					if head.status != 200 || head.body != "" || !slices.Equal(head.header.Values(name), a.header.Values(name)) {
						t.Errorf("HEAD for %q: got %d with %s %q, want %q", encoding, head.status, name, head.header.Values(name), a.header.Values(name))
					}
				}
				f.send("GET", "/vehicles/", f.me, nil, header{"Accept-Encoding", encoding}, header{"If-None-Match", tag}).wantEmpty(t, 304)
			}
		}
	}
	if got := get("GET", "/vehicles/", "gzip").header.Get("Content-Length"); len(got) > 3 {
		t.Errorf("5000 bytes are compressed to %s", got)
	}
	// So is a long vehicle that has been created or changed.
	long := strings.Repeat("😀", 50)
	token := f.owner(strings.Repeat("😀", 145))
	for path, method := range map[string]string{"/vehicles/": "POST", fmt.Sprintf("/vehicles/%d/", f.vehicle(token, "LONG-1")): "PATCH"} {
		sent := map[string]any{"make": long, "model": long, "year": 2020, "plate": strings.Repeat("😀", len(method)+10)}
		for _, encoding := range []string{"gzip", "identity"} {
			if encoding == "identity" {
				sent["plate"] = strings.Repeat("🚗", len(method)+10)
			}
			a := f.send(method, path, token, sent, header{"Accept-Encoding", encoding})
			if a.status/100 != 2 || len(a.body) < 1024 || (a.header.Get("Content-Encoding") == "gzip") != (encoding == "gzip") || !strings.Contains(a.body, long) {
				t.Errorf("%s for %q: got %d with %v and %d bytes", method, encoding, a.status, a.header, len(a.body))
			}
		}
	}
	// A long refusal is compressed too.
	refusal := get("GET", "/vehicles/?ordering="+strings.Repeat("x", 2000), "gzip")
	if refusal.want(t, 400, ""); refusal.header.Get("Content-Encoding") != "gzip" || !strings.HasSuffix(refusal.body, `x\" is not a valid choice."]}`) {
		t.Errorf("got %v and %s", refusal.header, refusal.body)
	}
}
