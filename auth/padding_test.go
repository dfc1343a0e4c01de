package auth

import "testing"

// TestPadding adds up the work of Verify and Pad for a refused password. For each hash, and
// for a user who does not exist, the sum is argon2id once and the iterations of the slowest
// hash.
func TestPadding(t *testing.T) {
	const (
		slow  = "pbkdf2_sha256$300000$abcdefghijklmnopqrstuv$ZcmDLV3EEDxymtLobJ+MyDvGn3cVkyFOI7bbMyHzZzI="
		quick = "pbkdf2_sha256$1000$abcdefghijklmnopqrstuv$ZcmDLV3EEDxymtLobJ+MyDvGn3cVkyFOI7bbMyHzZzI="
	)
	for hash, done := range map[string]struct {
		argon      bool
		iterations int
	}{"": {argon: true}, Locked: {argon: true}, unknownUserHash: {argon: true}, slow: {iterations: 300_000}, quick: {iterations: 1000}} {
		for slowest, want := range map[string]int{"": done.iterations, quick: max(1000, done.iterations), slow: 300_000} {
			argon, iterations := padding(hash, slowest)
			if argon == done.argon || iterations+done.iterations != want {
				t.Errorf("%q where %q is the slowest: got argon2id %v and %d iterations in addition to %+v, want each once and %d", hash, slowest, argon, iterations, done, want)
			}
		}
	}
}
