package cmd_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// readmeBlock returns the code block of the README that names the test.
func readmeBlock(t *testing.T, test string) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)" + test + ".*?```[a-z]+\n(.*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatalf("no block of %s in the README", test)
	}
	return string(m[1])
}

// TestReadmeWalkthrough runs the README's block of curl commands. Only the port
// is changed.
func TestReadmeWalkthrough(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the walk-through needs %s", tool)
		}
	}
	block := readmeBlock(t, "TestReadmeWalkthrough")
	p := serve(t, t.TempDir())
	script := strings.ReplaceAll(block, "http://127.0.0.1:8000", p.url)
	var want strings.Builder
	for line := range strings.Lines(script) {
		if answer, ok := strings.CutPrefix(line, "# "); ok {
			want.WriteString(answer)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Stderr = os.Stderr
	got, err := cmd.Output()
	if err != nil || string(got) != want.String() {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want.String())
	}
}

// TestSystemdUnit has systemd verify the README's unit, with the path of the
// program replaced.
func TestSystemdUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("needs systemd-analyze")
	}
	block := readmeBlock(t, "TestSystemdUnit")
	unit := filepath.Join(t.TempDir(), "onenow.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(block, "/usr/local/bin/onenow", binary)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("onenow.service")) {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestReadmeImport runs the README's commands for the import.
func TestReadmeImport(t *testing.T) {
	dir := t.TempDir()
	d := newDjango(t, dir)
	car := d.shop()
	d.booking(car, "2030-03-10 19:30:00", "2030-03-12 19:30:00")
	d.booking(car, "2030-03-10 19:30:00", "2030-03-12 19:30:00")
	d.pool.Close()
	t.Setenv("PATH", filepath.Dir(binary)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	cmd := exec.CommandContext(t.Context(), "sh", "-c", readmeBlock(t, "TestReadmeImport"))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	holds(t, string(out), "they overlap; kept: booking 1\n", "nothing was imported", "imported db.sqlite3 into onenow.db\n")
	if got := files(t, dir); got != "db.sqlite3 left.csv onenow.db" {
		t.Errorf("got files %s", got)
	}
}
