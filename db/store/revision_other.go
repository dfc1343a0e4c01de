//go:build !unix

package store

// walIndex has no function here; see revision_unix.go.
type walIndex struct{}

func openWALIndex(string) (*walIndex, error) { return nil, nil }

func (*walIndex) revision() Revision                     { return Revision{} }
func (*walIndex) progress() (checkpointProgress, uint32) { return checkpointProgress{}, 0 }
func (*walIndex) close() error                           { return nil }
