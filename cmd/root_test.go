package cmd_test

import (
	"debug/elf"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

func TestStaticBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks at an ELF file, which Linux has")
	}
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary needs a dynamic loader")
		}
	}
	if libs, err := f.ImportedLibraries(); err != nil || len(libs) != 0 {
		t.Errorf("the binary needs %v, %v", libs, err)
	}
}

// TestEnvironment sets flags by their variables.
func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("ONENOW_DB", "env.db")
	t.Setenv("ONENOW_CORS_ORIGIN", "https://a.example,https://b.example")
	t.Setenv("ONENOW_REGISTRATION", "closed")
	onenow(t, dir, "", 0, "migrate")
	onenow(t, dir, "", 0, "migrate", "--db", "flag.db")
	if got := files(t, dir); got != "env.db flag.db" {
		t.Errorf("got files %s", got)
	}
	p := serve(t, dir)
	if status, _ := p.post("/register/", "", "{}"); status != 403 {
		t.Errorf("got %d, want 403", status)
	}
	req, err := http.NewRequest("GET", p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://b.example")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "https://b.example" {
		t.Errorf("got Access-Control-Allow-Origin %q", got)
	}
	t.Setenv("ONENOW_ADDR", "") // as if absent
	onenow(t, dir, "", 0, "help", "serve")
	_, stderr := onenow(t, dir, "", 1, "serve", "--addr", "")
	sentence(t, stderr, "--addr")
	_, stderr = onenow(t, dir, "", 1, "migrate", "--db", "")
	sentence(t, stderr, "--db")
	t.Setenv("ONENOW_REGISTRATION", "ajar")
	_, stderr = onenow(t, dir, "", 1, "serve")
	sentence(t, stderr, "ONENOW_REGISTRATION", "open or closed")
}

// TestHelp wants an example of every command, and the version.
func TestHelp(t *testing.T) {
	dir := t.TempDir()
	for _, command := range []string{"", "serve", "migrate", "create-user", "set-password", "backup", "check", "import-django"} {
		out, _ := onenow(t, dir, "", 0, strings.Fields(command+" --help")...)
		if !strings.Contains(out, "Examples:\n  onenow "+command) {
			t.Errorf("%s --help has no example:\n%s", command, out)
		}
	}
	if out, _ := onenow(t, dir, "", 0, "--version"); !strings.HasPrefix(out, "onenow version ") || strings.Contains(out, "(devel)") {
		t.Errorf("got %q", out)
	}
	if out, _ := onenow(t, dir, "", 0, "completion", "bash"); !strings.Contains(out, "__start_onenow") {
		t.Errorf("got %q", out)
	}
}
