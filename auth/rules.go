package auth

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest user name and password, in characters.
const (
	MaxUsername = 150
	MaxPassword = 1024
)

// UsernameProblem returns why a new user cannot have that name, which the
// caller has trimmed, in a sentence; "" if they can.
func UsernameProblem(name string) string {
	switch {
	case name == "":
		return "Username is required."
	case utf8.RuneCountInString(name) > MaxUsername:
		return fmt.Sprintf("Username must have no more than %d characters.", MaxUsername)
	case !utf8.ValidString(name):
		return "Username must be UTF-8 text."
	case strings.ContainsFunc(name, unicode.IsControl):
		return "Username must not contain control characters."
	}
	return ""
}

// PasswordProblem returns why nobody can have that password, in a sentence;
// "" if they can. Any characters will do: length is what OWASP asks for, and
// how much of it is the shop's to say.
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
