// Package phones compares phones. A shop stores a phone as the user wrote it, and with it
// a key. The key is the same for all spellings of one number.
//
// The numbering plans are those of libphonenumber, in plans.txt: 12 kB of lengths,
// prefixes and patterns. A plan is parsed when a number first needs it.
package phones

import (
	"strings"
	"unicode"
)

// MaxLength is the greatest number of characters in a phone. A phone needs at least one
// digit.
const MaxLength = 32

// maxExtension is the greatest number of digits in an extension.
const maxExtension = 7

// Key returns the key of a phone: its number in E.164 form, such as +923001234567.
// A number without a country code gets countryCode, the code of the shop's country, such
// as 92. The key does not have the extension. If the phone is not a number of any plan,
// its key is its digits; if it has no digits, its key is empty.
func Key(phone, countryCode string) string {
	w := read(phone)
	for _, end := range w.breaks {
		if len(w.digits)-end > maxExtension {
			continue
		}
		if n, ok := e164(w.digits[:end], w.plus, countryCode); ok && n.isValid() {
			return n.String()
		}
	}
	if n, ok := e164(w.digits, w.plus, countryCode); ok {
		return n.String()
	}
	if n, ok := e164(w.keypad, w.plus, countryCode); ok && n.isValid() { // such as 1-800-FLOWERS
		return n.String()
	}
	return w.digits
}

// SearchDigits returns the digits that a search by phone has to find in keys. text is a
// phone, or a part of one, as the user wrote it: 0300 12 becomes 30012, which is in the
// key +923001234567. The result is empty if text has no digit.
func SearchDigits(text, countryCode string) string {
	w := read(text)
	if w.plus {
		if p, ok := planOfNumber(w.digits); ok {
			national := w.digits[len(p.code):]
			if strings.HasPrefix(match(p.trunk, national), "0") { // as in +44 (0)20
				national = national[1:]
			}
			return p.code + national
		}
		return w.digits
	}
	// From here on, the result is the end of the digits: a key that has the digits has
	// the result too.
	if rest, ok := strings.CutPrefix(w.digits, "00"); ok && rest != "" {
		return rest
	}
	home, ok := planOf(countryCode)
	if !ok {
		return w.digits
	}
	if rest, ok := home.cutPrefix(w.digits); ok {
		return rest
	}
	if rest := w.digits[len(match(home.trunk, w.digits)):]; rest != "" {
		return rest
	}
	return w.digits
}

// Digits returns the digits of text in ASCII, whatever their script.
func Digits(text string) string { return read(text).digits }

// IsCountryCode reports whether code is the country code of a numbering plan, such
// as 92.
func IsCountryCode(code string) bool {
	_, ok := planOf(code)
	return ok
}

// e164 returns the number that digits are when somebody in the home country dials
// them. With plus, they begin with a country code. ok is false if they are not a number
// of any plan.
func e164(digits string, plus bool, homeCode string) (_ number, ok bool) {
	if plus && !strings.HasPrefix(digits, "0") { // no country code begins with 0
		return international(digits)
	}
	if home, ok := planOf(homeCode); ok {
		if rest, ok := home.cutPrefix(digits); ok {
			if n, ok := international(rest); ok {
				return n, true
			}
		}
		national, ok := home.cutCode(digits)
		if !ok {
			national = home.cutTrunk(digits)
		}
		if n := (number{home, national}); n.isPossible() {
			return n, true
		}
	}
	// Users of all countries write the prefixes of most countries and of North America.
	for _, prefix := range []string{"00", "011"} {
		if rest, ok := strings.CutPrefix(digits, prefix); ok {
			if n, ok := international(rest); ok {
				return n, true
			}
		}
	}
	return number{}, false
}

// international returns the number that digits are if they begin with a country
// code. ok is false if they are not a number of that country's plan.
func international(digits string) (_ number, ok bool) {
	p, ok := planOfNumber(digits)
	if !ok {
		return number{}, false
	}
	n := number{p, digits[len(p.code):]}
	if !n.isPossible() { // as +44 (0)20 7946 0958 is
		n.national = p.cutTrunk(n.national)
	}
	return n, n.isPossible()
}

// number is a number of a plan.
type number struct {
	plan     *plan
	national string
}

// String returns the number in its E.164 form.
func (n number) String() string { return "+" + n.plan.code + n.national }

// isPossible reports whether the plan has numbers of that length. Countries add to
// their plans, so the first digits may be new. But a number that begins with 0 is rare,
// and has to match the plan's pattern.
func (n number) isPossible() bool {
	return n.plan.lengths[len(n.national)] && (n.national[0] != '0' || n.isValid())
}

// isValid reports whether the number matches the plan's pattern, which has the first
// digits and the lengths of its numbers.
func (n number) isValid() bool { return n.plan.national.MatchString(n.national) }

// written is a phone as the user wrote it.
type written struct {
	plus   bool   // it begins with a plus sign
	digits string // in ASCII
	breaks []int  // the number of digits before each text in the phone, such as ext. in 1234567 ext. 89
	keypad string // the digits, and each letter as the digit of its key; empty with fewer than three letters
}

func read(phone string) written {
	var w written
	var digits, keypad strings.Builder
	letters, broken := 0, false
	for _, r := range phone {
		if d, ok := digit(r); ok {
			if broken && digits.Len() > 0 {
				w.breaks = append(w.breaks, digits.Len())
			}
			broken = false
			digits.WriteByte(d)
			keypad.WriteByte(d)
			continue
		}
		switch {
		case digits.Len() == 0 && strings.ContainsRune("+\uff0b\ufe62\u207a", r):
			w.plus = true
		case unicode.IsLetter(r) || strings.ContainsRune("#*;,\u00d7\uff03", r):
			broken = true
		}
		if d, ok := keypadDigit(r); ok {
			letters++
			keypad.WriteByte(d)
		}
	}
	w.digits = digits.String()
	if letters >= 3 && w.digits != "" {
		w.keypad = keypad.String()
	}
	return w
}

// digit returns in ASCII a decimal digit of any script. ok is false if r is not a digit.
// Unicode has the digits of each script in order, from zero to nine.
func digit(r rune) (d byte, ok bool) {
	if r < unicode.MaxLatin1 {
		return byte(r), '0' <= r && r <= '9'
	}
	if !unicode.IsDigit(r) {
		return 0, false
	}
	for _, t := range unicode.Digit.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10), true
		}
	}
	for _, t := range unicode.Digit.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10), true
		}
	}
	return 0, false
}

// keypadDigit returns the digit on the telephone key with the letter r (ITU-T E.161). ok
// is false if r is on no key.
func keypadDigit(r rune) (d byte, ok bool) {
	const digits = "22233344455566677778889999" // of A to Z
	switch {
	case 'A' <= r && r <= 'Z':
		return digits[r-'A'], true
	case 'a' <= r && r <= 'z':
		return digits[r-'a'], true
	}
	return 0, false
}
