package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestOddFiles runs migrate on files that are not databases. It changes none of them.
func TestOddFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(in("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"dangling": "nowhere", "link": "empty"} {
		if err := os.Symlink(to, in(from)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"empty": "", "old.db-wal": "bookings", "old2.db": "", "old2.db-wal": "bookings"} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"fifo":      "fifo is not a onenow database: it is not a regular file",
		"/dev/null": "/dev/null is not a onenow database: it is not a regular file",
		"dangling":  "cannot open dangling: it is a link to a file that does not exist",
		"old.db":    "old.db-wal next to it holds data of another database",
		"old2.db":   "old2.db-wal next to it holds data of another database",
	} {
		_, stderr := onenow(t, dir, "", 1, "migrate", "--db", name)
		sentence(t, stderr, want)
	}
	onenow(t, dir, "", 0, "migrate", "--db", "link")
	onenow(t, dir, "", 0, "check", "empty")
	for _, command := range []string{"set-password", "backup"} {
		_, stderr := onenow(t, dir, "pass123\n", 1, command, "x", "--db", "typo.db")
		sentence(t, stderr, "cannot open typo.db: it does not exist")
	}
	_, stderr := onenow(t, dir, "", 1, "check", "typo.db")
	sentence(t, stderr, "cannot open typo.db: it does not exist")
	if got := files(t, dir); got != "dangling empty fifo link old.db-wal old2.db old2.db-wal" {
		t.Errorf("got files %s", got)
	}
}

// TestNewerFile runs every command on a file of a newer onenow. The commands refuse it and
// do not change it.
func TestNewerFile(t *testing.T) {
	dir := t.TempDir()
	onenow(t, dir, "", 0, "migrate")
	path := filepath.Join(dir, "onenow.db")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[63] = 99 // the last byte of user_version
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve", "--addr", "127.0.0.1:0"}, {"migrate"}, {"create-user", "a"}, {"set-password", "a"}} {
		_, stderr := onenow(t, dir, "pass123\n", 1, args...)
		sentence(t, stderr, "onenow.db", "version 99", "newer onenow")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, text) || files(t, dir) != "onenow.db" {
		t.Error("the file was touched")
	}
}

func TestMigrateCommand(t *testing.T) {
	dir := t.TempDir()
	if out, _ := onenow(t, dir, "", 0, "migrate", "--db", "a.db"); out != "created a.db, version 2\n" {
		t.Errorf("got %q", out)
	}
	if out, _ := onenow(t, dir, "", 0, "migrate", "--db", "a.db"); out != "a.db has version 2: nothing to do\n" {
		t.Errorf("got %q", out)
	}
}

// TestFirstStarts starts many processes that create the same file at the same time. All of
// them write to one database.
func TestFirstStarts(t *testing.T) {
	t.Run("none", func(t *testing.T) { firstStarts(t, t.TempDir()) })
	t.Run("empty", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "onenow.db"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		firstStarts(t, dir)
	})
}

func firstStarts(t *testing.T, dir string) {
	const processes = 8
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), binary, "create-user", fmt.Sprint("user", i))
			cmd.Dir, cmd.Stdin = dir, strings.NewReader("pass123\n")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	if got := files(t, dir); got != "onenow.db" {
		t.Errorf("got files %s, want onenow.db alone", got)
	}
	p := serve(t, dir)
	for i := range processes {
		p.login(fmt.Sprint("user", i), "pass123")
	}
}
