package auth_test

import (
	"errors"
	"strings"
	"testing"

	"onenow/auth"
)

// djangoHashes maps passwords to their Django hashes. Another implementation of PBKDF2
// computed the hashes, with few iterations.
var djangoHashes = map[string]string{
	"pass123":  "pbkdf2_sha256$1000$abcdefghijklmnopqrstuv$ZcmDLV3EEDxymtLobJ+MyDvGn3cVkyFOI7bbMyHzZzI=",
	"پاس ورڈ":  "pbkdf2_sha256$1$abcdefghijklmnopqrstuv$hZSK6rqEd6SCdmown1ougrZYDngtdnKD8A0oD01EFeY=",
	" padded ": "pbkdf2_sha256$1000$$FyqvfaIuRgGrGwPXjo9ewg4RYNoVKUCWZmIhHTAD828=",
}

func TestDjangoHashes(t *testing.T) {
	for password, hash := range djangoHashes {
		if !auth.FromDjango(hash) || !auth.Outdated(hash) {
			t.Errorf("%s: got %v, %v, want a Django hash that is outdated", hash, auth.FromDjango(hash), auth.Outdated(hash))
		}
		for try, want := range map[string]bool{password: true, password + " ": false, strings.TrimSpace(password) + "x": false, "": false} {
			if got, err := auth.Verify(hash, try); got != want || err != nil {
				t.Errorf("%q for %q: got %v, %v, want %v", try, password, got, err, want)
			}
		}
	}
	good := djangoHashes["pass123"]
	for _, hash := range []string{
		auth.Locked, "", "!Xyz", strings.Replace(good, "$1000$", "$0$", 1), strings.Replace(good, "$1000$", "$-1$", 1),
		strings.Replace(good, "$1000$", "$10000001$", 1), strings.Replace(good, "$1000$", "$99999999999999999999$", 1),
		good[:len(good)-4], good + "$", good + "x", strings.Replace(good, "sha256", "sha1", 1), auth.Hash("pass123"),
	} {
		if auth.FromDjango(hash) {
			t.Errorf("%s is taken for a Django hash", hash)
		}
		if ok, err := auth.Verify(hash, "pass124"); ok || err != nil && !errors.Is(err, auth.ErrHash) {
			t.Errorf("%s: got %v, %v", hash, ok, err)
		}
	}
	for _, password := range []string{"", "!", "pass123"} {
		if ok, err := auth.Verify(auth.Locked, password); ok || err != nil {
			t.Errorf("%q for a locked user: got %v, %v", password, ok, err)
		}
	}
}
