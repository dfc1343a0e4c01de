package auth

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxUsername and MaxPassword are the lengths of the longest user name and password,
// in characters.
const (
	MaxUsername = 150
	MaxPassword = 1024
)

// UsernameProblem returns a sentence that says why a new user cannot have that name,
// or "" if they can. The caller has trimmed the name.
func UsernameProblem(name string) string {
	switch {
	case name == "":
		return "Username is required."
	case strings.TrimFunc(name, isInvisible) == "":
		return "Username must have a character that shows."
	case utf8.RuneCountInString(name) > MaxUsername:
		return fmt.Sprintf("Username must have no more than %d characters.", MaxUsername)
	case !utf8.ValidString(name):
		return "Username must be UTF-8 text."
	case strings.ContainsFunc(name, unicode.IsControl):
		return "Username must not contain control characters."
	}
	return ""
}

// isInvisible reports whether r does not show: a blank, or a format character.
func isInvisible(r rune) bool { return unicode.In(r, unicode.White_Space, unicode.Cf) }

// PasswordProblem returns a sentence that says why a user cannot have that password,
// or "" if they can. Any characters are allowed: OWASP asks only for length, and the
// shop decides how long a password has to be.
func PasswordProblem(password string) string {
	switch {
	case password == "":
		return "Password is required."
	case utf8.RuneCountInString(password) > MaxPassword:
		return fmt.Sprintf("Password must have no more than %d characters.", MaxPassword)
	case !utf8.ValidString(password):
		return "Password must be UTF-8 text."
	}
	return ""
}
