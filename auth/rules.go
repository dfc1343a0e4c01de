package auth

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxUsername and MaxPassword are the maximum lengths of a user name and a password, in
// characters (code points).
const (
	MaxUsername = 150
	MaxPassword = 1024
)

// UsernameProblem returns a sentence for the user if no new user can have that name, and
// "" if one can. The caller trims the name first.
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

// isInvisible reports whether r is a blank or a format character (category Cf).
func isInvisible(r rune) bool { return unicode.In(r, unicode.White_Space, unicode.Cf) }

// PasswordProblem returns a sentence for the user if a user cannot have that password, and
// "" if they can. It allows all characters and has no minimum length: the shop decides how
// long its passwords are.
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
