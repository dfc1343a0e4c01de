// Package body reads the contents of requests: JSON, forms and multipart bodies, the
// fields in them, query parameters and the headers that state a preference. It
// knows neither routes nor SQL.
package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
)

// MaxSize is the greatest size of a request's body in bytes.
const MaxSize = 1 << 20

// At most largeBodies bodies of smallBody bytes or more are in memory at a time, so that
// a flood of them does not take all the memory of a small machine. Such a body counts
// until its request has been answered. The requests of a shop have smaller bodies.
const (
	smallBody   = 16 << 10
	largeBodies = 8
)

// maxFields is the greatest number of fields in a body, as in the first implementation.
const maxFields = 1000

// Error is a fault in a request as a whole.
type Error struct {
	Status int    // the HTTP status to answer with
	Detail string // a sentence for the user
}

func (e *Error) Error() string { return e.Detail }

func refuse(status int, format string, args ...any) error {
	return &Error{status, fmt.Sprintf(format, args...)}
}

// Body holds the fields of a request's body, whatever its type: each is a string,
// a json.RawMessage or a file. When a body gives a field twice, the last value
// counts.
type Body map[string]any

// file stands for an uploaded file in a multipart body. No field accepts one.
type file struct{}

// value returns the value of a field: a string, json.Number, bool, nil, array,
// object or file. ok says whether the body has the field.
func (b Body) value(name string) (v any, ok bool) {
	v, ok = b[name]
	if text, isJSON := v.(json.RawMessage); isJSON {
		v = parseValue(text)
	}
	return v, ok
}

// Reader reads the bodies of requests. It is safe for use by many goroutines.
type Reader struct {
	large chan struct{} // holds one element for each large body in memory
}

// NewReader returns a Reader.
func NewReader() *Reader { return &Reader{make(chan struct{}, largeBodies)} }

// Read reads r's body: JSON, a form, or multipart form data. An empty body has
// no fields, whatever its type. A body that cannot be read is an *Error or
// FieldErrors. The caller must call release when it has answered the request, also
// after an error.
func (b *Reader) Read(w http.ResponseWriter, r *http.Request) (fields Body, release func(), err error) {
	text, release, err := b.readAll(w, r)
	if err != nil || len(text) == 0 {
		return Body{}, release, err
	}
	fields, err = parse(text, r.Header.Get("Content-Type"))
	return fields, release, err
}

// parse reads the text of a body of that media type.
func parse(text []byte, mediaType string) (Body, error) {
	media, params, err := mime.ParseMediaType(mediaType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		media = ""
	}
	switch media {
	case "application/json":
		return parseJSON(text)
	case "application/x-www-form-urlencoded":
		return parseForm(text)
	case "multipart/form-data":
		return parseMultipart(text, params["boundary"])
	}
	return nil, refuse(http.StatusUnsupportedMediaType, "Unsupported media type %s in request.", quote(mediaType))
}

func (b *Reader) readAll(w http.ResponseWriter, r *http.Request) (text []byte, release func(), err error) {
	release = func() {}
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "Request body is larger than 1 MiB.")
	if r.ContentLength > MaxSize && r.Header.Get("Expect") != "" {
		return nil, release, tooLarge // before the client sends it
	}
	in := http.MaxBytesReader(w, r.Body, MaxSize)
	var buf bytes.Buffer
	_, err = io.CopyN(&buf, in, smallBody)
	if err == nil { // the body may be longer
		select {
		case b.large <- struct{}{}:
			release = sync.OnceFunc(func() { <-b.large })
		case <-r.Context().Done():
			return nil, release, r.Context().Err()
		}
		buf.Grow(int(min(max(r.ContentLength, smallBody), MaxSize)))
		_, err = buf.ReadFrom(in)
	} else if err == io.EOF {
		err = nil
	}
	var tooMuch *http.MaxBytesError
	switch {
	case errors.As(err, &tooMuch):
		// Read on for a while: if the server stopped now, a client that is still
		// sending would see a broken connection instead of the answer.
		_, _ = io.CopyN(io.Discard, r.Body, 8*MaxSize)
		return nil, release, tooLarge
	case err != nil:
		return nil, release, refuse(http.StatusBadRequest, "The request body ended early or could not be read.")
	}
	return buf.Bytes(), release, nil
}

// quote returns s in double quotes, without escapes.
func quote(s string) string { return `"` + s + `"` }
