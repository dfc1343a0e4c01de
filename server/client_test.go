package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// readmeBlock returns the first block of the README after a comment that has
// the text comment.
func readmeBlock(t *testing.T, comment string) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- [^\n]*" + comment + "[^\n]* -->\n```[a-z]+\n(.*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatalf("the README has no block with %s", comment)
	}
	return string(m[1])
}

// recorder is a proxy in front of a shop that records each request.
type recorder struct {
	url   string
	mu    sync.Mutex
	calls []string
}

// record starts a recorder. After a sign-in, it moves the clock on until the access token
// has expired, before the client uses the token.
func record(t *testing.T, s *shop) *recorder {
	t.Helper()
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(resp *http.Response) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if resp.Request.URL.Path == "/login/" {
			s.clock.advance(time.Hour + time.Minute)
		}
		if resp.Request.Method != http.MethodOptions {
			r.calls = append(r.calls, fmt.Sprint(resp.Request.Method, " ", resp.Request.URL.Path, " ", resp.StatusCode))
		}
		return nil
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	r.url = front.URL
	return r
}

// count returns the number of calls that are equal to call.
func (r *recorder) count(call string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		if c == call {
			n++
		}
	}
	return n
}

// readmeModule returns the README's onenow.mjs with the address of a server.
func readmeModule(t *testing.T, address string) string {
	t.Helper()
	return strings.Replace(readmeBlock(t, "TestReadmeModule"), "http://127.0.0.1:8000", address, 1)
}

// node runs main.mjs of files in Node, in a time zone, and returns its output.
func node(t *testing.T, zone string, files map[string]string) string {
	t.Helper()
	version, err := exec.Command("node", "--version").Output()
	var major int
	if _, scanErr := fmt.Sscanf(string(version), "v%d.", &major); err != nil || scanErr != nil || major < 18 {
		t.Skip("needs Node 18 or newer")
	}
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join(dir, "main.mjs"))
	cmd.Env = append(os.Environ(), "TZ="+zone)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	return string(out)
}

// TestReadmeClient runs the README's client in Node. Its access token has expired
// before its first use, so that it has to get new ones.
func TestReadmeClient(t *testing.T) {
	t.Run("with a car", func(t *testing.T) { runReadmeClient(t, true) })
	t.Run("without one", func(t *testing.T) { runReadmeClient(t, false) })
}

func runReadmeClient(t *testing.T, car bool) {
	s := newShop(t)
	token := s.owner("user1")
	want := []string{"POST /login/ 200", "GET /vehicles/ 401", "POST /api/token/refresh/ 200", "GET /vehicles/ 200",
		"POST /vehicles/ 201", "POST /bookings/ 201", "POST /bookings/ 409"}
	if car {
		s.vehicle(token, "ABC123")
		want = slices.Delete(want, 4, 5)
	}
	r := record(t, s)
	block := readmeBlock(t, "TestReadmeClient runs")
	var prints strings.Builder
	for line := range strings.Lines(block) {
		if printed, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "// "); ok {
			prints.WriteString(printed)
		}
	}
	got := node(t, "UTC", map[string]string{"onenow.mjs": readmeModule(t, r.url), "main.mjs": block})
	if got != prints.String() {
		t.Errorf("got\n%s\nwant\n%s", got, &prints)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.calls, want) {
		t.Errorf("got calls %q, want %q", r.calls, want)
	}
}

// TestReadmeModule makes several calls at once with an expired access token, in
// Node and in two frames of a browser, which share their storage like two tabs.
// One call refreshes the tokens for all.
func TestReadmeModule(t *testing.T) {
	wantOneRefresh := func(t *testing.T, r *recorder, calls int) {
		t.Helper()
		if got := r.count("POST /api/token/refresh/ 200"); got != 1 {
			t.Errorf("got %d refreshes, want 1", got)
		}
		if got := r.count("GET /me/ 200"); got != calls {
			t.Errorf("got %d answers, want %d", got, calls)
		}
		if got := r.count("GET /me/ 401"); got < 2 {
			t.Errorf("got %d calls with an expired token, want several", got)
		}
	}
	t.Run("in Node", func(t *testing.T) {
		s := newShop(t)
		s.user("user1")
		r := record(t, s)
		main := `import {call, login} from "./onenow.mjs";
			await login("user1", "pass123");
			await Promise.all(Array.from({length: 8}, () => call("GET", "/me/")));
			await login("user1", "wrong").catch((e) => console.log(e.status, e.message));`
		got := node(t, "UTC", map[string]string{"onenow.mjs": readmeModule(t, r.url), "main.mjs": main})
		if want := "401 No active account found with the given credentials\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		wantOneRefresh(t, r, 8)
	})
	t.Run("after a logout", func(t *testing.T) {
		s := newShop(t)
		s.user("user1")
		r := record(t, s)
		main := `import {call, login} from "./onenow.mjs";
			const {refresh} = await login("user1", "pass123");
			const me = await call("GET", "/me/");
			await call("POST", "/logout/", {refresh});
			for (let i = 0; i < 2; i++) await call("GET", "/me/").catch((e) => console.log(e.status, e.message));`
		got := node(t, "UTC", map[string]string{"onenow.mjs": readmeModule(t, r.url), "main.mjs": main})
		if want := "401 Token is invalid\n401 Authentication credentials were not provided.\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("in two tabs", func(t *testing.T) {
		ctx := browser(t)
		s := newShop(t)
		s.user("user1")
		r := record(t, s)
		module := readmeModule(t, r.url)
		website := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/onenow.mjs" {
				w.Header().Set("Content-Type", "text/javascript")
				_, _ = w.Write([]byte(module))
				return
			}
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<!doctype html><script type=module>window.api = await import('./onenow.mjs')</script>"))
		}))
		defer website.Close()
		script := `(async () => {
			const frames = await Promise.all([0, 1].map(() => new Promise((done) => {
				const frame = document.createElement("iframe");
				frame.onload = () => done(frame.contentWindow);
				frame.src = "/frame";
				document.body.append(frame);
			})));
			while (!frames.every((f) => f.api)) await new Promise((done) => setTimeout(done, 10));
			await frames[0].api.login("user1", "pass123");
			const answers = await Promise.all([...frames, ...frames, ...frames].map((f) => f.api.call("GET", "/me/")));
			return answers.map((a) => a.username).join(" ");
		})()`
		if _, err := chromedp.Run(ctx, chromedp.Navigate(website.URL)); err != nil {
			t.Fatal(err)
		}
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
		if want := "user1 user1 user1 user1 user1 user1"; err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		wantOneRefresh(t, r, 6)
	})
}

// TestReadmeDays checks that toDay returns the day that a date picker shows, in every time
// zone, and that toISOString is wrong in Lahore, as the README says.
func TestReadmeDays(t *testing.T) {
	block := readmeBlock(t, "TestReadmeDays")
	main := `import {toDate, toDay} from "./days.mjs";
		const picked = new Date(2025, 6, 20);
		console.log(toDay(picked), toDay(toDate("2025-07-20")), toDate("2025-07-20").getTime() === picked.getTime(), toDay(new Date(2025, 0, 5, 23, 59)));
		console.log(picked.toISOString().slice(0, 10));`
	for zone, iso := range map[string]string{"Asia/Karachi": "2025-07-19", "UTC": "2025-07-20", "America/New_York": "2025-07-20"} {
		want := "2025-07-20 2025-07-20 true 2025-01-05\n" + iso + "\n"
		if got := node(t, zone, map[string]string{"days.mjs": block, "main.mjs": main}); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", zone, got, want)
		}
	}
}

// TestReadmeCalendar gets July's events. Bookings that end on the first day of July, or
// begin on the day after its last, are not among them.
func TestReadmeCalendar(t *testing.T) {
	s := newShop(t)
	token := s.owner("user1")
	one, two := s.vehicle(token, "ABC123"), s.vehicle(token, "XYZ789")
	s.booking(token, one, "2025-06-20", "2025-07-01")
	s.booking(token, two, "2025-06-29", "2025-07-03")
	s.booking(token, one, "2025-07-20", "2025-07-25")
	s.booking(token, one, "2025-07-31", "2025-08-02")
	s.booking(token, two, "2025-08-01", "2025-08-05")
	main := `import {login} from "./onenow.mjs";
		import {events} from "./calendar.mjs";
		await login("user1", "pass123");
		for (const e of await events({start: new Date(2025, 6, 1), end: new Date(2025, 7, 1)})) console.log(JSON.stringify(e));`
	got := node(t, "Asia/Karachi", map[string]string{"onenow.mjs": readmeModule(t, s.url), "days.mjs": readmeBlock(t, "TestReadmeDays"),
		"calendar.mjs": readmeBlock(t, "TestReadmeCalendar"), "main.mjs": main})
	want := `{"id":2,"title":"Car 2","start":"2025-06-29","end":"2025-07-03","allDay":true}
{"id":3,"title":"Car 1","start":"2025-07-20","end":"2025-07-25","allDay":true}
{"id":4,"title":"Car 1","start":"2025-07-31","end":"2025-08-02","allDay":true}
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestTypedClient makes clients for TypeScript from openapi.yaml, with
// openapi-typescript as the README says and with three other generators. The
// clients, and the code in testdata/clients that uses them, compile under
// tsc --strict, without --skipLibCheck. Clients that are more than types then send
// requests to a server.
func TestTypedClient(t *testing.T) {
	t.Parallel() // it is slow
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel) // after the subtests, which run in parallel
	var major, minor int
	version, err := exec.Command("node", "--version").Output()
	if _, scanErr := fmt.Sscanf(string(version), "v%d.%d.", &major, &minor); err != nil || scanErr != nil || major < 20 || major == 20 && minor < 19 {
		t.Skip("needs Node 20.19 or newer, for the generators of clients")
	}
	if out, err := exec.CommandContext(ctx, "npm", "view", "openapi-typescript", "name").CombinedOutput(); err != nil {
		t.Skipf("needs npm and its packages: %v %s", err, out)
	}
	command := "npx openapi-typescript http://127.0.0.1:8000/openapi.yaml -o onenow.d.ts"
	if readme, err := os.ReadFile("../README.md"); err != nil || !strings.Contains(string(readme), "\n"+command+"\n") {
		t.Errorf("the README does not say %s, %v", command, err)
	}

	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/clients")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"openapi.yaml": newShop(t).send("GET", "/openapi.yaml", "", nil).body,
		"readme.ts":    readmeBlock(t, "TestTypedClient"),
		"package.json": `{"private":true}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(t *testing.T, env, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "DO_NOT_TRACK=1", "npm_config_update_notifier=false", env)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run(t, "", "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "openapi-typescript@7.13.0", "@hey-api/openapi-ts@0.95.0",
		"orval@7.13.2", "openapi-typescript-codegen@0.31.0", "typescript@5.9.3")

	for _, generator := range []struct {
		name     string
		generate string
		files    string
		runs     bool
	}{
		{"openapi-typescript", "openapi-typescript URL -o onenow.d.ts", "openapi-typescript.ts readme.ts", false},
		{"hey-api", "openapi-ts -i openapi.yaml -o made/hey-api", "hey-api.ts", true},
		{"orval", "orval --input openapi.yaml --output made/orval.ts --client fetch", "orval.ts", true},
		{"codegen", "openapi --input openapi.yaml --output made/codegen", "codegen.ts", true},
	} {
		t.Run(generator.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			args := strings.Fields(strings.Replace(generator.generate, "URL", s.url+"/openapi.yaml", 1))
			run(t, "", "npx", append([]string{"--no-install"}, args...)...)
			module := "--module esnext --moduleResolution bundler --noEmit "
			if generator.runs {
				module = "--module commonjs --moduleResolution node10 --outDir js "
			}
			run(t, "", "npx", strings.Fields("--no-install tsc --strict --target es2022 --lib es2022,dom,dom.iterable "+module+generator.files)...)
			if !generator.runs {
				return
			}
			want := "Booked from 2025-07-20 to 2025-07-25\n409 This vehicle is already booked from 2025-07-20 to 2025-07-25.\n"
			if got := run(t, "API="+s.url, "node", filepath.Join("js", generator.name+".js")); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
