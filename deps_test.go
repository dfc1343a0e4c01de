package main_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestTestsStayOutside looks for what only tests need in the program.
func TestTestsStayOutside(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		for _, tests := range []string{"github.com/pb33f/", "github.com/goccy/", "github.com/chromedp/", "onenow/db/dbtest", "testing"} {
			if strings.HasPrefix(dep, tests) {
				t.Errorf("the program has %s", dep)
			}
		}
	}
}
