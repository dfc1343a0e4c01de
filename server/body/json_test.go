package body

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestJSONValues(t *testing.T) {
	b, err := parse([]byte(" {\"a\": \"\\u00e9\\n\" , \"b\":[1,{}],\"c\":{\"d\":2},\n\"e\":true,\"f\":false,\"g\":null,\"h\":-1.50e2,\"\\u0069\":1,\"a\\\"\":\"\",\"b\" : 7 }\n"), "application/json")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"a": "é\n", "b": json.Number("7"), "c": object{}, "e": true, "f": false, "g": nil, "h": json.Number("-1.50e2"), "i": json.Number("1"), `a"`: "",
	} {
		if got, ok := b.value(name); got != want || !ok {
			t.Errorf("%s: got %#v, %v, want %#v", name, got, ok, want)
		}
	}
	if got, ok := b.value("d"); ok {
		t.Errorf("got %v for a field of a nested object", got)
	}
	if len(b) != 9 {
		t.Errorf("got %d fields, want 9", len(b))
	}
}

// TestJSONFaults checks that a message has the character at fault and its place.
func TestJSONFaults(t *testing.T) {
	for text, want := range map[string]string{
		"{“a”: 1}":          `invalid character '“' looking for beginning of object key string: line 1 column 2 (char 1)`,
		"{\"ключ\": ж}":     `invalid character 'ж' looking for beginning of value: line 1 column 10 (char 9)`,
		"{\n \"a\": 1，":     `invalid character '，' after object key:value pair: line 2 column 8 (char 9)`,
		"{\"a\": 🚗}":        `invalid character '🚗' looking for beginning of value: line 1 column 7 (char 6)`,
		"{\"a\": 1}é":       `invalid character 'é' after top-level value: line 1 column 9 (char 8)`,
		"\ufeff{}":          `invalid character '\ufeff' looking for beginning of value: line 1 column 1 (char 0)`,
		"{\"a\":\u00a01}":   `invalid character '\u00a0' looking for beginning of value: line 1 column 6 (char 5)`,
		"{\"a\": tr“e}":     `invalid character '“' in literal true (expecting 'u'): line 1 column 9 (char 8)`,
		"{\"a\": \xff}":     `invalid UTF-8: line 1 column 7 (char 6)`,
		"{\"a\": \xe2\x80}": `invalid UTF-8: line 1 column 7 (char 6)`,
		"{\"a\": \"\xff\"}": `invalid UTF-8: line 1 column 8 (char 7)`,
		"{'a': 1}":          `invalid character '\'' looking for beginning of object key string: line 1 column 2 (char 1)`,
		"{\"a\": \"\n\"}":   `invalid character '\n' in string literal: line 1 column 8 (char 7)`,
		"{\"a\"":            `unexpected end of JSON input: line 1 column 5 (char 4)`,
		"{\"é\"":            `unexpected end of JSON input: line 1 column 5 (char 4)`,
		`{"a": "\ud83d"}`:   `unpaired surrogate \ud83d: line 1 column 8 (char 7)`,
	} {
		_, err := parse([]byte(text), "application/json")
		var e *Error
		if !errors.As(err, &e) || e.Status != 400 || e.Detail != "JSON parse error - "+want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// TestJSONThatIsNoObject checks that a message has the Python name of the value's type.
func TestJSONThatIsNoObject(t *testing.T) {
	for text, want := range map[string]string{
		" null ": "No data provided", "[1]": "list", ` "a"`: "str", "1": "int", "\n1.5": "float", "true": "bool",
	} {
		if len(want) < 6 {
			want = "Invalid data. Expected a dictionary, but got " + want + "."
		}
		_, err := parse([]byte(text), "application/json")
		if !reflect.DeepEqual(err, FieldError("", want)) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestManyFields sends as many fields as a body may have, and one more.
func TestManyFields(t *testing.T) {
	var form, object strings.Builder
	for i := range maxFields {
		fmt.Fprintf(&form, "&%d=x", i)
		fmt.Fprintf(&object, `,"%d":"x"`, i)
	}
	for mediaType, text := range map[string]string{"application/x-www-form-urlencoded": form.String()[1:], "application/json": "{" + object.String()[1:] + "}"} {
		b, err := parse([]byte(text), mediaType)
		if v, _ := b.value("999"); v != "x" || err != nil || len(b) != maxFields {
			t.Errorf("%s: got %v, %v and %d fields, want %d", mediaType, v, err, len(b), maxFields)
		}
		more := strings.Replace(text, "x", "x&more=", 1)
		if mediaType == "application/json" {
			more = strings.Replace(text, "{", `{"more":{},`, 1)
		}
		var e *Error
		if _, err := parse([]byte(more), mediaType); !errors.As(err, &e) || e.Status != 400 || !strings.HasSuffix(e.Detail, "has more than 1000 fields.") {
			t.Errorf("%s: got %v for one more", mediaType, err)
		}
	}
}

// TestHostileBodies checks that a body costs a small multiple of its size.
func TestHostileBodies(t *testing.T) {
	for name, text := range map[string]string{
		"a list":            `{"a":[` + strings.Repeat("1,", MaxSize/2-10) + "1]}",
		"objects":           `{"a":[` + strings.Repeat("{},", MaxSize/3-10) + "1]}",
		"nested":            `{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}",
		"a text":            `{"a":"` + strings.Repeat("x", MaxSize-20) + `"}`,
		"a text of escapes": `{"a":"` + strings.Repeat(`\u0000`, MaxSize/6-5) + `"}`,
		"a number":          `{"a":` + strings.Repeat("1", MaxSize-20) + `}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b, err := parse([]byte(text), "application/json")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f := b.Fields(false)
		f.Text("a", 10)
		f.Integer("a", 1, 2)
		f.Date("a")
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 12*MaxSize {
			t.Errorf("%s: takes %d KiB in all for %d", name, got>>10, len(text)>>10)
		}
		if len(f.Errs) == 0 {
			t.Errorf("%s: passes for a short text, a number and a date", name)
		}
	}
}
