package db

// Revision stands for what the file holds at one moment: two that are equal say,
// as surely as SQLite itself can tell, that nobody has written in between,
// neither we nor another process.
//
// It is the head of the index that SQLite keeps of its log, in memory that all
// who have the file open share. It changes with each commit, before the commit
// is over. SQLite compares it in the same way, at the begin of each read, to
// tell whether the pages it remembers are still good.
// https://sqlite.org/walformat.html#walidxfmt
type Revision [revisionSize / 8]uint64

// revisionSize is the length of the head in bytes: its number of the last
// change, the log's length, salts and checksums, among others.
const revisionSize = 48

// Revision returns what the file's revision is now. Who asks before they read,
// and is told the same again later, has read what is still there. It is false
// where the revision cannot be told. It costs next to nothing.
func (d *DB) Revision() (v Revision, ok bool) {
	if d.logIndex == nil {
		return v, false
	}
	return d.logIndex.revision(), true
}
