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

// parseJSON reads the top level of a JSON object. It does not decode a value until a
// field needs it, so that a hostile body costs a small multiple of its size.
func parseJSON(text []byte) (Body, error) {
	if i, what := malformed(text); what != "" {
		return nil, parseError(text, i, what)
	}
	switch v := parseValue(bytes.TrimLeft(text, " \t\r\n")).(type) {
	case nil:
		return nil, FieldError("", "No data provided")
	default:
		return nil, FieldError("", fmt.Sprintf("Invalid data. Expected a dictionary, but got %s.", typeName(v)))
	case object:
	}
	b := Body{}
	if bytes.Count(text, []byte(":")) <= maxFields {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(text, &members); err != nil {
			return nil, parseError(text, 0, err.Error())
		}
		for name, value := range members {
			b[name] = value
		}
		return b, nil
	}
	// There may be a hundred thousand members: read them one by one, which is slower.
	dec := json.NewDecoder(bytes.NewReader(text))
	_, err := dec.Token() // the brace
	for err == nil && dec.More() {
		var name json.Token
		var value json.RawMessage
		if name, err = dec.Token(); err != nil {
			break
		}
		if err = dec.Decode(&value); err != nil {
			break
		}
		b[name.(string)] = value
		if len(b) > maxFields {
			return nil, refuse(http.StatusBadRequest, "The object has more than %d fields.", maxFields)
		}
	}
	if err != nil {
		return nil, parseError(text, 0, err.Error())
	}
	return b, nil
}

// array and object stand for a JSON array and a JSON object. No field accepts one.
type array struct{}
type object struct{}

// parseValue returns a value of valid JSON: a string, json.Number, bool, nil,
// array or object.
func parseValue(text json.RawMessage) any {
	switch text[0] {
	case '"':
		var s string
		_ = json.Unmarshal(text, &s) // it is valid
		return s
	case 't', 'f':
		return text[0] == 't'
	case 'n':
		return nil
	case '[':
		return array{}
	case '{':
		return object{}
	}
	return json.Number(bytes.TrimSpace(text))
}

// malformed returns the offset of the first fault in text and what the fault is. what
// is empty if text is JSON.
func malformed(text []byte) (offset int, what string) {
	if !json.Valid(text) {
		var syntax *json.SyntaxError
		if err := json.Unmarshal(text, new(json.RawMessage)); !errors.As(err, &syntax) {
			return 0, fmt.Sprint(err)
		}
		offset := int(syntax.Offset) // how many bytes were read, with the one at fault
		if offset > 0 && !strings.HasPrefix(syntax.Error(), "unexpected end") {
			offset--
		}
		return offset, nameCharacter(syntax.Error(), text[offset:])
	}
	// encoding/json would replace invalid UTF-8 and unpaired surrogates by U+FFFD.
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

// nameCharacter returns a message of encoding/json about the first byte of rest, with
// the byte replaced by the whole character.
func nameCharacter(message string, rest []byte) string {
	c, n := utf8.DecodeRune(rest)
	if n == 0 || c < utf8.RuneSelf {
		return message
	}
	if c == utf8.RuneError && n == 1 {
		return "invalid UTF-8"
	}
	named := strconv.QuoteRune(rune(rest[0]))
	return strings.Replace(message, named, strconv.QuoteRune(c), 1)
}

// loneSurrogate returns the offset of the first escape from \ud800 to \udfff in valid
// JSON that is not half of a pair, or -1 if there is none. Such an escape is not a
// character (RFC 8259, section 8.2).
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
			i++ // the escaped character may be a backslash
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

// typeName returns the name of v's type in Python. Clients of the first implementation
// know these names.
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
	case array:
		return "list"
	case object:
		return "dict"
	}
	return "file"
}
