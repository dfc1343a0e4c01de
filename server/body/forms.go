package body

import (
	"bytes"
	"iter"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// parseForm reads application/x-www-form-urlencoded text.
func parseForm(text []byte) (Body, error) {
	if bytes.Count(text, []byte("&")) >= maxFields {
		return nil, refuse(http.StatusBadRequest, "The form has more than %d fields.", maxFields)
	}
	b := Body{}
	for name, value := range pairs(string(text)) {
		b[name] = unescape(value)
	}
	return b, nil
}

// pairs returns the names in a form or query string, unescaped, with their
// values, still escaped.
func pairs(text string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for pair := range strings.SplitSeq(text, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if pair != "" && !yield(unescape(name), value) {
				return
			}
		}
	}
}

// unescape returns s without its escapes, or s itself if an escape is invalid.
func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

func parseMultipart(text []byte, boundary string) (Body, error) {
	if boundary == "" {
		return nil, refuse(http.StatusBadRequest, "Multipart form parse error - Invalid boundary in multipart: None")
	}
	// The limit is larger than the whole body, so that ReadForm never writes a file.
	form, err := multipart.NewReader(bytes.NewReader(text), boundary).ReadForm(2 * MaxSize)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "Multipart form parse error - %s", err)
	}
	b := Body{}
	for name, values := range form.Value {
		b[name] = values[len(values)-1]
	}
	for name := range form.File {
		b[name] = file{}
	}
	return b, nil
}
