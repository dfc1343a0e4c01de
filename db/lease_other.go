//go:build !linux

package db

import (
	"errors"
	"os"
)

// lease is what only Linux has; see lease_linux.go.
type lease struct {
	wanted chan os.Signal
	closed chan struct{}
}

func newLease(*os.File, string) (*lease, error) {
	return &lease{}, errors.New("this operating system has no leases")
}

func (l *lease) take() bool  { return false }
func (l *lease) held() bool  { return false }
func (l *lease) give()       {}
func (l *lease) close()      {}
func (l *lease) peers() bool { return false }
