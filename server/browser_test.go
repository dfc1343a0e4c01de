package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"onenow/server"
)

// browser starts a Chromium for the test. Without one, it skips the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("needs a Chromium")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // tests may run as root
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if _, err := chromedp.Run(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// pageScript is the script of a shop's website, on an origin of its own. It collects
// the parts of each answer that it can read.
const pageScript = `(async () => {
	const seen = [];
	let token = "";
	const call = async (method, path, body) => {
		const headers = {"Content-Type": "application/json"};
		if (token) headers.Authorization = "Bearer " + token;
		const r = await fetch(API + path, {method, headers, body: body && JSON.stringify(body)});
		const text = await r.text();
		seen.push([method + " " + path, r.status, text, r.headers.get("X-Request-Id") !== null, r.headers.get("Link") || ""]);
		return text && JSON.parse(text);
	};
	try {
		await call("GET", "/vehicles/");
		await call("POST", "/register/", {username: "user1", password: "pass123"});
		token = (await call("POST", "/login/", {username: "user1", password: "pass123"})).access;
		await call("POST", "/vehicles/", {make: "Toyota", model: "Corolla", year: 2020, plate: "ABC123"});
		await call("PUT", "/vehicles/1/", {make: "Toyota", model: "Camry", year: 2021, plate: "XYZ789"});
		await call("POST", "/bookings/", {vehicle: 1, start_date: "2025-07-20", end_date: "2025-07-25"});
		await call("POST", "/bookings/", {vehicle: 1, start_date: "2025-07-24", end_date: "2025-07-26"});
		await call("PATCH", "/bookings/1/", {end_date: "2025-07-26"});
		await call("POST", "/bookings/", {vehicle: 1, start_date: "2025-08-24", end_date: "2025-08-26"});
		await call("GET", "/bookings/?limit=1");
		await call("DELETE", "/vehicles/1/");
		token = "x";
		await call("GET", "/me/");
	} catch (e) {
		seen.push(["error", 0, String(e), false, ""]);
	}
	return seen;
})()`

// TestBrowser runs a page of another origin in a real browser.
func TestBrowser(t *testing.T) {
	ctx := browser(t)
	website := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>Lahore Car Rental</title>"))
	}))
	defer website.Close()
	type row = []any
	run := func(s *shop) []row {
		t.Helper()
		if _, err := chromedp.Run(ctx, chromedp.Navigate(website.URL)); err != nil {
			t.Fatal(err)
		}
		script := `const API = "` + s.url + `"; ` + pageScript
		seen, err := chromedp.Run(ctx, chromedp.Evaluate[[]row](script, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}

	s := newShop(t)
	seen := run(s)
	want := []struct {
		call   string
		status float64
		body   string
	}{
		{"GET /vehicles/", 401, noToken},
		{"POST /register/", 201, `{"message":"User created successfully."}`},
		{"POST /login/", 200, ""},
		{"POST /vehicles/", 201, `{"id":1,"make":"Toyota","model":"Corolla","year":2020,"plate":"ABC123","user":"user1"}`},
		{"PUT /vehicles/1/", 200, `{"id":1,"make":"Toyota","model":"Camry","year":2021,"plate":"XYZ789","user":"user1"}`},
		{"POST /bookings/", 201, booking1},
		{"POST /bookings/", 409, `{"detail":"This vehicle is already booked from 2025-07-20 to 2025-07-25.","code":"booking_conflict","conflict":` + booking1 + `}`},
		{"PATCH /bookings/1/", 200, `{"id":1,"vehicle":1,"start_date":"2025-07-20","end_date":"2025-07-26"}`},
		{"POST /bookings/", 201, ""},
		{"GET /bookings/?limit=1", 200, `[{"id":1,"vehicle":1,"start_date":"2025-07-20","end_date":"2025-07-26"}]`},
		{"DELETE /vehicles/1/", 204, ""},
		{"GET /me/", 401, badToken("Token is invalid")},
	}
	if len(seen) != len(want) {
		t.Fatalf("got %d answers, want %d: %v", len(seen), len(want), seen)
	}
	for i, w := range want {
		got := seen[i]
		if got[0] != w.call || got[1] != w.status || w.body != "" && got[2] != w.body || got[3] != true {
			t.Errorf("got %v\nwant %v", got, w)
		}
	}
	if seen[9][4] != `<?after=1&limit=1>; rel="next"` {
		t.Errorf("got Link %v", seen[9][4])
	}

	// A page of an origin that is not allowed can read nothing.
	limited := newShopWith(t, server.Config{CORSOrigins: []string{"https://lahorecarrental.com"}})
	if seen := run(limited); len(seen) != 1 || seen[0][0] != "error" {
		t.Errorf("a refused page read %v", seen)
	}
}
