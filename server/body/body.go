// Package body reads what requests say: JSON, forms and multipart bodies, the
// fields in them, query parameters and the headers that state a preference. It
// knows neither routes nor the database.
package body

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// MaxSize is how many bytes a request's body may have.
const MaxSize = 1 << 20

// A Reader reads only largeBodies bodies of more than smallBody bytes at a
// time, so that a flood of them does not take all the memory of a small machine.
const (
	smallBody   = 64 << 10
	largeBodies = 8
)

// maxFields is how many fields a form may have, as in the first implementation.
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

// Body is a request's body, whatever its type: for each field a string,
// json.Number, bool, nil, []any, map[string]any or file. When a body gives a
// field twice, the last value counts.
type Body map[string]any

// file stands for an uploaded file in a multipart body. No field takes one.
type file struct{}

// Reader reads the bodies of requests. It is safe for use by many goroutines.
type Reader struct {
	large chan struct{} // holds one element for each large body that is being read
}

// NewReader returns a Reader.
func NewReader() *Reader { return &Reader{make(chan struct{}, largeBodies)} }

// Read reads r's body: JSON, a form, or multipart form data. An empty body has
// no fields, whatever its type. A body that cannot be read is an *Error or
// FieldErrors.
func (b *Reader) Read(w http.ResponseWriter, r *http.Request) (Body, error) {
	text, err := b.readAll(w, r)
	if err != nil || len(text) == 0 {
		return Body{}, err
	}
	sent := r.Header.Get("Content-Type")
	media, params, err := mime.ParseMediaType(sent)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		media = ""
	}
	switch media {
	case "application/json":
		return parseJSON(text)
	case "application/x-www-form-urlencoded":
		if bytes.Count(text, []byte("&")) >= maxFields {
			return nil, refuse(http.StatusBadRequest, "The form has more than %d fields.", maxFields)
		}
		fields := Body{}
		for k, v := range parseForm(string(text)) {
			fields[k] = v
		}
		return fields, nil
	case "multipart/form-data":
		return parseMultipart(text, params["boundary"])
	}
	return nil, refuse(http.StatusUnsupportedMediaType, "Unsupported media type %s in request.", quote(sent))
}

func (b *Reader) readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "Request body is larger than 1 MiB.")
	if r.ContentLength > MaxSize && r.Header.Get("Expect") != "" {
		return nil, tooLarge // before the client sends it
	}
	in := http.MaxBytesReader(w, r.Body, MaxSize)
	text, err := io.ReadAll(io.LimitReader(in, smallBody))
	if err == nil && len(text) == smallBody {
		select {
		case b.large <- struct{}{}:
			defer func() { <-b.large }()
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		var rest []byte
		rest, err = io.ReadAll(in)
		text = append(text, rest...)
	}
	var tooMuch *http.MaxBytesError
	switch {
	case errors.As(err, &tooMuch):
		// Read on for a while: a client that is still sending would see
		// its connection break rather than our answer.
		_, _ = io.CopyN(io.Discard, r.Body, 8*MaxSize)
		return nil, tooLarge
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "The request body ended early or could not be read.")
	}
	return text, nil
}

// quote puts s in double quotes, as it stands.
func quote(s string) string { return `"` + s + `"` }
