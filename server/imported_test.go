package server_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"onenow/auth"
)

// djangoHash is a hash of password as Django makes it.
func djangoHash(t testing.TB, password string, iterations int) string {
	t.Helper()
	const salt = "abcdefghijklmnopqrstuv"
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, 32)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("pbkdf2_sha256$%d$%s$%s", iterations, salt, base64.StdEncoding.EncodeToString(key))
}

// TestImportedUsers signs in with hashes of Django's, each of which is replaced
// by then. While there is one, who is refused cannot tell by the time it takes
// whether there is such a user, and of what kind.
func TestImportedUsers(t *testing.T) {
	s := newShop(t)
	s.user("shop")
	slow := djangoHash(t, "pass123", 300_000)
	for name, hash := range map[string]string{"slow": slow, "quick": djangoHash(t, " long "+strings.Repeat("x", 2000), 1), "locked": auth.Locked} {
		if _, err := s.db.CreateUser(t.Context(), name, hash); err != nil {
			t.Fatal(err)
		}
	}
	if slowest, err := s.db.SlowestHash(t.Context()); slowest != slow || err != nil {
		t.Errorf("got %q, %v, want %q", slowest, err, slow)
	}
	refuse := func(name string) time.Duration {
		start := time.Now()
		s.send("POST", "/login/", "", map[string]string{"username": name, "password": "!"}).want(t, 401, wrongLogin)
		return time.Since(start)
	}
	refuse("shop") // a first one opens files
	least := refuse("slow")
	for range 2 {
		least = min(least, refuse("slow"))
	}
	for _, name := range []string{"nobody", "shop", "quick", "locked"} {
		if got := refuse(name); got < least/2 {
			t.Errorf("refused %s in %v, want %v as for who has a slow hash", name, got, least)
		}
	}
	for name, password := range map[string]string{"slow": "pass123", "quick": " long " + strings.Repeat("x", 2000)} {
		for range 2 {
			s.login(name, password)
			if u, err := s.db.UserByName(t.Context(), name); err != nil || !strings.HasPrefix(u.PasswordHash, "$argon2id$") {
				t.Errorf("%s: got hash %s, %v", name, u.PasswordHash, err)
			}
		}
	}
	if slowest, err := s.db.SlowestHash(t.Context()); slowest != "" || err != nil {
		t.Errorf("got %q, %v, though all have signed in", slowest, err)
	}
}
