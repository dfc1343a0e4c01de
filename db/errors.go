package db

import (
	"errors"
	"fmt"

	"onenow/db/store"
)

// The kinds of error, for errors.Is.
var (
	ErrNotFound    = errors.New("not found")
	ErrInvalid     = errors.New("invalid")
	ErrForbidden   = errors.New("forbidden")
	ErrConflict    = errors.New("conflict")
	ErrUnavailable = store.ErrUnavailable // the kind of an *Unavailable

	// ErrGone means that the user of the Principal has been deleted.
	ErrGone = errors.New("principal gone")
)

// Error is an error with a message for the user.
type Error struct {
	Kind    error  // one of the kinds above; Unwrap returns it
	Message string // a sentence for the user
	Field   string // the name in the API of the field with the error; empty if it is not about one field
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Unavailable is the error for a file that could not be read or written.
type Unavailable = store.Unavailable

func errGone() error { return &Error{Kind: ErrGone, Message: "User not found"} }

func notFound(noun string) error {
	return &Error{Kind: ErrNotFound, Message: fmt.Sprintf("No %s matches the given query.", noun)}
}
