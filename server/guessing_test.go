package server_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"onenow/server"
)

// from returns the header in which a trusted proxy sends a client's address.
func from(address string) header { return header{"X-Forwarded-For", address} }

func newProxiedShop(t testing.TB) *shop {
	return newShopWith(t, server.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
}

// TestGuessing guesses at a password from many addresses. The owner, who has signed in
// before, can still sign in. All other clients are told how long to wait.
func TestGuessing(t *testing.T) {
	t.Parallel() // it is slow
	s := newProxiedShop(t)
	s.user("shop")
	login := func(password, address string) answer {
		t.Helper()
		return s.send("POST", "/login/", "", map[string]string{"username": "shop", "password": password}, from(address))
	}
	login("pass123", "203.0.113.7").want(t, 200, "")
	for i := range 30 {
		login("guess", fmt.Sprint("198.51.100.", i)).want(t, 401, wrongLogin)
	}
	a := login("guess", "198.51.100.77")
	if a.status != 429 || !strings.HasPrefix(a.body, `{"detail":"Request was throttled. Expected available in `) || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s, Retry-After %q", a.status, a.body, a.header.Get("Retry-After"))
	}
	if want := `{"detail":"Request was throttled. Expected available in ` + a.header.Get("Retry-After") + ` second`; !strings.HasPrefix(a.body, want) {
		t.Errorf("got %s with Retry-After %s", a.body, a.header.Get("Retry-After"))
	}
	login("pass123", "203.0.113.8").want(t, 429, "") // the right password, from a new address
	login("pass123", "203.0.113.7").want(t, 200, "")
	login("guess", "203.0.113.7").want(t, 401, wrongLogin)
	login("pass123", "203.0.113.7").want(t, 200, "")
	s.clock.advance(time.Minute)
	login("pass123", "203.0.113.8").want(t, 200, "")

	// The answer is the same whether or not a user of that name exists.
	nobody := func() int {
		return s.send("POST", "/login/", "", `{"username":"nobody","password":"x"}`, from("198.51.100.200")).status
	}
	for range 30 {
		if got := nobody(); got != 401 {
			t.Errorf("got %d, want 401", got)
		}
	}
	if got := nobody(); got != 429 {
		t.Errorf("got %d, want 429", got)
	}

	// The addresses of one /64 network count as one.
	for i := range 100 {
		s.send("POST", "/login/", "", fmt.Sprintf(`{"username":"name%d","password":"x"}`, i), from(fmt.Sprintf("2001:db8:1:2::%x", i))).want(t, 401, wrongLogin)
	}
	s.send("POST", "/login/", "", `{"username":"another","password":"x"}`, from("2001:db8:1:2:ffff::")).want(t, 429, "")
	s.send("POST", "/login/", "", `{"username":"another","password":"x"}`, from("2001:db8:1:3::")).want(t, 401, wrongLogin)

	// A stolen access token does not help to guess.
	tk := s.login("shop", "pass123").Access
	last := 0
	for range 61 { // thirty for the account, and thirty for this address, which the account knows
		last = s.send("POST", "/password/change/", tk, `{"old_password":"x","new_password":"y"}`).status
	}
	if last != 429 {
		t.Errorf("got %d for a password guessed at with a token, want 429", last)
	}
}

// TestGuessingAtSpellings guesses at the password of one user by names that look the
// same: they share one limit.
func TestGuessingAtSpellings(t *testing.T) {
	s := newShop(t)
	s.user("the shop")
	spellings := []string{"the shop", "the  shop", "the\u200b shop", "the\u00a0shop"}
	guess := func(i int) answer {
		return s.send("POST", "/login/", "", map[string]string{"username": spellings[i%len(spellings)], "password": "guess"})
	}
	for i := range 30 {
		guess(i).want(t, 401, wrongLogin)
	}
	for i := range spellings {
		guess(i).want(t, 429, "")
	}
}

// TestManySignIns leaves one failure before the limit, and then signs in many times at
// once: a success never counts.
func TestManySignIns(t *testing.T) {
	s := newShop(t)
	s.user("shop")
	for range 29 {
		s.send("POST", "/login/", "", `{"username":"shop","password":"x"}`).want(t, 401, wrongLogin)
	}
	done := make(chan int)
	for range 24 {
		go func() {
			done <- s.send("POST", "/login/", "", `{"username":"shop","password":"pass123"}`).status
		}()
	}
	for range 24 {
		if got := <-done; got != 200 {
			t.Errorf("got %d, want 200", got)
		}
	}
}

// TestRegistrationIsLimited registers users until the server tells it to wait. A bad
// name counts only where the server would make a hash.
func TestRegistrationIsLimited(t *testing.T) {
	s := newProxiedShop(t)
	s.user("taken")
	register := func(address string) answer {
		return s.send("POST", "/register/", "", `{"username":"taken","password":"x"}`, from(address))
	}
	for range 100 {
		if a := register("203.0.113.7"); a.status != 400 {
			t.Fatalf("got %d %s", a.status, a.body)
		}
	}
	a := register("203.0.113.7")
	a.want(t, 429, `{"detail":"Request was throttled. Expected available in 1 second."}`)
	if got := a.header.Get("Retry-After"); got != "1" {
		t.Errorf("got Retry-After %q, want 1", got)
	}
	register("203.0.113.8").want(t, 400, "")
	s.clock.advance(time.Second)
	register("203.0.113.7").want(t, 400, "")
}

// TestForwardedScheme wants links with the scheme that the trusted proxy sends.
func TestForwardedScheme(t *testing.T) {
	for _, c := range []struct {
		shop *shop
		want string
	}{{newProxiedShop(t), "https"}, {newShop(t), "http"}} {
		a := c.shop.send("GET", "/", "", nil, header{"X-Forwarded-Proto", "https"})
		if want := `{"vehicles":"` + c.want + `://`; !strings.HasPrefix(a.body, want) {
			t.Errorf("got %s, want %s", a.body, want)
		}
	}
}

// TestForwardedPrefix wants links below the prefix that the trusted proxy sends, if the
// prefix is valid.
func TestForwardedPrefix(t *testing.T) {
	trusting, other := newProxiedShop(t), newShop(t)
	for prefix, want := range map[string]string{
		"/rental":         "/rental",
		"/a/b-c.d_e~f/G7": "/a/b-c.d_e~f/G7",
		"":                "",
		"rental":          "",
		"/":               "",
		"/rental/":        "",
		"//evil.example":  "",
		"/a//b":           "",
		"/a b":            "",
		"/a?b=c":          "",
		"/a#b":            "",
		"/a\"b":           "",
		"/<script>":       "",
		"/%61":            "",
		"/a,/b":           "",
		"https://a.b":     "",
		"/rental\u0661":   "",
	} {
		links := func(s *shop, prefix string) string {
			return `{"vehicles":"` + s.url + prefix + `/vehicles/","bookings":"` + s.url + prefix + `/bookings/"}`
		}
		trusting.send("GET", "/", "", nil, header{"X-Forwarded-Prefix", prefix}).want(t, 200, links(trusting, want))
		other.send("GET", "/", "", nil, header{"X-Forwarded-Prefix", prefix}).want(t, 200, links(other, ""))
	}
}

// TestGuessingSpelledApart guesses at the password of one user, with different invisible
// characters in the name each time: all spellings share one limit.
func TestGuessingSpelledApart(t *testing.T) {
	s := newProxiedShop(t)
	s.user("shop")
	login := func(name string, n int) answer {
		return s.send("POST", "/login/", "", map[string]string{"username": name, "password": "guess"}, from(fmt.Sprint("198.51.100.", n)))
	}
	for n := range 30 {
		login("sh"+strings.Repeat("\u200b", n)+"op", n).want(t, 401, wrongLogin)
	}
	login("shop", 30).want(t, 429, "")
	login("sho\ufeffp", 31).want(t, 429, "")
}
