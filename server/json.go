package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxBody is the most that a request's body may hold.
const maxBody = 1 << 20

// Bodies above smallBody are few, and read a few at a time, so that a flood of
// them does not take all the memory of a small machine.
const (
	smallBody   = 64 << 10
	largeBodies = 8
)

// maxFields is how many fields a form may have, as in the first implementation.
const maxFields = 1000

const contentType = "application/json"

// writeJSON answers with v as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	text, err := toJSON(v)
	if err == nil {
		sendJSON(w, status, text)
	}
	return err
}

// toJSON returns v as JSON: compact, in UTF-8, nothing escaped that need not be.
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
	_, _ = w.Write(text) // a client that is gone is no error of ours
}

// body is what a request says, whatever its type: for each field a string,
// json.Number, bool, nil, []any, map[string]any or file. Of a field that is
// given twice it has the last.
type body map[string]any

// file stands for a file in a multipart body, which no field of ours takes.
type file struct{}

// readBody reads a request's body: JSON, a form, or multipart form data. An
// empty one has no fields, whatever its type.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (body, error) {
	text, err := s.readAll(w, r)
	if err != nil || len(text) == 0 {
		return body{}, err
	}
	sent := r.Header.Get("Content-Type")
	media, params, err := mime.ParseMediaType(sent)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		media = ""
	}
	switch media {
	case contentType:
		return parseJSON(text)
	case "application/x-www-form-urlencoded":
		if bytes.Count(text, []byte("&")) >= maxFields {
			return nil, detail(http.StatusBadRequest, "The form has more than %d fields.", maxFields)
		}
		b := body{}
		for k, v := range parseForm(string(text)) {
			b[k] = v
		}
		return b, nil
	case "multipart/form-data":
		return parseMultipart(text, params["boundary"])
	}
	return nil, detail(http.StatusUnsupportedMediaType, "Unsupported media type %s in request.", quote(sent))
}

func (s *Server) readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := detail(http.StatusRequestEntityTooLarge, "Request body is larger than 1 MiB.")
	if r.ContentLength > maxBody && r.Header.Get("Expect") != "" {
		return nil, tooLarge // before the client sends it
	}
	in := http.MaxBytesReader(w, r.Body, maxBody)
	text, err := io.ReadAll(io.LimitReader(in, smallBody))
	if err == nil && len(text) == smallBody {
		select {
		case s.largeBodies <- struct{}{}:
			defer func() { <-s.largeBodies }()
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
		_, _ = io.CopyN(io.Discard, r.Body, 8*maxBody)
		return nil, tooLarge
	case err != nil:
		return nil, detail(http.StatusBadRequest, "The request body ended early or could not be read.")
	}
	return text, nil
}

// quote puts s in double quotes, as it stands.
func quote(s string) string { return `"` + s + `"` }

func parseJSON(text []byte) (body, error) {
	if i, what := malformed(text); what != "" {
		return nil, parseError(text, i, what)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, parseError(text, 0, err.Error())
	}
	if v == nil {
		return nil, nonFieldError("No data provided")
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, nonFieldError(fmt.Sprintf("Invalid data. Expected a dictionary, but got %s.", typeName(v)))
	}
	return fields, nil
}

// malformed returns where text stops being JSON, and why; no reason if it
// is JSON throughout.
func malformed(text []byte) (offset int, what string) {
	var raw json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, &raw); errors.As(err, &syntax) {
		offset := int(syntax.Offset) // how much was read, up to the fault or the end
		if offset > 0 && !strings.HasPrefix(syntax.Error(), "unexpected end") {
			offset--
		}
		return offset, syntax.Error()
	}
	// encoding/json would put U+FFFD in the place of either of these.
	for rest := text; len(rest) > 0; {
		c, n := utf8.DecodeRune(rest)
		if c == utf8.RuneError && n == 1 {
			return len(text) - len(rest), "invalid UTF-8"
		}
		rest = rest[n:]
	}
	if i := loneSurrogate(text); i >= 0 {
		return i, "unpaired surrogate " + string(text[i:i+6])
	}
	return 0, ""
}

// loneSurrogate returns the offset of the first \ud800 to \udfff escape in
// valid JSON that is not half of a pair, which is no character (RFC 8259,
// section 8.2); -1 if there is none.
func loneSurrogate(text []byte) int {
	unit := func(i int) uint64 { // the escape \uXXXX at i, or 0
		if i+6 > len(text) || text[i] != '\\' || text[i+1] != 'u' {
			return 0
		}
		n, _ := strconv.ParseUint(string(text[i+2:i+6]), 16, 32)
		return n
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		switch u := unit(i); {
		case 0xd800 <= u && u < 0xdc00 && 0xdc00 <= unit(i+6) && unit(i+6) < 0xe000:
			i += 11
		case 0xd800 <= u && u < 0xe000:
			return i
		default:
			i++ // what is escaped may be a backslash
		}
	}
	return -1
}

func parseError(text []byte, offset int, what string) error {
	before := text[:min(offset, len(text))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return detail(http.StatusBadRequest, "JSON parse error - %s: line %d column %d (char %d)", what, line, column, utf8.RuneCount(before))
}

// typeName names v's type as Python does: clients of the first implementation
// know it so.
func typeName(v any) string {
	switch v := v.(type) {
	case string:
		return "str"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "float"
		}
		return "int"
	case bool:
		return "bool"
	case []any:
		return "list"
	case map[string]any:
		return "dict"
	}
	return "file"
}

// parseForm reads application/x-www-form-urlencoded text, a query string
// too. What is no valid escape stands for itself.
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

func parseMultipart(text []byte, boundary string) (body, error) {
	if boundary == "" {
		return nil, detail(http.StatusBadRequest, "Multipart form parse error - Invalid boundary in multipart: None")
	}
	// All of it fits into memory: no file is ever written.
	form, err := multipart.NewReader(bytes.NewReader(text), boundary).ReadForm(2 * maxBody)
	if err != nil {
		return nil, detail(http.StatusBadRequest, "Multipart form parse error - %s", err)
	}
	b := body{}
	for name, values := range form.Value {
		b[name] = values[len(values)-1]
	}
	for name := range form.File {
		b[name] = file{}
	}
	return b, nil
}
