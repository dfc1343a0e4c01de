//go:build !unix

package db

// index is what revision_unix.go has.
type index struct{}

func openIndex(string) (*index, error) { return nil, nil }

func (*index) revision() Revision { return Revision{} }
func (*index) close() error       { return nil }
