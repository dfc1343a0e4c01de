package server_test

import (
	"strings"
	"testing"

	"onenow/auth"
	"onenow/db/dbtest"
	"onenow/server"
)

// TestImportedUsers signs in users with Django's hashes. The first sign-in replaces the
// hash.
func TestImportedUsers(t *testing.T) {
	s := newShop(t)
	s.user("shop")
	slow := dbtest.DjangoHash(t, "pass123", 300_000)
	for name, hash := range map[string]string{"slow": slow, "quick": dbtest.DjangoHash(t, " long "+strings.Repeat("x", 2000), 1), "locked": auth.Locked} {
		if _, err := s.db.CreateUser(t.Context(), name, hash); err != nil {
			t.Fatal(err)
		}
	}
	if slowest, err := s.db.SlowestHash(t.Context()); slowest != slow || err != nil {
		t.Errorf("got %q, %v, want %q", slowest, err, slow)
	}
	for _, name := range []string{"nobody", "shop", "slow", "quick", "locked"} {
		s.send("POST", "/login/", "", map[string]string{"username": name, "password": "!"}).want(t, 401, wrongLogin)
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
		t.Errorf("got %q, %v, though all users have signed in", slowest, err)
	}
}

// BenchmarkRefusedSignIn sends wrong passwords while one user still has a hash from
// Django. The time must not show whether the user exists or which hash the user has.
func BenchmarkRefusedSignIn(b *testing.B) {
	s := &shop{t: b, db: dbtest.New(b)}
	s.url = start(b, server.Config{DB: s.db})
	for name, hash := range map[string]string{"argon2id": hashOf(b, "pass123"), "slow": dbtest.DjangoHash(b, "pass123", 1_000_000), "quick": dbtest.DjangoHash(b, "pass123", 260_000), "locked": auth.Locked} {
		if _, err := s.db.CreateUser(b.Context(), name, hash); err != nil {
			b.Fatal(err)
		}
	}
	for _, name := range []string{"nobody", "argon2id", "slow", "quick", "locked"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.as(b).send("POST", "/login/", "", map[string]string{"username": name, "password": "!"}).want(b, 401, wrongLogin)
			}
		})
	}
}
