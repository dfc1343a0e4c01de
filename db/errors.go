package db

import (
	"errors"
	"fmt"

	"onenow/db/store"
)

// The kinds of refusal, for errors.Is.
var (
	ErrNotFound    = errors.New("not found")
	ErrInvalid     = errors.New("invalid")
	ErrForbidden   = errors.New("forbidden")
	ErrConflict    = errors.New("conflict")
	ErrUnavailable = store.ErrUnavailable // an *Unavailable

	// ErrGone says that the principal has been deleted.
	ErrGone = errors.New("principal gone")
)

// Error is a refusal in words written for users.
type Error struct {
	Kind    error  // one of those above, which errors.Is finds
	Message string // a sentence for the user
	Field   string // the field at fault, by its name in the API; empty when it is no single one
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Unavailable says why the file could not be read or written.
type Unavailable = store.Unavailable

func gone() error { return &Error{Kind: ErrGone, Message: "User not found"} }

func notFound(noun string) error {
	return &Error{Kind: ErrNotFound, Message: fmt.Sprintf("No %s matches the given query.", noun)}
}
