package cmd_test

import (
	"debug/elf"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestStaticBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads an ELF file, which only Linux has")
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

// TestEnvironment sets flags with environment variables.
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
	t.Setenv("ONENOW_ADDR", "") // an empty variable has no effect
	onenow(t, dir, "", 0, "help", "serve")
	_, stderr := onenow(t, dir, "", 1, "serve", "--addr", "")
	sentence(t, stderr, "--addr")
	_, stderr = onenow(t, dir, "", 1, "migrate", "--db", "")
	sentence(t, stderr, "--db")
	t.Setenv("ONENOW_REGISTRATION", "ajar")
	_, stderr = onenow(t, dir, "", 1, "serve")
	sentence(t, stderr, "ONENOW_REGISTRATION", "open or closed")
}

// TestHelp checks that the help of every command has an example, and checks --version.
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

// TestArguments calls commands with too few or too many arguments.
func TestArguments(t *testing.T) {
	dir := t.TempDir()
	for args, want := range map[string]string{
		"create-user":                 "the name of the user is missing: write onenow create-user NAME",
		"set-password":                "the name of the user is missing: write onenow set-password NAME",
		"set-password a b":            "set-password takes one argument, the name of the user, but 2 are given: write onenow set-password NAME, with quotes around an argument that has spaces; the password is not an argument",
		"backup":                      "the file to write is missing: write onenow backup DEST",
		"backup a b":                  "backup takes one argument, the file to write, but 2 are given",
		"import-django":               "the SQLite file of the first implementation is missing: write onenow import-django FILE",
		"import-django a b c":         "takes one argument, the SQLite file of the first implementation, but 3 are given",
		"check a b":                   "check takes one argument, the file to check, but 2 are given",
		"migrate now":                 `unknown command "now"`,
		"serve --nonsense":            "unknown flag: --nonsense",
		"serve --max-connections x":   `--max-connections is "x": write a whole number like 1024`,
		"serve --backup-every 1d":     `--backup-every is "1d": write a time like 24h or 90m`,
		`serve --domain "a"b.example`: "--domain is",
	} {
		_, stderr := onenow(t, dir, "", 1, strings.Fields(args)...)
		sentence(t, stderr, want)
	}
	if got := files(t, dir); got != "" {
		t.Errorf("got files %s, want none", got)
	}
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// TestTimeZone runs a command with values of TZ for which Go silently uses UTC. The command
// refuses them.
func TestTimeZone(t *testing.T) {
	dir := t.TempDir()
	onenow(t, dir, "", 0, "migrate")
	good := []string{"", ":", "UTC", ":UTC", "Asia/Karachi", ":Asia/Karachi", "Etc/UTC", "EST5EDT"}
	if file := "/usr/share/zoneinfo/Asia/Karachi"; isFile(file) {
		good = append(good, file, ":"+file)
	}
	for _, tz := range good {
		t.Setenv("TZ", tz)
		onenow(t, dir, "", 0, "check")
	}
	for _, tz := range []string{"PKT-5", "Asia/Lahore", "UTC0", "Local", "/nowhere", filepath.Join(dir, "onenow.db"), "::UTC", "asia karachi"} {
		t.Setenv("TZ", tz)
		for _, command := range []string{"serve", "migrate", "create-user a", "set-password a", "backup a", "check", "import-django a"} {
			_, stderr := onenow(t, dir, "", 1, strings.Fields(command)...)
			sentence(t, stderr, "the environment variable TZ is", tz, "Asia/Karachi")
		}
	}
}

// TestControlCharacters runs commands with control characters in arguments, in values of
// flags, and in environment variables. The commands refuse them.
func TestControlCharacters(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"migrate", "--db", "onenow.db\r"}, `the value of --db is "onenow.db\r"`},
		{[]string{"migrate", "--db=onenow\t.db"}, `the value of --db is "onenow\t.db"`},
		{[]string{"create-user", "shop\n"}, `an argument is "shop\n"`},
		{[]string{"backup", "a\x7f"}, `an argument is "a\x7f"`},
		{[]string{"serve", "--domain", "a.example\nb.example"}, `the value of --domain is "a.example\nb.example"`},
		{[]string{"serve", "--cors-origin", "https://a.example,https://b.example\r"}, "the value of --cors-origin is"},
	} {
		_, stderr := onenow(t, dir, "pass123\n", 1, c.args...)
		sentence(t, stderr, c.want, "control character", "remove that character")
	}
	for name, value := range map[string]string{"ONENOW_DB": "onenow.db\r", "ONENOW_ADDR": "127.0.0.1:0\n", "ONENOW_DOMAIN": "a.example\r\n", "ONENOW_MAX_CONNECTIONS": "7\r"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			_, stderr := onenow(t, dir, "", 1, "serve")
			sentence(t, stderr, fmt.Sprintf("%s is %q", name, value), "control character", "remove that character")
		})
	}
	if got := files(t, dir); got != "" {
		t.Errorf("got files %s, want none", got)
	}
}

// TestInvisibleCharacters runs commands with invisible characters in arguments, and with
// quotes in variables. Without the error, each would create a new, empty shop.
func TestInvisibleCharacters(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"migrate", "--db", "\ufeffonenow.db"}, {"create-user", "sh\u200bop"}, {"check", "\u202aonenow.db"}} {
		_, stderr := onenow(t, dir, "pass123\n", 1, args...)
		sentence(t, stderr, "which has an invisible character: remove that character")
	}
	for value, want := range map[string]string{
		"\ufeffonenow.db": `ONENOW_DB is "\ufeffonenow.db", which has an invisible character`,
		`"onenow.db"`:     `ONENOW_DB is "onenow.db", and its quotes are a part of it: remove the quotes`,
		`'onenow.db'`:     `ONENOW_DB is 'onenow.db', and its quotes are a part of it`,
	} {
		t.Setenv("ONENOW_DB", value)
		_, stderr := onenow(t, dir, "", 1, "migrate")
		sentence(t, stderr, want)
	}
	if got := files(t, dir); got != "" {
		t.Errorf("got files %s, want none", got)
	}
	onenow(t, dir, "", 0, "migrate", "--db", "\u0645\u06cc\u200c\u062e.db") // a joiner belongs to a word
}

// TestFlagsWithoutEffect runs serve with flags and environment variables that have no
// effect because of another flag. The error names them.
func TestFlagsWithoutEffect(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ env, args, want string }{
		{"", "--addr 127.0.0.1:0 --domain a.example", "--addr has no effect with --domain, which serves on --https-addr and --http-addr: remove --addr"},
		{"ONENOW_ADDR=127.0.0.1:0", "--domain a.example", "ONENOW_ADDR has no effect with --domain"},
		{"ONENOW_DOMAIN=a.example", "--addr 127.0.0.1:0", "--addr has no effect with ONENOW_DOMAIN"},
		{"", "--https-addr 127.0.0.1:0", "--https-addr has no effect without --domain: remove --https-addr, or add --domain"},
		{"", "--http-addr 127.0.0.1:0", "--http-addr has no effect without --domain"},
		{"", "--acme-directory https://a.example", "--acme-directory has no effect without --domain"},
		{"ONENOW_HTTPS_ADDR=127.0.0.1:0", "", "ONENOW_HTTPS_ADDR has no effect without --domain: remove ONENOW_HTTPS_ADDR, or add --domain"},
		{"", "--backup-every 24h", "--backup-every has no effect without --backup-dir"},
		{"", "--backup-keep 7", "--backup-keep has no effect without --backup-dir"},
		{"ONENOW_BACKUP_KEEP=7", "", "ONENOW_BACKUP_KEEP has no effect without --backup-dir"},
		{"", "--backup-dir=", "--backup-dir is empty, which has no effect: give it a value, or remove it"},
		{"", "--domain=", "--domain is empty"},
		{"", "--cors-origin=", "--cors-origin is empty"},
		{"", "--trusted-proxy=", "--trusted-proxy is empty"},
	} {
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			if name, value, ok := strings.Cut(c.env, "="); ok {
				t.Setenv(name, value)
			}
			_, stderr := onenow(t, dir, "", 1, strings.Fields("serve "+c.args)...)
			sentence(t, stderr, c.want)
		})
	}
	for args, want := range map[string]string{
		"check a.db --db b.db": "--db has no effect with a file to check: remove one of the two",
		"backup - --force":     "--force has no effect with standard output: remove --force",
	} {
		_, stderr := onenow(t, dir, "", 1, strings.Fields(args)...)
		sentence(t, stderr, want)
	}
	if got := files(t, dir); got != "" {
		t.Errorf("got files %s, want none", got)
	}
}
