package server

import (
	"crypto/sha256"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"
)

// limiter lets a key do something burst times at once, and then once every so
// often. It is the generic cell rate algorithm: of each key it keeps the time
// at which its burst is whole again.
//
// It keeps no more than maxKeys. Beyond that a key is forgotten that has done
// little, so that a flood of new keys does not set free one that has done much.
type limiter struct {
	burst int
	every time.Duration
	now   func() time.Time

	mu    sync.Mutex
	whole map[limitKey]time.Time
}

// limitKey is a digest, so that a long key costs no more than a short one.
type limitKey [16]byte

const (
	maxKeys = 1 << 14

	// How many keys to look at for the one to forget.
	evictFrom = 8
)

func newLimiter(burst int, every time.Duration, now func() time.Time) *limiter {
	return &limiter{burst: burst, every: every, now: now, whole: map[limitKey]time.Time{}}
}

func keyOf(parts ...string) limitKey {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return limitKey(sum[:16])
}

// take counts one try of key and returns 0, or counts none and returns how
// long it has to wait.
func (l *limiter) take(key limitKey) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	whole := l.whole[key]
	if whole.Before(now) {
		whole = now
	}
	if wait := whole.Add(l.every).Sub(now.Add(time.Duration(l.burst) * l.every)); wait > 0 {
		return wait
	}
	if _, ok := l.whole[key]; !ok && len(l.whole) >= maxKeys {
		l.forget(now)
	}
	l.whole[key] = whole.Add(l.every)
	return 0
}

// undo takes back one take of key.
func (l *limiter) undo(key limitKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	whole, ok := l.whole[key]
	if !ok {
		return
	}
	if whole = whole.Add(-l.every); whole.After(l.now()) {
		l.whole[key] = whole
	} else {
		delete(l.whole, key)
	}
}

// forget drops of a few keys, which a map gives in random order, those that
// are whole again, or else the one that will be first.
func (l *limiter) forget(now time.Time) {
	var first limitKey
	var soonest time.Time
	looked := 0
	for key, whole := range l.whole {
		if whole.Before(now) {
			delete(l.whole, key)
		} else if soonest.IsZero() || whole.Before(soonest) {
			first, soonest = key, whole
		}
		if looked++; looked == evictFrom {
			break
		}
	}
	if len(l.whole) >= maxKeys {
		delete(l.whole, first)
	}
}

// throttled is the answer to who has to wait.
func throttled(wait time.Duration) *apiError {
	seconds := int(math.Ceil(wait.Seconds()))
	plural := "s"
	if seconds == 1 {
		plural = ""
	}
	e := detail(http.StatusTooManyRequests, "Request was throttled. Expected available in %d second%s.", seconds, plural)
	e.retryAfter = seconds
	return e
}

// guard slows down guessing at passwords: by account and by the client's
// address, and counts failures only.
//
// Whoever guesses at an account from many addresses uses up its limit, which
// would keep its owner out as well. So from an address that the user has signed
// in from before, the limit is one of its own.
type guard struct {
	turns     [64]sync.Mutex // by account; see lock
	byAccount *limiter
	byAddress *limiter
	known     *limiter
}

// How many failures there may be at once. People mistype, and behind one address
// may be an office; a list of common passwords is longer than both.
const (
	accountTries = 30
	addressTries = 100
)

func newGuard(now func() time.Time) *guard {
	return &guard{
		byAccount: newLimiter(accountTries, 6*time.Second, now),
		byAddress: newLimiter(addressTries, 2*time.Second, now),
		known:     newLimiter(accountTries, 6*time.Second, now),
	}
}

// lock has one try at an account wait for the one before it, so that tries that
// succeed are never counted together. Accounts may share a lock.
func (g *guard) lock(account string) (unlock func()) {
	key := keyOf(account)
	m := &g.turns[int(key[0])%len(g.turns)]
	m.Lock()
	return m.Unlock
}

// try counts a try at the account from the address, until success takes it
// back, or returns the answer that has to wait. isKnown says whether the user
// has signed in from there before; it is asked only if it matters.
func (g *guard) try(account, address string, isKnown func() (bool, error)) (success func(), err error) {
	from := keyOf(address)
	if wait := g.byAddress.take(from); wait > 0 {
		return nil, throttled(wait)
	}
	limit, key := g.byAccount, keyOf(account)
	wait := limit.take(key)
	if wait > 0 {
		known, err := isKnown()
		if err != nil {
			g.byAddress.undo(from)
			return nil, err
		}
		if known {
			limit, key = g.known, keyOf(account, address)
			wait = limit.take(key)
		}
	}
	if wait > 0 {
		g.byAddress.undo(from) // it was not tried
		return nil, throttled(wait)
	}
	return func() {
		g.byAddress.undo(from)
		limit.undo(key)
	}, nil
}
