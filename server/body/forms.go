package body

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// parseForm reads application/x-www-form-urlencoded text, or a query string. An
// invalid escape stands for itself.
func parseForm(text string) map[string]string {
	fields := map[string]string{}
	for pair := range strings.SplitSeq(text, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if pair != "" {
			fields[unescape(key)] = unescape(value)
		}
	}
	return fields
}

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
	// All of it fits into memory: no file is ever written.
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
