package store

// Revision identifies a committed state of the file. If two revisions are equal, no
// process has written between them.
//
// A revision is the header of the WAL index, which SQLite keeps in memory shared by all
// processes that have the file open. Each commit changes the header before the commit
// returns. SQLite compares the header in the same way when a read begins, to see
// whether its cached pages are current.
// https://sqlite.org/walformat.html#walidxfmt
type Revision [revisionSize / 8]uint64

const (
	// revisionSize is the length of the header in bytes. The header has the number of
	// the last change, and the length, salts and checksums of the WAL, among others.
	revisionSize = 48

	// progressEnd is the offset in the WAL index at which the information about
	// checkpoints ends.
	progressEnd = 136
)

// Revision returns the file's current revision. A caller that gets the revision before
// it reads may reuse the result for as long as the revision stays the same. ok is false
// if the revision is not known. The call takes nanoseconds.
func (s *Store) Revision() (v Revision, ok bool) {
	if s.walIndex == nil || s.contents.replaced.Load() != nil {
		return v, false
	}
	return s.walIndex.revision(), true
}

// checkpointProgress is the progress of the checkpoints of all processes.
type checkpointProgress struct {
	number    uint32 // of the WAL: the first of its salts, which a restart of the WAL increases by 1
	random    uint32 // the second of its salts, which a restart of the WAL replaces
	moved     uint32 // pages of the WAL that are in the file
	attempted uint32 // pages of the WAL that a checkpoint may have started to copy
}

// running reports whether a checkpoint is running or was interrupted.
func (p checkpointProgress) running() bool { return p.attempted > p.moved }
