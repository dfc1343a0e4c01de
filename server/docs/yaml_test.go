package docs

import "testing"

// TestYAMLToJSON keeps the order of the keys.
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
