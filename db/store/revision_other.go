//go:build !unix

package store

// walIndex has no function here; see revision_unix.go.
type walIndex struct{}

func openWALIndex(string) (*walIndex, error) { return nil, nil }

func (*walIndex) revision() Revision           { return Revision{} }
func (*walIndex) progress() checkpointProgress { return checkpointProgress{} }
func (*walIndex) close() error                 { return nil }
