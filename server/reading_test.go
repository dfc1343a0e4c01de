package server_test

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"onenow/db"
	"onenow/db/dbtest"
	"onenow/server"
)

// newShopAt is newShop that also returns the path of the database.
func newShopAt(t testing.TB) (s *shop, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "onenow.db")
	s = &shop{t: t, db: dbtest.Open(t, path), clock: &clock{}}
	s.url = start(t, server.Config{DB: s.db})
	return s, path
}

const elsewherePath = "ONENOW_TEST_ELSEWHERE"

// TestElsewhere is not a test. It is the other process of the tests below. It runs each
// line of its input as SQL, and then prints a line.
func TestElsewhere(t *testing.T) {
	path := os.Getenv(elsewherePath)
	if path == "" {
		t.Skip("run by other tests")
	}
	shell, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer shell.Close()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		_, err := shell.Exec(in.Text())
		fmt.Println("ran:", err)
	}
}

// elsewhere starts another process that opens the file at path. run runs SQL there.
func elsewhere(t testing.TB, path string) (run func(query string, args ...any)) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestElsewhere$")
	cmd.Env = append(os.Environ(), elsewherePath+"="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the other process: %v", err)
		}
	})
	lines := bufio.NewReader(out)
	return func(query string, args ...any) {
		t.Helper()
		fmt.Fprintf(in, query+"\n", args...)
		if line, err := lines.ReadString('\n'); err != nil || line != "ran: <nil>\n" {
			t.Fatalf("%s in the other process: %s, %v", fmt.Sprintf(query, args...), line, err)
		}
	}
}

// TestWrittenElsewhere reads a row that another process has just written, each time
// after it has read the old one.
func TestWrittenElsewhere(t *testing.T) {
	s, path := newShopAt(t)
	token := s.owner("shop")
	car := s.vehicle(token, "A-1")
	run := elsewhere(t, path)
	months := "/bookings/?from=2025-01-01&to=2025-03-01"
	for i := range dbtest.Scale(t, "ONENOW_ELSEWHERE", 200) {
		s.send("GET", "/vehicles/", token, nil)
		s.send("GET", months, token, nil).want(t, 200, "[]")

		run("UPDATE vehicles SET plate = 'B-%d' WHERE id = %d", i, car)
		want := fmt.Sprintf(`{"id":%d,"make":"Toyota","model":"Corolla","year":2020,"plate":"B-%d","user":"shop"}`, car, i)
		s.send("GET", fmt.Sprintf("/vehicles/%d/", car), token, nil).want(t, 200, want)
		s.send("GET", "/vehicles/", token, nil).want(t, 200, "["+want+"]")
		s.send("GET", months, token, nil).want(t, 200, "[]")

		run("INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (%d, '2025-02-01', '2025-02-03')", car)
		a := s.send("GET", months, token, nil)
		var found []struct{ ID int }
		a.in(t, &found)
		if len(found) != 1 {
			t.Fatalf("got %s after a booking made in another process", a.body)
		}
		s.send("GET", fmt.Sprintf("/bookings/%d/", found[0].ID), token, nil).want(t, 200, a.body[1:len(a.body)-1])
		run("DELETE FROM bookings")
		s.send("GET", months, token, nil).want(t, 200, "[]")
		s.send("GET", fmt.Sprintf("/bookings/%d/", found[0].ID), token, nil).want(t, 404, "")
	}
}

// TestSignedOutElsewhere lets another process end sign-ins: from then on, the server
// refuses their tokens, which are in its cache.
func TestSignedOutElsewhere(t *testing.T) {
	s, path := newShopAt(t)
	s.user("shop")
	run := elsewhere(t, path)
	for range 10 {
		token := s.login("shop", "pass123").Access
		s.send("GET", "/me/", token, nil).want(t, 200, "")
		s.send("GET", "/me/", token, nil).want(t, 200, "")
		run("DELETE FROM sign_ins")
		s.send("GET", "/me/", token, nil).want(t, 401, "")
	}
}

// TestRenamedElsewhere lets another process give a user a new name: after the first answer
// with the new name, all later answers have it.
func TestRenamedElsewhere(t *testing.T) {
	s, path := newShopAt(t)
	token := s.owner("shop")
	s.vehicle(token, "A-1")
	elsewhere(t, path)("UPDATE users SET username = 'renamed'")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s.send("GET", "/vehicles/", token, nil)
		if strings.Contains(s.send("GET", "/me/", token, nil).body, "renamed") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the new name is in no answer")
		}
	}
	if list := s.send("GET", "/vehicles/", token, nil); !strings.Contains(list.body, `"user":"renamed"`) {
		t.Errorf("got %s", list.body)
	}
}

// TestTriggersOfOthers adds a trigger of a shop that refuses bookings: the server does not
// mistake this for an overlap of bookings.
func TestTriggersOfOthers(t *testing.T) {
	s, path := newShopAt(t)
	token := s.owner("shop")
	car := s.vehicle(token, "A-1")
	dbtest.Exec(t, path, `CREATE TRIGGER shut BEFORE INSERT ON bookings WHEN NEW.start_date = '2025-12-25'
		BEGIN SELECT RAISE(ABORT, 'shut'); END`)
	body := strings.NewReader(fmt.Sprintf(`{"vehicle":%d,"start_date":"2025-12-25","end_date":"2025-12-26"}`, car))
	req, err := http.NewRequest("POST", s.url+"/bookings/", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if a := s.roundTrip(req); a.status != 500 {
		t.Errorf("got %d %s, want 500", a.status, a.body)
	}
	s.send("GET", "/bookings/", token, nil).want(t, 200, "[]")
}

// TestReadYourWrites lets many clients write at once, while another process writes too.
// After each write, a client reads its own row, alone and in the list that all clients
// read.
func TestReadYourWrites(t *testing.T) {
	s, path := newShopAt(t)
	token := s.owner("shop")
	run := elsewhere(t, path)
	var clients sync.WaitGroup
	for c := range 8 {
		car := s.vehicle(token, fmt.Sprint("A-", c))
		clients.Go(func() {
			list := fmt.Sprintf("/bookings/?vehicle=%d", car)
			for range 20 {
				id := s.booking(token, car, "2025-01-01", "2025-01-02")
				one := fmt.Sprintf("/bookings/%d/", id)
				want := fmt.Sprintf(`{"id":%d,"vehicle":%d,"start_date":"2025-01-01","end_date":"2025-01-02"}`, id, car)
				s.send("GET", one, token, nil).want(t, 200, want)
				s.send("GET", list, token, nil).want(t, 200, "["+want+"]")
				if all := s.send("GET", "/bookings/", token, nil); !strings.Contains(all.body, want) {
					t.Errorf("got %s, without %s", all.body, want)
				}
				s.send("PATCH", one, token, map[string]string{"end_date": "2025-01-09"}).want(t, 200, "")
				want = strings.Replace(want, "01-02", "01-09", 1)
				s.send("GET", one, token, nil).want(t, 200, want)
				s.send("GET", list, token, nil).want(t, 200, "["+want+"]")
				s.send("DELETE", one, token, nil).want(t, 204, "")
				s.send("GET", one, token, nil).want(t, 404, "")
				s.send("GET", list, token, nil).want(t, 200, "[]")
				if all := s.send("GET", "/bookings/", token, nil); strings.Contains(all.body, fmt.Sprintf(`{"id":%d,`, id)) {
					t.Errorf("got %s, with %d, which is deleted", all.body, id)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
			run("UPDATE users SET created_at = %d", i)
		}
	}
}

// TestCachedApart sends requests to the same path as several users, from several hosts, and
// with several methods and queries: no request gets a cached answer of another request.
func TestCachedApart(t *testing.T) {
	s, _ := newShopAt(t)
	ali, bea := s.owner("ali"), s.owner("bea")
	s.vehicle(ali, "A-1")
	s.vehicle(ali, "A-2")
	for range 3 {
		if got := s.send("GET", "/vehicles/", ali, nil).ids(t); got != "[1 2]" {
			t.Errorf("ali sees %s", got)
		}
		s.send("GET", "/vehicles/", bea, nil).want(t, 200, "[]")
		s.send("GET", "/vehicles/1/", bea, nil).want(t, 404, "")
		s.send("GET", "/vehicles/", "", nil).want(t, 401, "")
		a := s.send("GET", "/vehicles/?limit=1", ali, nil)
		if want := `<?after=1&limit=1>; rel="next"`; a.ids(t) != "[1]" || a.header.Get("Link") != want {
			t.Errorf("got %s with Link %q, want %q", a.body, a.header.Get("Link"), want)
		}
		if a := s.send("GET", "/vehicles/?limit=2", ali, nil); a.ids(t) != "[1 2]" || a.header.Get("Link") != "" {
			t.Errorf("got %s with Link %q", a.body, a.header.Get("Link"))
		}
		req, err := http.NewRequest("GET", s.url+"/vehicles/?limit=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "rent.example"
		req.Header.Set("Authorization", "Bearer "+ali)
		if got := s.do(req).header.Get("Link"); got != `<?after=1&limit=1>; rel="next"` {
			t.Errorf("got Link %q for another host", got)
		}
		if head := s.send("HEAD", "/vehicles/", ali, nil); head.body != "" || head.header.Get("Content-Length") == "0" {
			t.Errorf("HEAD: got %q of length %s", head.body, head.header.Get("Content-Length"))
		}
	}
}

// bookMany stores n bookings of a day each for the vehicles with ids 1 to 20, without
// the server.
func bookMany(t testing.TB, path string, n int) {
	t.Helper()
	dbtest.Exec(t, path, fmt.Sprintf(`
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d)
		INSERT INTO bookings (vehicle_id, start_date, end_date)
		SELECT 1 + i %% 20, date('2020-01-01', (i / 20) || ' days'), date('2020-01-01', (i / 20 + 1) || ' days') FROM n`, n))
}

// TestLongLists reads lists that the server sends in parts, while other clients request
// such lists and do not read them.
func TestLongLists(t *testing.T) {
	t.Parallel() // it is slow
	s, path := newShopAt(t)
	token := s.owner("shop")
	for i := range 20 {
		s.vehicle(token, fmt.Sprint("A-", i))
	}
	const many = 33_000
	bookMany(t, path, many)

	for range 3 {
		conn, err := net.Dial("tcp", s.url[len("http://"):])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /bookings/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token)
	}
	var all, dated []db.Booking
	a := s.send("GET", "/bookings/", token, nil)
	a.in(t, &all)
	if len(all) != many || a.header.Get("Content-Length") != "" {
		t.Fatalf("got %d bookings, %s bytes", len(all), a.header.Get("Content-Length"))
	}
	for i, b := range all {
		if i > 0 && all[i-1].ID >= b.ID {
			t.Fatalf("booking %d follows %d", b.ID, all[i-1].ID)
		}
	}
	s.send("GET", "/bookings/?from=2020-01-01&to=2999-01-01", token, nil).in(t, &dated)
	if !slices.Equal(all, dated) {
		t.Errorf("got %d bookings by their dates, %d in all", len(dated), len(all))
	}
	text, err := json.Marshal(all)
	if err != nil || string(text) != a.body {
		t.Errorf("the parts do not make the JSON of the whole list: %v", err)
	}
	s.booking(token, 7, "2010-01-01", "2010-01-02") // writes do not wait either
	after := s.send("GET", fmt.Sprintf("/bookings/?vehicle=7&after=%d", many), token, nil)
	if got := after.ids(t); got != fmt.Sprintf("[%d]", many+1) {
		t.Errorf("got %s", got)
	}
}
