//go:build !linux

package store

import (
	"errors"
	"os"
)

// lease does nothing: only Linux has leases; see lease_linux.go.
type lease struct {
	wanted chan os.Signal
}

func newLease(*os.File, string) (*lease, error) {
	return &lease{}, errors.New("this operating system has no file leases")
}

type leaseState int

const (
	leaseHeld leaseState = iota
	leaseWanted
	leaseLost
)

func (l *lease) checkShared() error     { return nil }
func (l *lease) watchClosed(func())     {}
func (l *lease) acquire() bool          { return false }
func (l *lease) release()               {}
func (l *lease) state() leaseState      { return leaseLost }
func (l *lease) reserve(int64) error    { return nil }
func (l *lease) waitForTick()           {}
func (l *lease) otherConnections() bool { return false }
func (l *lease) close()                 {}
