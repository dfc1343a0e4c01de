package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

func parseJSON(text []byte) (Body, error) {
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
		return nil, FieldError("", "No data provided")
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, FieldError("", fmt.Sprintf("Invalid data. Expected a dictionary, but got %s.", typeName(v)))
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
	return refuse(http.StatusBadRequest, "JSON parse error - %s: line %d column %d (char %d)", what, line, column, utf8.RuneCount(before))
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
