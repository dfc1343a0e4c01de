package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

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
	hosts map[string]bool // that were asked for anything
	wrong []string        // what the browser complains of
}

// openDocs opens an address that leads to the page.
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

// script has the page run a method of an element, once it is there.
func (p *docsPage) script(selector, method string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS(selector)))
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[any](fmt.Sprintf("document.querySelector(%q).%s()", selector, method))); err != nil {
		p.t.Fatal(err)
	}
}

// click clicks on an element, even if it is moving as the page unfolds.
func (p *docsPage) click(selector string) {
	p.t.Helper()
	p.script(selector, "click")
}

// fill types into a field, over what it has.
func (p *docsPage) fill(selector, text string) {
	p.t.Helper()
	p.script(selector, "select")
	p.do(chromedp.SendKeys(chromedp.CSS(selector), text))
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
	if body != "" { // the page has one in a moment
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

// TestDocsInBrowser registers, signs in, authorizes and adds a vehicle by
// clicks on the page, behind a proxy that serves it under a path.
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

	want := func(operation, body, wantStatus, wantText string) string {
		t.Helper()
		status, text := p.execute(operation, body)
		if status != wantStatus || !strings.Contains(text, wantText) {
			t.Errorf("%s: got %s %s, want %s with %s", operation, status, text, wantStatus, wantText)
		}
		return text
	}
	want("Users-register", asShown, "201", "User created successfully.")
	var tk tokens
	if err := json.Unmarshal([]byte(want("Users-login", asShown, "200", "access")), &tk); err != nil {
		t.Fatal(err)
	}
	p.click(".scheme-container .authorize")
	p.fill("#auth-bearer-value", tk.Access)
	p.click(".auth-btn-wrapper .authorize")
	p.click(".auth-btn-wrapper .btn-done")
	want("Vehicles-createVehicle", asShown, "201", `"plate": "ABC123"`)
	want("Bookings-createBooking", `{"vehicle":1,"start_date":"2025-08-20","end_date":"2025-08-25"}`, "201", `"start_date": "2025-08-20"`)
	want("Vehicles-listVehicles", "", "200", `"user": "user1"`)

	// A phone shows all of it without scrolling sideways.
	p.do(chromedp.EmulateViewport(390, 844))
	width, err := chromedp.Run(p.ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth"))
	if err != nil || width > 390 {
		t.Errorf("the page is %d wide, %v", width, err)
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.hosts) != 1 || !p.hosts[proxy.URL] {
		t.Errorf("these were asked: %v, want %s alone", p.hosts, proxy.URL)
	}
	for _, complaint := range p.wrong {
		t.Error(complaint)
	}
}
