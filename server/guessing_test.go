package server_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"onenow/server"
)

// from is a client's address, as a trusted proxy tells it.
func from(address string) header { return header{"X-Forwarded-For", address} }

func newProxiedShop(t testing.TB) *shop {
	return newShopWith(t, server.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
}

// TestGuessing guesses at a password from many addresses. Its owner, who has
// signed in before, is not kept out, and others are told how long to wait.
func TestGuessing(t *testing.T) {
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
	login("pass123", "203.0.113.8").want(t, 429, "") // the right one, from somewhere new
	login("pass123", "203.0.113.7").want(t, 200, "")
	login("guess", "203.0.113.7").want(t, 401, wrongLogin)
	login("pass123", "203.0.113.7").want(t, 200, "")
	s.clock.advance(time.Minute)
	login("pass123", "203.0.113.8").want(t, 200, "")

	// Whether a name exists makes no difference.
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

	// Addresses of one /64 are one.
	for i := range 100 {
		s.send("POST", "/login/", "", fmt.Sprintf(`{"username":"name%d","password":"x"}`, i), from(fmt.Sprintf("2001:db8:1:2::%x", i))).want(t, 401, wrongLogin)
	}
	s.send("POST", "/login/", "", `{"username":"another","password":"x"}`, from("2001:db8:1:2:ffff::")).want(t, 429, "")
	s.send("POST", "/login/", "", `{"username":"another","password":"x"}`, from("2001:db8:1:3::")).want(t, 401, wrongLogin)

	// A stolen access token is no way around it.
	tk := s.login("shop", "pass123").Access
	last := 0
	for range 61 { // thirty of the account's, thirty of this address where it is known
		last = s.send("POST", "/password/change/", tk, `{"old_password":"x","new_password":"y"}`).status
	}
	if last != 429 {
		t.Errorf("got %d for a password guessed at with a token, want 429", last)
	}
}

// TestManySignIns signs in right many times at once, after as many failures as
// there may be but one: it never counts.
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

// TestRegistrationIsLimited registers until it is told to wait. Bad names cost
// a try only where they would cost a hash.
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

// TestForwardedScheme makes links by what the trusted proxy says.
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
