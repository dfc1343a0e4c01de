package auth

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
)

// Locked is stored as the password hash of a user who cannot sign in until somebody
// sets a new password for them.
const Locked = "!"

// djangoScheme is the beginning of Django's hashes:
// pbkdf2_sha256$<iterations>$<salt>$<hash>
const djangoScheme = "pbkdf2_sha256$"

// maxIterations limits the time of a sign-in to about two seconds. The highest
// default of any Django version is 1,500,000.
const maxIterations = 10_000_000

// FromDjango reports whether hash is one of Django's that Verify can read.
func FromDjango(hash string) bool {
	_, _, _, ok := decodeDjango(hash)
	return ok
}

// Pad makes every refusal take the same time, for each user and for a name without a
// user. Call it when Verify has refused a password for hash, within the same turn.
// slowest is the stored hash of Django's with the most iterations, or "" if there is
// none.
func Pad(hash, slowest string) {
	argon, iterations := padding(hash, slowest)
	if argon {
		_, _ = Verify("", "")
	}
	if iterations > 0 {
		_ = deriveDjango("", "", iterations)
	}
}

// padding returns the work that is left after Verify of hash: whether argon2id is,
// and how many of the iterations of slowest are.
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
		panic(err) // decodeDjango refuses everything that Key refuses
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
