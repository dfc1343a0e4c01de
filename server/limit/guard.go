package limit

import (
	"context"
	"time"
)

// Guard slows down guessing at passwords. It limits failures by account and by
// the client's address; successes do not count.
//
// Somebody who guesses at one account from many addresses uses up the limit of
// that account, which would lock its owner out as well. So an address from which
// the user has signed in before has a limit of its own.
type Guard struct {
	locks     [64]chan struct{} // by account; each holds one element while it is locked
	byAccount *Limiter
	byAddress *Limiter
	known     *Limiter
}

// accountTries and addressTries are how many failures there may be at once. People
// mistype, and an office may share one address; a list of common passwords is longer
// than both.
const (
	accountTries = 30
	addressTries = 100
)

// NewGuard returns a Guard that reads the time from now.
func NewGuard(now func() time.Time) *Guard {
	g := &Guard{
		byAccount: NewLimiter(accountTries, 6*time.Second, now),
		byAddress: NewLimiter(addressTries, 2*time.Second, now),
		known:     NewLimiter(accountTries, 6*time.Second, now),
	}
	for i := range g.locks {
		g.locks[i] = make(chan struct{}, 1)
	}
	return g
}

// Lock makes one try at an account wait for the try before it, so that several
// tries that succeed are never counted together, and none reads the account while
// another one changes it. It returns ctx's error if ctx ends first. Accounts may
// share a lock.
func (g *Guard) Lock(ctx context.Context, account string) (unlock func(), err error) {
	key := KeyOf(account)
	lock := g.locks[int(key[0])%len(g.locks)]
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Try counts a try at the account from the address; success takes it back. When
// there have been too many tries, Try returns a *TooManyError. isKnown says
// whether the user has signed in from the address before; Try calls it only when
// that matters.
func (g *Guard) Try(account, address string, isKnown func() (bool, error)) (success func(), err error) {
	from := KeyOf(address)
	if err := g.byAddress.Take(from); err != nil {
		return nil, err
	}
	limiter, key := g.byAccount, KeyOf(account)
	err = limiter.Take(key)
	if err != nil {
		known, lookup := isKnown()
		if lookup != nil {
			g.byAddress.undo(from)
			return nil, lookup
		}
		if known {
			limiter, key = g.known, KeyOf(account, address)
			err = limiter.Take(key)
		}
	}
	if err != nil {
		g.byAddress.undo(from) // the password was not tried
		return nil, err
	}
	return func() {
		g.byAddress.undo(from)
		limiter.undo(key)
	}, nil
}
