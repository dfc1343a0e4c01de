package store

// Revision stands for the committed state of the file: two equal revisions say,
// as surely as SQLite itself can tell, that no process has written in between.
//
// It is the head of the index that SQLite keeps of its log, in memory that all
// processes share that have the file open. It changes with each commit, before
// the commit is over. SQLite compares it in the same way when a read begins, to
// tell whether its cached pages are still good.
// https://sqlite.org/walformat.html#walidxfmt
type Revision [revisionSize / 8]uint64

const (
	// revisionSize is the length of the head in bytes: the number of the last
	// change, the log's length, salts and checksums, among others.
	revisionSize = 48

	// progressEnd is where the index's part about checkpoints ends.
	progressEnd = 136
)

// Revision returns the file's revision now. A caller that asks before it reads,
// and is told the same revision later, has read what is still there. ok is false
// if the revision is not known. The call takes nanoseconds.
func (s *Store) Revision() (v Revision, ok bool) {
	if s.logIndex == nil || s.contents.lost.Load() != nil {
		return v, false
	}
	return s.logIndex.revision(), true
}

// progress tells how far checkpoints have come, by whatever process.
type progress struct {
	number uint32 // of the log: the first of its salts, one more each time that the log is begun anew
	random uint32 // the second of its salts
	moved  uint32 // pages that are in the file
	trying uint32 // pages that a checkpoint may have begun to move
}

// running reports whether a checkpoint is under way, or was cut off.
func (p progress) running() bool { return p.trying > p.moved }
