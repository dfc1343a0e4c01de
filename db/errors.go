package db

import (
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// The kinds of refusal, for errors.Is.
var (
	ErrNotFound    = errors.New("not found")
	ErrInvalid     = errors.New("invalid")
	ErrForbidden   = errors.New("forbidden")
	ErrConflict    = errors.New("conflict")
	ErrUnavailable = errors.New("unavailable")

	// ErrGone says that the principal has been deleted.
	ErrGone = errors.New("principal gone")
)

// Error is a refusal in words written for users.
type Error struct {
	Kind    error  // one of those above, which errors.Is finds
	Message string // a sentence for the user
	Field   string // the field at fault, by its name in the API; empty when it is no single one
	Code    string // of ErrUnavailable: storage_full, storage_busy or storage_unavailable

	Cause error // what lies behind it, for the log; nil when nothing does
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return fmt.Sprintf("%s (%v)", e.Message, e.Cause)
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Cause} }

func gone() error { return &Error{Kind: ErrGone, Message: "User not found"} }

func notFound(noun string) error {
	return &Error{Kind: ErrNotFound, Message: fmt.Sprintf("No %s matches the given query.", noun)}
}

const diskFull = "The disk is full: nothing was saved. Free some space, then try again."

// unavailable turns what SQLite reports of the disk and of other processes
// into an Error that says so, and leaves every other error as it is.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Kind: ErrUnavailable, Cause: err}
	if errors.Is(err, syscall.ENOSPC) { // from outside SQLite
		e.Code, e.Message = "storage_full", diskFull
		return e
	}
	switch code(err) & 0xff { // the primary code; the other bits are details
	case sqlite3.SQLITE_FULL:
		e.Code, e.Message = "storage_full", diskFull
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		e.Code, e.Message = "storage_busy", "Another program is using the database file: nothing was saved. Try again."
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		e.Code, e.Message = "storage_unavailable", "The database file cannot be read or written: nothing was saved."
	default:
		return err
	}
	return e
}

// code returns SQLite's extended result code for err, 0 when it has none.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

func isUniqueViolation(err error) bool {
	return code(err) == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}
