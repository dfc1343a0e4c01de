package auth

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
)

// Locked is the password hash of a user who cannot sign in until they get a new password.
const Locked = "!"

// djangoScheme is the prefix of Django's hashes, which have the form
// pbkdf2_sha256$<iterations>$<salt>$<hash>
const djangoScheme = "pbkdf2_sha256$"

// maxIterations is the largest number of iterations that Verify accepts. It limits the
// time of a sign-in to about two seconds. The highest default of any Django version is
// 1,500,000.
const maxIterations = 10_000_000

// FromDjango reports whether hash is a Django hash that Verify can read.
func FromDjango(hash string) bool {
	_, _, _, ok := decodeDjango(hash)
	return ok
}

// Pad makes each refused sign-in take the same time, for all users and for names without
// a user. The caller calls it after Verify has refused a password for hash, in the same
// turn. slowest is the stored Django hash with the most iterations, or "" if there is
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

// padding returns the work that Pad has to do after Verify of hash: whether to compute
// argon2id, and how many iterations of PBKDF2.
func padding(hash, slowest string) (argon bool, iterations int) {
	most, _, _, _ := decodeDjango(slowest)
	done, _, _, argon := decodeDjango(hash)
	return argon, max(0, most-done)
}

// verifyDjango is Verify for a Django hash.
func verifyDjango(hash, password string) (bool, error) {
	iterations, salt, want, ok := decodeDjango(hash)
	if !ok {
		return false, ErrHash
	}
	return subtle.ConstantTimeCompare(deriveDjango(password, salt, iterations), want) == 1, nil
}

// deriveDjango returns the key that Django derives from a password.
func deriveDjango(password, salt string, iterations int) []byte {
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, hashLen)
	if err != nil {
		panic(err) // decodeDjango has checked the arguments
	}
	return key
}

// decodeDjango parses a Django hash. ok is false if hash is not one.
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
