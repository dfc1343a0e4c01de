// Package limit bounds how often a client may do something, and slows down
// guessing at passwords.
package limit

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// Limiter lets each key do something burst times at once, and then once per
// interval. It is the generic cell rate algorithm: for each key it keeps the
// time at which the key's whole burst is available again.
//
// It keeps at most maxKeys keys. When it is full, it drops a key that has used
// little of its burst, so that a flood of new keys does not free a key that has
// used all of it.
type Limiter struct {
	burst    int
	interval time.Duration
	now      func() time.Time

	mu     sync.Mutex
	fullAt map[Key]time.Time
}

// Key identifies a client, an account or both. It is a digest, so that a long
// name takes no more memory than a short one.
type Key [16]byte

const (
	maxKeys = 1 << 14

	// evictFrom is the number of keys that a full Limiter compares to find one to drop.
	evictFrom = 8
)

// NewLimiter returns a Limiter that gets the time from now.
func NewLimiter(burst int, interval time.Duration, now func() time.Time) *Limiter {
	return &Limiter{burst: burst, interval: interval, now: now, fullAt: map[Key]time.Time{}}
}

// KeyOf returns the key of parts, for example of an account and an address.
func KeyOf(parts ...string) Key {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return Key(sum[:16])
}

// Take counts one use by key. When key has used up its burst, Take counts
// nothing and returns a *TooManyError.
func (l *Limiter) Take(key Key) error {
	if wait := l.take(key); wait > 0 {
		return &TooManyError{wait}
	}
	return nil
}

// take counts one use by key and returns 0, or counts nothing and returns how
// long key has to wait.
func (l *Limiter) take(key Key) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	fullAt := l.fullAt[key]
	if fullAt.Before(now) {
		fullAt = now
	}
	if wait := fullAt.Add(l.interval).Sub(now.Add(time.Duration(l.burst) * l.interval)); wait > 0 {
		return wait
	}
	if _, ok := l.fullAt[key]; !ok && len(l.fullAt) >= maxKeys {
		l.evict(now)
	}
	l.fullAt[key] = fullAt.Add(l.interval)
	return 0
}

// undo takes back one use by key.
func (l *Limiter) undo(key Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fullAt, ok := l.fullAt[key]
	if !ok {
		return
	}
	if fullAt = fullAt.Add(-l.interval); fullAt.After(l.now()) {
		l.fullAt[key] = fullAt
	} else {
		delete(l.fullAt, key)
	}
}

// evict looks at a few keys. A map returns them in random order. evict drops the keys
// whose whole burst is available again, or if there is none, the key whose whole burst
// will be available first.
func (l *Limiter) evict(now time.Time) {
	var first Key
	var soonest time.Time
	looked := 0
	for key, fullAt := range l.fullAt {
		if fullAt.Before(now) {
			delete(l.fullAt, key)
		} else if soonest.IsZero() || fullAt.Before(soonest) {
			first, soonest = key, fullAt
		}
		if looked++; looked == evictFrom {
			break
		}
	}
	if len(l.fullAt) >= maxKeys {
		delete(l.fullAt, first)
	}
}

// TooManyError is the error for a client that has to wait.
type TooManyError struct{ Wait time.Duration }

func (e *TooManyError) Error() string { return fmt.Sprintf("too many requests: wait for %v", e.Wait) }
