package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"onenow/server/body"
)

const contentType = "application/json"

// writeJSON answers with v as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	text, err := toJSON(v)
	if err == nil {
		sendJSON(w, status, text)
	}
	return err
}

// toJSON returns v as compact JSON in UTF-8. It escapes only the characters that JSON
// requires to be escaped.
func toJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	if err := newEncoder(&buf).Encode(v); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func newEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

// sendJSON answers with text, which is JSON.
func sendJSON(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that has gone away is not our error
}

// sendZipped is sendJSON with compression, for a long text to a client that accepts it.
func sendZipped(w http.ResponseWriter, r *http.Request, status int, text []byte) {
	if len(text) >= minCompressed && body.AcceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		text = compress(text)
	}
	sendJSON(w, status, text)
}
