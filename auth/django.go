package auth

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
)

// Locked is stored as the hash of a user whom no password lets in, until they
// are given a new one.
const Locked = "!"

// djangoScheme is what Django's own hashes begin with:
// pbkdf2_sha256$<iterations>$<salt>$<hash>
const djangoScheme = "pbkdf2_sha256$"

// maxIterations bounds what a sign-in can cost: two seconds or so. Django's
// default has been at 1,500,000 at most.
const maxIterations = 10_000_000

// FromDjango reports whether Verify can read that hash of Django's.
func FromDjango(hash string) bool {
	_, _, _, ok := decodeDjango(hash)
	return ok
}

// Pad is to be called when Verify has refused a password for hash. It takes as
// long as is left for refusing one to take the same for every user and for
// nobody, where slowest is the stored hash of Django's with the most
// iterations, "" if there is none. A server keeps its turn meanwhile.
func Pad(hash, slowest string) {
	argon, iterations := padding(hash, slowest)
	if argon {
		_, _ = Verify("", "")
	}
	if iterations > 0 {
		_ = deriveDjango("", "", iterations)
	}
}

// padding returns what Verify has not done for hash: argon2id, and how many
// iterations of those that slowest takes.
func padding(hash, slowest string) (argon bool, iterations int) {
	most, _, _, _ := decodeDjango(slowest)
	tried, _, _, argon := decodeDjango(hash)
	return argon, max(0, most-tried)
}

// verifyDjango is Verify for Django's hashes.
func verifyDjango(hash, password string) (bool, error) {
	iterations, salt, want, ok := decodeDjango(hash)
	if !ok {
		return false, ErrHash
	}
	return subtle.ConstantTimeCompare(deriveDjango(password, salt, iterations), want) == 1, nil
}

func deriveDjango(password, salt string, iterations int) []byte {
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, hashLen)
	if err != nil {
		panic(err) // what it refuses is refused by decodeDjango
	}
	return key
}

func decodeDjango(hash string) (iterations int, salt string, key []byte, ok bool) {
	rest, ok := strings.CutPrefix(hash, djangoScheme)
	parts := strings.Split(rest, "$")
	if !ok || len(parts) != 3 {
		return 0, "", nil, false
	}
	iterations, err1 := strconv.Atoi(parts[0])
	key, err2 := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err1 != nil || err2 != nil || iterations < 1 || iterations > maxIterations || len(key) != hashLen {
		return 0, "", nil, false
	}
	return iterations, parts[1], key, true
}
