package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// docsPage is the page at /docs/ in a browser.
type docsPage struct {
	t   *testing.T
	ctx context.Context

	mu    sync.Mutex
	hosts map[string]bool // hosts that got requests
	wrong []string        // complaints of the browser
}

// openDocs opens an address of the page, or one that redirects to it.
func openDocs(t *testing.T, ctx context.Context, address string) *docsPage {
	t.Helper()
	p := &docsPage{t: t, ctx: ctx, hosts: map[string]bool{}}
	complain := func(format string, args ...any) { p.wrong = append(p.wrong, fmt.Sprintf(format, args...)) }
	err := chromedp.Listen(ctx, func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme != "data" {
				p.hosts[u.Scheme+"://"+u.Host] = true
			}
		case *network.EventLoadingFailed:
			complain("%s failed: %s", e.Type, e.ErrorText)
		case *network.EventResponseReceived:
			if e.Response.Status >= 400 {
				complain("%d %s", e.Response.Status, e.Response.URL)
			}
		case *log.EventEntryAdded:
			complain("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
		case *runtime.EventConsoleAPICalled:
			for _, arg := range e.Args {
				complain("console: %s %s", arg.Value, arg.Description)
			}
		case *runtime.EventExceptionThrown:
			complain("exception: %s", e.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.Navigate(address))
	p.do(chromedp.WaitVisible(chromedp.CSS("#operations-Users-register")))
	return p
}

func (p *docsPage) do(action chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, action); err != nil {
		p.t.Fatal(err)
	}
}

// script calls a method of an element, once the page shows it.
func (p *docsPage) script(selector, method string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS(selector)))
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[any](fmt.Sprintf("document.querySelector(%q).%s()", selector, method))); err != nil {
		p.t.Fatal(err)
	}
}

// click clicks on an element, even while the page moves it.
func (p *docsPage) click(selector string) {
	p.t.Helper()
	p.script(selector, "click")
}

// fill replaces the content of a field at once, like a paste. Typing a token would take
// long, because the browser renders the page after each key.
func (p *docsPage) fill(selector, text string) {
	p.t.Helper()
	p.script(selector, "focus")
	p.script(selector, "select")
	if !eval[bool](p, fmt.Sprintf("document.execCommand('insertText', false, %q)", text)) {
		p.t.Fatalf("cannot fill %s", selector)
	}
}

// asShown stands for the body that the page has filled in.
const asShown = "as shown"

// execute opens an operation, fills in its body if it has one, and clicks
// Execute. It returns the status and the answer's text.
func (p *docsPage) execute(operation, body string) (status, text string) {
	p.t.Helper()
	block := "#operations-" + operation
	p.click(block + " .opblock-summary-control")
	field := block + " textarea.body-param__text"
	if body != "" { // the page shows the field first and its content a moment later
		if _, err := chromedp.Run(p.ctx, chromedp.Poll[string](fmt.Sprintf("document.querySelector(%q)?.value", field))); err != nil {
			p.t.Fatal(err)
		}
	}
	if body != "" && body != asShown {
		p.fill(field, body)
	}
	p.click(block + " .execute")
	live := block + " .live-responses-table .response"
	p.do(chromedp.WaitVisible(chromedp.CSS(live + " .response-col_status")))
	return p.text(live + " .response-col_status"), p.text(live + " .response-col_description .highlight-code code")
}

func (p *docsPage) text(selector string) string {
	p.t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// eval returns the value of a JavaScript expression in the page.
func eval[T any](p *docsPage, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// wantExecuted executes an operation and wants its status and a part of its text.
func (p *docsPage) wantExecuted(operation, body, status, part string) (text string) {
	p.t.Helper()
	gotStatus, text := p.execute(operation, body)
	if gotStatus != status || !strings.Contains(text, part) {
		p.t.Errorf("%s: got %s %s, want %s with %s", operation, gotStatus, text, status, part)
	}
	return text
}

// wantDocumented wants the statuses that an operation documents on the page.
func (p *docsPage) wantDocumented(operation string, statuses ...string) {
	p.t.Helper()
	rows := "#operations-" + operation + " .responses-table:not(.live-responses-table) .response .response-col_status"
	p.do(chromedp.WaitVisible(chromedp.CSS(rows)))
	got := eval[[]string](p, fmt.Sprintf("[...document.querySelectorAll(%q)].map((e) => e.textContent)", rows))
	if !slices.Equal(got, statuses) {
		p.t.Errorf("%s documents %q, want %q", operation, got, statuses)
	}
}

// wantFit fails if an element is wider than the window, or overlaps the element next to
// it in its row of a table.
func (p *docsPage) wantFit(width, height int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
	for _, wrong := range eval[[]string](p, `[
		...[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1),
		...[...document.querySelectorAll("td, pre, .info, .opblock-body")].filter((e) => e.scrollWidth > e.clientWidth + 1),
		...[...document.querySelectorAll("td + td > *")].filter((e) =>
			[...e.parentNode.previousSibling.querySelectorAll("*")].some((left) =>
				left.getBoundingClientRect().right > e.getBoundingClientRect().left + 1)),
	].filter((e) => e.checkVisibility()).map((e) => e.tagName + "." + e.className + " " + e.textContent.slice(0, 80))`) {
		p.t.Errorf("at %d by %d, this does not fit: %s", width, height, wrong)
	}
	if got := eval[int64](p, "document.documentElement.scrollWidth"); got > width {
		p.t.Errorf("the page is %d wide, want %d", got, width)
	}
}

// wantQuiet fails if another host got a request, or the browser has complained.
func (p *docsPage) wantQuiet(host string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.hosts) != 1 || !p.hosts[host] {
		p.t.Errorf("these hosts got requests: %v, want %s alone", p.hosts, host)
	}
	for _, complaint := range p.wrong {
		p.t.Error(complaint)
	}
}

// TestDocsInBrowser registers, signs in and adds a vehicle by clicks on the page,
// behind a proxy that serves it below a path. The test types no token.
func TestDocsInBrowser(t *testing.T) {
	ctx := browser(t)
	s := newShop(t)
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(http.StripPrefix("/rental", httputil.NewSingleHostReverseProxy(target)))
	defer proxy.Close()
	p := openDocs(t, ctx, proxy.URL+"/rental/")

	p.wantExecuted("Users-register", asShown, "201", "User created successfully.")
	var tk tokens
	if err := json.Unmarshal([]byte(p.wantExecuted("Users-login", asShown, "200", "access")), &tk); err != nil {
		t.Fatal(err)
	}
	p.wantExecuted("Vehicles-createVehicle", asShown, "201", `"plate": "ABC123"`)
	p.wantExecuted("Bookings-createBooking", `{"vehicle":1,"start_date":"2025-08-20","end_date":"2025-08-25"}`, "201", `"start_date": "2025-08-20"`)
	p.wantExecuted("Vehicles-listVehicles", "", "200", `"user": "user1"`)
	p.wantExecuted("Bookings-listBookings", "", "200", `"start_date": "2025-08-20"`) // no date is filled in

	// Each operation shows only its own errors.
	p.wantDocumented("Users-login", "200", "400", "401")
	p.wantDocumented("Bookings-createBooking", "201", "400", "403", "409")
	p.wantDocumented("Bookings-listBookings", "200", "400")
	for _, status := range []string{"400", "401", "404", "405", "413", "415", "429", "500", "503"} {
		if !strings.Contains(p.text(".info table"), status) {
			t.Errorf("the introduction does not have %s", status)
		}
	}
	p.wantFit(1280, 800)
	p.wantFit(390, 844)

	// A reload keeps the token. A refresh replaces it: the first one has expired.
	p.do(chromedp.Reload())
	p.wantExecuted("Users-me", "", "200", `"username": "user1"`)
	s.clock.advance(59 * time.Minute)
	p.wantExecuted("Users-refresh", `{"refresh":"`+tk.Refresh+`"}`, "200", "access")
	s.clock.advance(2 * time.Minute)
	p.wantExecuted("Vehicles-listVehicles", "", "200", `"user": "user1"`)

	// Nothing of the page needs the network, or breaks its policy.
	p.wantQuiet(proxy.URL)
}

// TestDocsAuthorize enters a token by hand, and removes it again.
func TestDocsAuthorize(t *testing.T) {
	ctx := browser(t)
	s := newShop(t)
	p := openDocs(t, ctx, s.url+"/docs/")
	p.click(".scheme-container .authorize")
	p.fill("#auth-bearer-value", s.owner("user1"))
	p.click(".auth-btn-wrapper .authorize")
	p.click(".auth-btn-wrapper .btn-done")
	p.wantExecuted("Vehicles-createVehicle", asShown, "201", `"plate": "ABC123"`)
	p.wantQuiet(s.url)

	p.click(".scheme-container .authorize")
	p.click(".auth-btn-wrapper button:not(.btn-done)")
	p.click(".auth-btn-wrapper .btn-done")
	p.wantExecuted("Users-me", "", "401", "Authentication credentials were not provided.")
}
