package store

import (
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrUnavailable is the kind of every *Unavailable, for errors.Is.
var ErrUnavailable = errors.New("unavailable")

// The codes of an Unavailable.
const (
	codeFull        = "storage_full"
	codeBusy        = "storage_busy"
	codeUnavailable = "storage_unavailable"
)

// Unavailable is the error for a file that could not be read or written because of
// the disk, another process, or damage. Its message is written for users.
type Unavailable struct {
	Code    string // storage_full, storage_busy or storage_unavailable
	Message string // a sentence
	Cause   error  // for the log; may be nil

	damage bool // whether SQLite reports a damaged file
}

func (e *Unavailable) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return fmt.Sprintf("%s (%v)", e.Message, e.Cause)
}

// Unwrap returns ErrUnavailable and the cause.
func (e *Unavailable) Unwrap() []error { return []error{ErrUnavailable, e.Cause} }

const diskFull = "The disk is full: nothing was saved. Free some space, then try again."

// unavailable returns an *Unavailable for an error of SQLite or of the system about
// the disk, another process, or damage. It returns every other error as it is.
func unavailable(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	e := &Unavailable{Cause: err}
	if errors.Is(err, syscall.ENOSPC) { // from a system call outside SQLite
		e.Code, e.Message = codeFull, diskFull
		return e
	}
	switch code(err) & 0xff { // the primary code; the other bits are details
	case sqlite3.SQLITE_FULL:
		e.Code, e.Message = codeFull, diskFull
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		e.Code, e.Message = codeBusy, "Another program is using the database file: nothing was saved. Try again."
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		e.Code, e.Message = codeUnavailable, "The database file cannot be read or written: nothing was saved."
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		e.Code, e.damage = codeUnavailable, true
		e.Message = "The database file is damaged: nothing was saved. Run onenow check, and put a backup in its place."
	default:
		return err
	}
	return e
}

// IsConstraint reports whether a constraint or a trigger of the schema has refused a
// change.
func IsConstraint(err error) bool { return code(err)&0xff == sqlite3.SQLITE_CONSTRAINT }

// IsTrigger reports whether a trigger of the schema has refused a change.
func IsTrigger(err error) bool { return code(err) == sqlite3.SQLITE_CONSTRAINT_TRIGGER }

// IsDamage reports whether err is SQLite's error for a damaged file, or for a file
// that is not a database.
func IsDamage(err error) bool {
	c := code(err) & 0xff
	return c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB
}

// code returns SQLite's extended result code for err, or 0 if it has none.
// https://sqlite.org/rescode.html
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}
