package body

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"onenow/db"
)

// Fields reads the fields of a body, with one method call for each, and collects the
// messages about fields at fault. A method returns nil for a field that is at fault, and
// for a field that is missing from a partial update.
type Fields struct {
	body    Body
	partial bool // a field may be missing
	Errs    FieldErrors
}

// Fields returns the fields of b. In a partial update a field may be missing.
func (b Body) Fields(partial bool) *Fields {
	return &Fields{body: b, partial: partial}
}

// Err returns FieldErrors with every field at fault, or nil.
func (f *Fields) Err() error { return f.Errs.Err() }

// value returns the value of a field, and whether it has one.
func (f *Fields) value(name string) (any, bool) {
	v, ok := f.body.value(name)
	switch {
	case !ok && !f.partial:
		f.Errs.Add(name, MsgRequired)
	case ok && v == nil:
		f.Errs.Add(name, msgNull)
	}
	return v, v != nil
}

// Text accepts a text of 1 to most characters, without the spaces around it.
func (f *Fields) Text(name string, most int) *string {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	s, ok := asText(v)
	if !ok {
		f.Errs.Add(name, msgNotString)
		return nil
	}
	s = strings.TrimSpace(s)
	long, nul := utf8.RuneCountInString(s) > most, strings.ContainsRune(s, 0)
	if s == "" {
		f.Errs.Add(name, msgBlank)
	}
	if long {
		f.Errs.Add(name, msgTooLong(most))
	}
	if nul {
		f.Errs.Add(name, msgNUL)
	}
	if s == "" || long || nul {
		return nil
	}
	return &s
}

// Password accepts a password and does not change it: any characters and any spaces. It
// may have up to most characters, or any number of them if most is 0.
func (f *Fields) Password(name string, most int) *string {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	s, ok := asText(v)
	switch {
	case !ok:
		f.Errs.Add(name, msgNotString)
	case s == "":
		f.Errs.Add(name, msgBlank)
	case most > 0 && utf8.RuneCountInString(s) > most:
		f.Errs.Add(name, msgTooLong(most))
	default:
		return &s
	}
	return nil
}

// Integer accepts a whole number from least to most.
func (f *Fields) Integer(name string, least, most int) *int {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	n, err := int64(0), errNotWhole
	switch v := v.(type) {
	case string:
		n, err = parseWhole(v)
	case json.Number:
		n, err = wholeNumber(v)
	}
	if message := outOfRange(n, err, least, most); message != "" {
		f.Errs.Add(name, message)
		return nil
	}
	i := int(n)
	return &i
}

// Date accepts a date written YYYY-MM-DD and nothing else.
func (f *Fields) Date(name string) *db.Date {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	s, _ := v.(string)
	d, err := db.ParseDate(s)
	if err != nil {
		f.Errs.Add(name, msgDate)
		return nil
	}
	return &d
}

// Reference accepts the id of another row. unknown returns the error for a number that
// is too large to be an id.
func (f *Fields) Reference(name string, unknown func(given string) *db.Error) *int64 {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	n, err, given := int64(0), errNotWhole, ""
	switch v := v.(type) {
	case string:
		if v == "" { // a form sends this if the user has chosen nothing
			f.Errs.Add(name, msgNull)
			return nil
		}
		n, err = parseWhole(v)
		given = strings.TrimSpace(v)
	case json.Number:
		n, err = wholeNumber(v)
		given = v.String()
	}
	switch {
	case err == errNotWhole:
		f.Errs.Add(name, fmt.Sprintf("Incorrect type. Expected pk value, received %s.", typeName(v)))
		return nil
	case err != nil:
		f.Errs.Add(name, unknown(given).Message)
		return nil
	}
	return &n
}

// Text returns a field unchanged, or "" if it is missing or null. ok is false if the
// field is not text.
func (b Body) Text(name string) (s string, ok bool) {
	v, _ := b.value(name)
	if v == nil {
		return "", true
	}
	return asText(v)
}

// asText returns v as text: a string, or a number as it was written.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, utf8.ValidString(v)
	case json.Number:
		return v.String(), true
	}
	return "", false
}
