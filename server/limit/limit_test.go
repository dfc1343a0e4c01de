package limit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a clock that stands still unless a test moves it on.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()) }
func (c *clock) move(d time.Duration) { c.at.Add(int64(d)) }

func TestLimiter(t *testing.T) {
	var clock clock
	clock.move(time.Hour)
	l := NewLimiter(3, 10*time.Second, clock.now)
	key, other := KeyOf("a"), KeyOf("b")
	take := func(k Key, want time.Duration) {
		t.Helper()
		if got := l.take(k); got != want {
			t.Errorf("got %v to wait, want %v", got, want)
		}
	}
	for range 3 {
		take(key, 0)
	}
	take(key, 10*time.Second)
	take(key, 10*time.Second) // a refused try does not count
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
		l.undo(key) // more often than it was taken
	}
	for range 3 {
		take(key, 0)
	}
	take(key, 10*time.Second)
	l.undo(KeyOf("never seen"))
}

// TestLimiterHoldsAcrossGoroutines lets many goroutines take at once: the limiter allows
// the burst and no more.
func TestLimiterHoldsAcrossGoroutines(t *testing.T) {
	var clock clock
	l := NewLimiter(50, time.Second, clock.now)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				if l.take(KeyOf("a")) == 0 {
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

// TestLimiterIsBounded lets a million keys take once each. The limiter keeps a key that
// has used up its burst.
func TestLimiterIsBounded(t *testing.T) {
	var clock clock
	l := NewLimiter(10, 6*time.Second, clock.now)
	guesser := KeyOf("guesser")
	for range 10 {
		l.take(guesser)
	}
	for i := range 1_000_000 {
		l.take(KeyOf(fmt.Sprint(i)))
	}
	if len(l.fullAt) > maxKeys {
		t.Errorf("%d keys are kept, want %d at most", len(l.fullAt), maxKeys)
	}
	if l.take(guesser) == 0 {
		t.Error("the limiter has dropped the guesser")
	}
}

// TestGuard lets many clients guess at an account while its owner signs in.
func TestGuard(t *testing.T) {
	var clock clock
	g := NewGuard(clock.now)
	known := func(yes bool) func() (bool, error) { return func() (bool, error) { return yes, nil } }
	waits := func(err error) int {
		var e *TooManyError
		if errors.As(err, &e) {
			return int(e.Wait.Seconds())
		}
		return 0
	}
	// From one address: so many tries at an account, then one every 6 seconds.
	for i := range accountTries {
		if _, err := g.Try("shop", "192.0.2.1", known(false)); err != nil {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	if _, err := g.Try("shop", "192.0.2.1", known(false)); waits(err) != 6 {
		t.Errorf("got %v, want to wait 6 seconds", err)
	}
	// A botnet goes on for ten minutes.
	for range 600 {
		clock.move(time.Second)
		for range 5 {
			_, _ = g.Try("shop", fmt.Sprint("198.51.100.", rand.IntN(256)), known(false))
		}
	}
	if _, err := g.Try("shop", "203.0.113.9", known(false)); waits(err) == 0 {
		t.Error("the account is not protected")
	}
	// The owner, at an address from which they have signed in before, mistypes a few
	// times.
	for i := range accountTries {
		success, err := g.Try("shop", "203.0.113.7", known(true))
		if err != nil {
			t.Fatalf("try %d of the owner: %v", i, err)
		}
		if i%2 == 0 {
			success()
		}
	}
	if _, err := g.Try("another", "198.51.100.1", known(false)); err != nil {
		t.Errorf("another account: %v", err)
	}
	// A success never counts, and neither does a look-up that fails.
	for i := range 1000 {
		success, err := g.Try("happy", "203.0.113.8", known(true))
		if err != nil {
			t.Fatalf("success %d: %v", i, err)
		}
		success()
	}
	fault := errors.New("fault")
	for range 100 {
		if _, err := g.Try("shop", "203.0.113.10", func() (bool, error) { return false, fault }); !errors.Is(err, fault) {
			t.Errorf("got %v, want %v", err, fault)
		}
	}
	// One address that tries many accounts: so many, then one every 2 seconds.
	for i := range addressTries {
		if _, err := g.Try(fmt.Sprint("account", i), "192.0.2.2", known(false)); err != nil {
			t.Fatalf("account %d: %v", i, err)
		}
	}
	if _, err := g.Try("another account", "192.0.2.2", known(false)); waits(err) != 2 {
		t.Errorf("got %v, want to wait 2 seconds", err)
	}
}
