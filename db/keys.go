package db

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// NameKey returns a text that is the same for all user names that look the same:
// in Unicode's normal form C (UAX #15), each run of blanks of any kind as one space,
// and without invisible characters: format characters (category Cf), variation
// selectors, and others that Unicode tells programs not to show, such as the Hangul
// filler. Letter case counts. The key of a name that shows nothing is empty.
func NameKey(name string) string {
	visible := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return -1
		}
		return r
	}, name)
	return norm.NFC.String(strings.Join(strings.Fields(visible), " "))
}

// PlateKey is NameKey for number plates, whose letter case does not count.
func PlateKey(plate string) string {
	// Some letters exist in one case only with their accent in one piece.
	return norm.NFC.String(foldCase(norm.NFD.String(NameKey(plate))))
}

// foldCase returns a text that is the same for all texts that strings.EqualFold
// finds equal: each letter as the first of those that differ in case only.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		first := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			first = min(first, f)
		}
		return first
	}, s)
}
