package limit

import (
	"context"
	"time"
)

// Guard slows down guessing at passwords. It limits failures by account and by
// the client's address; successes do not count.
//
// An attacker who guesses at one account from many addresses uses up the limit of that
// account. This would lock its owner out as well. So an address from which the user has
// signed in before has a limit of its own.
type Guard struct {
	locks     [64]chan struct{} // by account; each holds one element while it is locked
	byAccount *Limiter
	byAddress *Limiter
	known     *Limiter // by account and address
}

// accountTries and addressTries are the numbers of failures that an account and an
// address may have at once. They are large enough for people who mistype and for an
// office that shares one address. A list of common passwords is longer than both.
const (
	accountTries = 30
	addressTries = 100
)

// NewGuard returns a Guard that gets the time from now.
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

// Lock makes a try at an account wait until the try before it has ended. So several
// tries that succeed are never counted together, and no try reads the account while
// another one changes it. If ctx ends first, Lock returns its error. Several accounts
// may share a lock.
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

// Try counts a try at the account from the address; success takes it back. If there
// have been too many tries, Try returns a *TooManyError. isKnown reports whether the user
// has signed in from the address before; Try calls it only if the account has used up its
// limit.
func (g *Guard) Try(account, address string, isKnown func() (bool, error)) (success func(), err error) {
	from := KeyOf(address)
	if err := g.byAddress.Take(from); err != nil {
		return nil, err
	}
	limiter, key := g.byAccount, KeyOf(account)
	err = limiter.Take(key)
	if err != nil {
		known, lookupErr := isKnown()
		if lookupErr != nil {
			g.byAddress.undo(from)
			return nil, lookupErr
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
