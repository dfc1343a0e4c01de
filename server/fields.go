package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"onenow/db"
)

// fieldErrors is the body of a 400: for each failing field, by its name, what
// is wrong with it.
type fieldErrors []fieldError

type fieldError struct {
	name     string
	messages []string
}

// add notes what is wrong with a field. An empty name is for fields together.
func (f *fieldErrors) add(name, message string) {
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

// MarshalJSON writes an object with the fields in the order they failed in,
// which a map would not keep.
func (f fieldErrors) MarshalJSON() ([]byte, error) {
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

func (f fieldErrors) answer() *apiError {
	return &apiError{status: http.StatusBadRequest, body: f}
}

func nonFieldError(message string) *apiError {
	var f fieldErrors
	f.add("", message)
	return f.answer()
}

// The texts of what can be wrong with a field, as Django REST framework words
// them.
const (
	msgRequired  = "This field is required."
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

// fields takes the fields out of a request's body, one call for each, and
// collects what is wrong with them. A method returns nil for a field that is
// at fault, and for one that is missing from a partial update.
type fields struct {
	body    body
	partial bool // missing fields are left as they are
	errs    fieldErrors
}

func newFields(b body, partial bool) *fields {
	return &fields{body: b, partial: partial}
}

// err returns the 400 with every failing field, or nil.
func (f *fields) err() error {
	if len(f.errs) == 0 {
		return nil
	}
	return f.errs.answer()
}

// value returns what the body gives for a field, if that is anything.
func (f *fields) value(name string) (any, bool) {
	v, ok := f.body[name]
	switch {
	case !ok && !f.partial:
		f.errs.add(name, msgRequired)
	case ok && v == nil:
		f.errs.add(name, msgNull)
	}
	return v, v != nil
}

// text takes a text of 1 to most characters, trimmed.
func (f *fields) text(name string, most int) *string {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	s, ok := asText(v)
	if !ok {
		f.errs.add(name, msgNotString)
		return nil
	}
	s = strings.TrimSpace(s)
	long, nul := utf8.RuneCountInString(s) > most, strings.ContainsRune(s, 0)
	if s == "" {
		f.errs.add(name, msgBlank)
	}
	if long {
		f.errs.add(name, msgTooLong(most))
	}
	if nul {
		f.errs.add(name, msgNUL)
	}
	if s == "" || long || nul {
		return nil
	}
	return &s
}

// password takes a password as it stands: any characters, any spaces. most is
// 0 where a longer one is merely wrong.
func (f *fields) password(name string, most int) *string {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	s, ok := asText(v)
	switch {
	case !ok:
		f.errs.add(name, msgNotString)
	case s == "":
		f.errs.add(name, msgBlank)
	case most > 0 && utf8.RuneCountInString(s) > most:
		f.errs.add(name, msgTooLong(most))
	default:
		return &s
	}
	return nil
}

// integer takes a whole number from least to most.
func (f *fields) integer(name string, least, most int) *int {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	var n *big.Int
	switch v := v.(type) {
	case string:
		n = parseWhole(v)
	case json.Number:
		n = wholeNumber(v)
	}
	i, message := inRange(n, least, most)
	if message != "" {
		f.errs.add(name, message)
		return nil
	}
	return &i
}

// inRange returns n if it is a number from least to most, or says what is wrong.
func inRange(n *big.Int, least, most int) (int, string) {
	switch {
	case n == nil:
		return 0, msgInteger
	case n.Cmp(big.NewInt(int64(least))) < 0:
		return 0, fmt.Sprintf("Ensure this value is greater than or equal to %d.", least)
	case n.Cmp(big.NewInt(int64(most))) > 0:
		return 0, fmt.Sprintf("Ensure this value is less than or equal to %d.", most)
	}
	return int(n.Int64()), ""
}

// date takes a date written YYYY-MM-DD and nothing else.
func (f *fields) date(name string) *db.Date {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	s, _ := v.(string)
	d, err := db.ParseDate(s)
	if err != nil {
		f.errs.add(name, msgDate)
		return nil
	}
	return &d
}

// vehicle takes the id of a vehicle. One that no vehicle can have is an
// unknown vehicle.
func (f *fields) vehicle(name string) *db.VehicleID {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	var n *big.Int
	given := ""
	switch v := v.(type) {
	case string:
		if v == "" { // what a form sends for no choice
			f.errs.add(name, msgNull)
			return nil
		}
		n, given = parseWhole(v), strings.TrimSpace(v)
	case json.Number:
		n, given = wholeNumber(v), v.String()
	}
	switch {
	case n == nil:
		f.errs.add(name, fmt.Sprintf("Incorrect type. Expected pk value, received %s.", typeName(v)))
		return nil
	case !n.IsInt64():
		f.errs.add(name, db.UnknownVehicle(given).Message)
		return nil
	}
	id := db.VehicleID(n.Int64())
	return &id
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

var whole = regexp.MustCompile(`^([+-]?[0-9]{1,100})(\.0*)?$`)

// parseWhole returns the whole number that s writes, as in 2020 or "2020.0";
// nil if it writes none.
func parseWhole(s string) *big.Int {
	m := whole.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return nil
	}
	n, _ := new(big.Int).SetString(m[1], 10)
	return n
}

// wholeNumber returns n if it is a whole number, as 2020, 2020.0 and 2.02e3
// are; nil otherwise.
func wholeNumber(n json.Number) *big.Int {
	if i := parseWhole(n.String()); i != nil {
		return i
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil {
		return nil
	}
	i, accuracy := big.NewFloat(f).Int(nil)
	if accuracy != big.Exact {
		return nil
	}
	return i
}
