//go:build !unix

package store

// logIndex is in revision_unix.go.
type logIndex struct{}

func openLogIndex(string) (*logIndex, error) { return nil, nil }

func (*logIndex) revision() Revision { return Revision{} }
func (*logIndex) progress() progress { return progress{} }
func (*logIndex) close() error       { return nil }
