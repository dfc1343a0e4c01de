package db

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// NameKey returns a text that is the same for all user names that look the same. It is
// the name in Unicode's normal form C (UAX #15), with one space in place of each run of
// white space, without white space at the ends, and without invisible characters: format
// characters (category Cf), variation selectors, and other characters that Unicode tells
// programs not to show, such as the Hangul filler. Names that differ in letter case have
// different keys. The key of a name without a visible character is empty.
func NameKey(name string) string {
	visible := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return -1
		}
		return r
	}, name)
	return norm.NFC.String(strings.Join(strings.Fields(visible), " "))
}

// PlateKey is NameKey for number plates. Plates that differ only in letter case have the
// same key.
func PlateKey(plate string) string {
	// Of some letters with an accent, only one case has a code point of its own.
	return norm.NFC.String(foldCase(norm.NFD.String(NameKey(plate))))
}

// foldCase returns a text that is the same for all texts that strings.EqualFold finds
// equal. It replaces each letter by the lowest code point of the letters that differ
// from it only in case.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		first := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			first = min(first, f)
		}
		return first
	}, s)
}
