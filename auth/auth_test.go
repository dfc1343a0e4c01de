package auth_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"onenow/auth"
)

func TestPasswords(t *testing.T) {
	for _, password := range []string{"pass123", " ", "پاس ورڈ", strings.Repeat("x", 1024), "a\x00b"} {
		hash := auth.Hash(password)
		if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || auth.Outdated(hash) {
			t.Errorf("got hash %s, want OWASP's parameters", hash)
		}
		if auth.Hash(password) == hash {
			t.Errorf("got the same hash twice")
		}
		for try, want := range map[string]bool{password: true, password + " ": false, "": false} {
			if got, err := auth.Verify(hash, try); got != want || err != nil {
				t.Errorf("%q for %q: got %v, %v, want %v", try, password, got, err, want)
			}
		}
	}
}

// TestKnownHash verifies a test vector of the reference implementation of argon2id:
// version 19 with t=2, m=65536, p=1.
func TestKnownHash(t *testing.T) {
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, err := auth.Verify(hash, "password"); !ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
	if !auth.Outdated(hash) {
		t.Error("a hash with other parameters is not outdated")
	}
}

func TestUnreadableHashes(t *testing.T) {
	for _, hash := range []string{
		"x", "$argon2id$v=19$m=19456,t=0,p=1$c29tZXNhbHQ$CTFh", "$argon2id$v=19$m=19456,t=2,p=0$c29tZXNhbHQ$CTFh",
		"$argon2id$v=18$m=19456,t=2,p=1$c29tZXNhbHQ$CTFh", "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFh",
		"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$", "$argon2id$v=19$m=19456,t=2,p=1$!$CTFh",
	} {
		if ok, err := auth.Verify(hash, "pass123"); ok || !errors.Is(err, auth.ErrHash) {
			t.Errorf("%s: got %v, %v, want %v", hash, ok, err, auth.ErrHash)
		}
	}
	// An empty hash stands for a user who does not exist. It matches no password.
	if ok, err := auth.Verify("", ""); ok || err != nil {
		t.Errorf("got %v, %v for a user who does not exist", ok, err)
	}
}

// TestTurns takes all turns, and then waits for another turn with a context that is
// cancelled.
func TestTurns(t *testing.T) {
	turns := auth.NewTurns()
	var done func()
	for range runtime.GOMAXPROCS(0) {
		var err error
		if done, err = turns.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := turns.Take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	done()
	if _, err := turns.Take(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTokens(t *testing.T) {
	now := time.Date(2025, 7, 20, 12, 0, 0, 999, time.UTC)
	tokens := auth.NewTokens([]byte(strings.Repeat("k", 32)), func() time.Time { return now })
	c := tokens.New(auth.Refresh, 7)
	c.SignInID = 3
	token, err := tokens.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tokens.Parse(token, auth.Refresh); err != nil || got.ID != c.ID || got.UserID != 7 || got.SignInID != 3 || !got.ExpiresAt.Equal(c.ExpiresAt) {
		t.Errorf("got %v, %v, want %v", got, err, c)
	}
	if _, err := tokens.Parse(token, auth.Access); !errors.Is(err, auth.ErrWrongType) {
		t.Errorf("got %v, want %v", err, auth.ErrWrongType)
	}
	now = now.Add(auth.RefreshLifetime)
	if got, err := tokens.Parse(token, auth.Refresh); !errors.Is(err, auth.ErrExpired) || got.ID != c.ID {
		t.Errorf("got %v, %v, want %v and the claims", got, err, auth.ErrExpired)
	}
}
