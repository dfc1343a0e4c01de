package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// readmeBlock returns the block of the README that is marked as that test's.
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

// TestReadmeClient runs the README's client in Node. Its access token has expired
// by the time it uses it, so that it has to get new ones.
func TestReadmeClient(t *testing.T) {
	version, err := exec.Command("node", "--version").Output()
	var major int
	if _, scanErr := fmt.Sscanf(string(version), "v%d.", &major); err != nil || scanErr != nil || major < 18 {
		t.Skip("needs Node 18 or newer")
	}
	t.Run("with a car", func(t *testing.T) { runReadmeClient(t, true) })
	t.Run("without one", func(t *testing.T) { runReadmeClient(t, false) })
}

func runReadmeClient(t *testing.T, car bool) {
	s := newShop(t)
	token := s.owner("user1")
	want := []string{"POST /login/ 200", "GET /vehicles/ 401", "POST /api/token/refresh/ 200", "GET /vehicles/ 200",
		"POST /vehicles/ 201", "POST /bookings/ 201", "POST /bookings/ 409"}
	if car {
		s.vehicle(token, "ABC123")
		want = slices.Delete(want, 4, 5)
	}
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var calls []string
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(resp *http.Response) error {
		mu.Lock()
		defer mu.Unlock()
		if resp.Request.URL.Path == "/login/" {
			s.clock.advance(time.Hour + time.Minute)
		}
		calls = append(calls, fmt.Sprint(resp.Request.Method, " ", resp.Request.URL.Path, " ", resp.StatusCode))
		return nil
	}
	front := httptest.NewServer(proxy)
	defer front.Close()

	block := readmeBlock(t, "TestReadmeClient")
	script := filepath.Join(t.TempDir(), "client.mjs")
	if err := os.WriteFile(script, []byte(strings.Replace(block, "http://127.0.0.1:8000", front.URL, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	var prints strings.Builder
	for line := range strings.Lines(block) {
		if printed, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "// "); ok {
			prints.WriteString(printed)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := exec.CommandContext(ctx, "node", script).CombinedOutput()
	if err != nil || string(got) != prints.String() {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, &prints)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(calls, want) {
		t.Errorf("got calls %q, want %q", calls, want)
	}
}

// TestTypedClient makes types for TypeScript of openapi.yaml as the README says,
// and compiles what uses them.
func TestTypedClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "npm", "view", "openapi-typescript", "name").CombinedOutput(); err != nil {
		t.Skipf("needs npm and its packages: %v %s", err, out)
	}
	command := "npx openapi-typescript http://127.0.0.1:8000/openapi.yaml -o onenow.d.ts"
	if readme, err := os.ReadFile("../README.md"); err != nil || !strings.Contains(string(readme), "\n"+command+"\n") {
		t.Errorf("the README does not say %s, %v", command, err)
	}
	dir := t.TempDir()
	client, err := os.ReadFile("testdata/client.ts")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"client.ts": string(client), "readme.ts": readmeBlock(t, "TestTypedClient")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := "openapi-typescript " + newShop(t).url + "/openapi.yaml -o onenow.d.ts && tsc --strict --noEmit --module esnext --moduleResolution bundler client.ts readme.ts"
	cmd := exec.CommandContext(ctx, "npx", "--yes", "-p", "openapi-typescript@7.13.0", "-p", "typescript@5.9.3", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
