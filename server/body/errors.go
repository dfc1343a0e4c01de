package body

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
)

// FieldErrors is an error in the fields of a request, and the body of its 400. It has
// the name of each field at fault, with the messages about that field.
type FieldErrors []fieldError

type fieldError struct {
	name     string
	messages []string
}

// Add adds a message about a field. An empty name stands for several fields together.
func (f *FieldErrors) Add(name, message string) {
	if name == "" {
		name = "non_field_errors"
	}
	for i := range *f {
		if e := &(*f)[i]; e.name == name {
			e.messages = append(e.messages, message)
			return
		}
	}
	*f = append(*f, fieldError{name, []string{message}})
}

// AddFirst adds a message about a field that has none yet, before those of all others.
func (f *FieldErrors) AddFirst(name, message string) {
	*f = append(FieldErrors{{name, []string{message}}}, *f...)
}

// MarshalJSON writes an object with the fields in the order in which they were added. A
// map would lose that order.
func (f FieldErrors) MarshalJSON() ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i, e := range f {
		name, err := json.Marshal(e.name)
		if err != nil {
			return nil, err
		}
		messages, err := json.Marshal(e.messages)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			buf.WriteByte(',')
		}
		buf.Write(name)
		buf.WriteByte(':')
		buf.Write(messages)
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}

func (f FieldErrors) Error() string {
	text, err := f.MarshalJSON()
	return cmp.Or(string(text), fmt.Sprint(err))
}

// Err returns f as an error, or nil when no field is at fault.
func (f FieldErrors) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// FieldError returns FieldErrors for one field. An empty name stands for several
// fields together.
func FieldError(name, message string) error {
	var f FieldErrors
	f.Add(name, message)
	return f
}

// The messages about fields, in the words of Django REST framework.
const (
	MsgRequired  = "This field is required."
	msgNull      = "This field may not be null."
	msgBlank     = "This field may not be blank."
	msgNotString = "Not a valid string."
	msgNUL       = "Null characters are not allowed."
	msgInteger   = "A valid integer is required."
	msgDate      = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."
)

func msgTooLong(most int) string {
	return fmt.Sprintf("Ensure this field has no more than %d characters.", most)
}
