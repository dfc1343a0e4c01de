package docs

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/goccy/go-yaml"
)

var update = flag.Bool("update", false, "write openapi.json")

// TestJSONIsFresh compares openapi.json with openapi.yaml byte by byte. The keys have
// the same order.
func TestJSONIsFresh(t *testing.T) {
	want, err := yamlToJSON(YAML)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(JSON, want) {
		t.Error("openapi.json differs from openapi.yaml: run go test ./server/docs -update")
	}
}

// yamlToJSON returns a YAML document as JSON, with its keys in their order.
func yamlToJSON(text []byte) ([]byte, error) {
	spaced, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	err = json.Compact(&compact, spaced)
	return compact.Bytes(), err
}

// TestYAMLToJSON checks values, and that the keys keep their order.
func TestYAMLToJSON(t *testing.T) {
	for text, want := range map[string]string{
		"{b: 1, a: [true, null, 1.5, <x>, 2025-07-20, '1'], c: {}, d: []}": `{"b":1,"a":[true,null,1.5,"<x>","2025-07-20","1"],"c":{},"d":[]}`,
		"a: &x {y: z}\nb: *x":  `{"a":{"y":"z"},"b":{"y":"z"}}`,
		"a: |\n  two\n  lines": `{"a":"two\nlines"}`,
		"a: [":                 "",
	} {
		got, err := yamlToJSON([]byte(text))
		if string(got) != want && want != "" || (err == nil) != (want != "") {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
}
