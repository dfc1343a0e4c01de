//go:build !unix

package store

// logIndex is in revision_unix.go.
type logIndex struct{}

func openLogIndex(string) (*logIndex, error) { return nil, nil }

func (*logIndex) revision() Revision           { return Revision{} }
func (*logIndex) progress() (progress, uint32) { return progress{}, 0 }
func (*logIndex) close() error                 { return nil }
