package cmd_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestUserCommands creates a user and sets a new password while the server runs.
func TestUserCommands(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	if out, _ := onenow(t, dir, "pass123\n", 0, "create-user", " shop "); out != "created user \"shop\"\n" {
		t.Errorf("got %q", out)
	}
	token := p.login("shop", "pass123")
	_, stderr := onenow(t, dir, "other\n", 1, "create-user", "shop")
	sentence(t, stderr, `"shop"`, "already", "set-password")
	_, stderr = onenow(t, dir, "", 1, "create-user", "second")
	sentence(t, stderr, "Password is required.")
	_, stderr = onenow(t, dir, strings.Repeat("x", 1025), 1, "create-user", "second")
	sentence(t, stderr, "no more than 1024 characters")
	_, stderr = onenow(t, dir, "pass123\n", 1, "create-user", " ")
	sentence(t, stderr, "Username is required.")
	_, stderr = onenow(t, dir, "pass123\n", 1, "create-user", "shop", "pass123")
	sentence(t, stderr, "create-user takes one argument, the name of the user, but 2 are given", "onenow create-user NAME", "the password is not an argument")
	if strings.Contains(stderr, "pass123") {
		t.Errorf("got %q, which shows the password", stderr)
	}
	_, stderr = onenow(t, dir, "pass123\n", 1, "set-password", "nobody")
	sentence(t, stderr, `no user "nobody"`, "create-user")

	if out, _ := onenow(t, dir, "new pass \r\n", 0, "set-password", "shop"); !strings.Contains(out, `"shop"`) {
		t.Errorf("got %q", out)
	}
	deadline := time.Now().Add(10 * time.Second)
	for { // the server checks the token before the empty body
		status, _ := p.post("/vehicles/", token, "{}")
		if status == 401 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d with the old token, want 401", status)
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.login("shop", "new pass ")
	// A byte order mark at the beginning is not part of the password.
	onenow(t, dir, "\ufeffmarked\r\n", 0, "set-password", "shop")
	p.login("shop", "marked")
	onenow(t, dir, "\ufeff\ufeffmarked", 0, "create-user", "marked")
	p.login("marked", "\ufeffmarked")
	onenow(t, dir, "pass123\n", 0, "create-user", "second")
	// Soon after the command, the server's checkpoint has copied its writes into the file.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := slowCopy(filepath.Join(dir, "onenow.db"), filepath.Join(dir, "copy.db"), 0); err != nil {
			t.Fatal(err)
		}
		out, _ := onenow(t, dir, "", 0, "check", "copy.db")
		if strings.Contains(out, "users: 3,") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %s", out)
		}
	}
}
