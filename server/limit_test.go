package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hands is a clock that stands still unless it is moved.
type hands struct{ at atomic.Int64 }

func (h *hands) now() time.Time       { return time.Unix(0, h.at.Load()) }
func (h *hands) move(d time.Duration) { h.at.Add(int64(d)) }

func TestLimiter(t *testing.T) {
	var clock hands
	clock.move(time.Hour)
	l := newLimiter(3, 10*time.Second, clock.now)
	key, other := keyOf("a"), keyOf("b")
	take := func(k limitKey, want time.Duration) {
		t.Helper()
		if got := l.take(k); got != want {
			t.Errorf("got %v to wait, want %v", got, want)
		}
	}
	for range 3 {
		take(key, 0)
	}
	take(key, 10*time.Second)
	take(key, 10*time.Second) // a try that waits is not counted
	take(other, 0)
	clock.move(4 * time.Second)
	take(key, 6*time.Second)
	clock.move(6 * time.Second)
	take(key, 0)
	take(key, 10*time.Second)
	l.undo(key)
	take(key, 0)
	clock.move(time.Hour)
	for range 3 {
		take(key, 0)
	}
	take(key, 10*time.Second)
	for range 5 {
		l.undo(key) // more than there were
	}
	for range 3 {
		take(key, 0)
	}
	take(key, 10*time.Second)
	l.undo(keyOf("never seen"))
}

// TestLimiterHoldsAcrossGoroutines lets many take at once: the burst and no
// more.
func TestLimiterHoldsAcrossGoroutines(t *testing.T) {
	var clock hands
	l := newLimiter(50, time.Second, clock.now)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				if l.take(keyOf("a")) == 0 {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got := allowed.Load(); got != 50 {
		t.Errorf("%d were allowed, want 50", got)
	}
}

// TestLimiterIsBounded has a million keys do one thing each, and one key that
// has used up its burst: it is not forgotten for them.
func TestLimiterIsBounded(t *testing.T) {
	var clock hands
	l := newLimiter(10, 6*time.Second, clock.now)
	guesser := keyOf("guesser")
	for range 10 {
		l.take(guesser)
	}
	for i := range 1_000_000 {
		l.take(keyOf(fmt.Sprint(i)))
	}
	if len(l.whole) > maxKeys {
		t.Errorf("%d keys are kept, want %d at most", len(l.whole), maxKeys)
	}
	if l.take(guesser) == 0 {
		t.Error("the guesser is set free")
	}
}

// TestGuard has the world guess at an account while its owner signs in.
func TestGuard(t *testing.T) {
	var clock hands
	g := newGuard(clock.now)
	known := func(yes bool) func() (bool, error) { return func() (bool, error) { return yes, nil } }
	waits := func(err error) int {
		var e *apiError
		if errors.As(err, &e) && e.status == http.StatusTooManyRequests {
			return e.retryAfter
		}
		return 0
	}
	// From one address: so many tries at an account, then one every 6 seconds.
	for i := range accountTries {
		if _, err := g.try("shop", "192.0.2.1", known(false)); err != nil {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	if _, err := g.try("shop", "192.0.2.1", known(false)); waits(err) != 6 {
		t.Errorf("got %v, want to wait 6 seconds", err)
	}
	// A botnet goes on for ten minutes.
	for range 600 {
		clock.move(time.Second)
		for range 5 {
			_, _ = g.try("shop", fmt.Sprint("198.51.100.", rand.IntN(256)), known(false))
		}
	}
	if _, err := g.try("shop", "203.0.113.9", known(false)); waits(err) == 0 {
		t.Error("the account is not protected")
	}
	// Its owner, where they have been before, mistypes a few times.
	for i := range accountTries {
		success, err := g.try("shop", "203.0.113.7", known(true))
		if err != nil {
			t.Fatalf("try %d of the owner: %v", i, err)
		}
		if i%2 == 0 {
			success()
		}
	}
	if _, err := g.try("another", "198.51.100.1", known(false)); err != nil {
		t.Errorf("another account: %v", err)
	}
	// Success never counts, and a look-up that fails costs nothing.
	for i := range 1000 {
		success, err := g.try("happy", "203.0.113.8", known(true))
		if err != nil {
			t.Fatalf("success %d: %v", i, err)
		}
		success()
	}
	fault := errors.New("fault")
	for range 100 {
		if _, err := g.try("shop", "203.0.113.10", func() (bool, error) { return false, fault }); !errors.Is(err, fault) {
			t.Errorf("got %v, want %v", err, fault)
		}
	}
	// One address that tries many accounts: so many, then one every 2 seconds.
	for i := range addressTries {
		if _, err := g.try(fmt.Sprint("account", i), "192.0.2.2", known(false)); err != nil {
			t.Fatalf("account %d: %v", i, err)
		}
	}
	if _, err := g.try("another account", "192.0.2.2", known(false)); waits(err) != 2 {
		t.Errorf("got %v, want to wait 2 seconds", err)
	}
}

func TestClientAddress(t *testing.T) {
	trusted := proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for name, c := range map[string]struct {
		remote    string
		forwarded []string
		proto     []string
		want      string
		https     bool
	}{
		"no proxy":                   {"203.0.113.5:1", nil, nil, "203.0.113.5", false},
		"no proxy, and a lie":        {"203.0.113.5:1", []string{"198.51.100.1"}, []string{"https"}, "203.0.113.5", false},
		"a proxy":                    {"127.0.0.1:1", []string{"203.0.113.5"}, []string{"https"}, "203.0.113.5", true},
		"a proxy, and a lie":         {"127.0.0.1:1", []string{"198.51.100.1, 203.0.113.5"}, []string{"https, http"}, "203.0.113.5", false},
		"two headers":                {"127.0.0.1:1", []string{"198.51.100.1", "203.0.113.5"}, nil, "203.0.113.5", false},
		"two proxies":                {"127.0.0.1:1", []string{"198.51.100.1, 203.0.113.5, 10.1.2.3"}, nil, "203.0.113.5", false},
		"a proxy that says nothing":  {"127.0.0.1:1", nil, nil, "127.0.0.1", false},
		"a proxy and garbage":        {"127.0.0.1:1", []string{"203.0.113.5, unknown"}, nil, "127.0.0.1", false},
		"garbage left of the client": {"127.0.0.1:1", []string{"<script>, 203.0.113.5"}, nil, "203.0.113.5", false},
		"all are proxies":            {"127.0.0.1:1", []string{"10.0.0.1, 10.0.0.2"}, nil, "10.0.0.1", false},
		"a port":                     {"127.0.0.1:1", []string{"203.0.113.5:4711"}, nil, "203.0.113.5", false},
		"IPv6":                       {"[2001:db8::1]:1", []string{"2001:4860::7"}, nil, "2001:4860::7", false},
		"IPv6 with a port":           {"[2001:db8::1]:1", []string{"[2001:4860::7]:4711"}, nil, "2001:4860::7", false},
		"IPv4 in IPv6":               {"[::ffff:127.0.0.1]:1", []string{"::ffff:203.0.113.5"}, nil, "203.0.113.5", false},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.forwarded, "X-Forwarded-Proto": c.proto}}
		if got, https := trusted.client(r); got.String() != c.want || https != c.https {
			t.Errorf("%s: got %v, %v, want %v, %v", name, got, https, c.want, c.https)
		}
	}
	for address, want := range map[string]string{"203.0.113.5": "203.0.113.5", "2001:4860:1:2:3::7": "2001:4860:1:2::/64"} {
		if got := network(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
