package db_test

import (
	"strings"
	"testing"

	"onenow/db"
)

// TestKeys compares names and plates that look the same, and some that do not.
func TestKeys(t *testing.T) {
	for _, c := range []struct {
		a, b         string
		names, plate bool // whether a and b have the same NameKey, the same PlateKey
	}{
		{"Ali", "Ali", true, true},
		{"Ali", "ali", false, true},
		{"Ali", "Ali\ufeff", true, true},
		{"\u200bAli", "A\u2060li", true, true},
		{"Ali", "Ali\ufe0f", true, true},       // a variation selector
		{"Ali", "A\u034fli", true, true},       // the combining grapheme joiner
		{"Ali", "Ali\u3164", true, true},       // the Hangul filler
		{"\u01f0 1", "J\u030c 1", false, true}, // the capital has no code point of its own
		{"Zo\u00eb", "Zoe\u0308", true, true},
		{"ABC 123", "ABC\u00a0\u3000123", true, true},
		{"ABC 123", "  abc\t123 ", false, true},
		{"ABC 123", "ABC123", false, false},
		{"ABC-123", "ABC\u2011123", false, false},
		{"ÄÖ 1", "äö 1", false, true},
		{"\u06a9", "\u0643", false, false}, // the Urdu and the Arabic letter kaf
	} {
		if got := db.NameKey(c.a) == db.NameKey(c.b); got != c.names {
			t.Errorf("names %q and %q: got %v, want %v", c.a, c.b, got, c.names)
		}
		if got := db.PlateKey(c.a) == db.PlateKey(c.b); got != c.plate {
			t.Errorf("plates %q and %q: got %v, want %v", c.a, c.b, got, c.plate)
		}
	}
	if got := db.NameKey("\ufeff \u200b"); got != "" {
		t.Errorf("got %q for a name without a visible character", got)
	}
}

// FuzzFoldCase wants the same key for two texts if, and only if, they differ only in
// letter case.
func FuzzFoldCase(f *testing.F) {
	f.Add("ABC-1", "abc-1")
	f.Add("ſK-1", "sk-1")
	f.Add("İ-1", "i-1")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, b := range []string{b, strings.ToUpper(a), strings.ToLower(a)} {
			if got, want := db.FoldCase(a) == db.FoldCase(b), strings.EqualFold(a, b); got != want {
				t.Errorf("%q, %q: got %v, want %v", a, b, got, want)
			}
		}
	})
}
