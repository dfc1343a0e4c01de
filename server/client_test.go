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

// TestTypedClient makes clients for TypeScript of openapi.yaml, with
// openapi-typescript as the README says and with three other generators. The
// clients and the code in testdata/clients that uses them compile under
// tsc --strict, without --skipLibCheck. Those with code of their own then talk
// to a server.
func TestTypedClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel) // after the subtests, which run in parallel
	var major, minor int
	version, err := exec.Command("node", "--version").Output()
	if _, scanErr := fmt.Sscanf(string(version), "v%d.%d.", &major, &minor); err != nil || scanErr != nil || major < 20 || major == 20 && minor < 19 {
		t.Skip("needs Node 20.19 or newer, for the generators of clients")
	}
	if out, err := exec.CommandContext(ctx, "npm", "view", "openapi-typescript", "name").CombinedOutput(); err != nil {
		t.Skipf("needs npm and its packages: %v %s", err, out)
	}
	command := "npx openapi-typescript http://127.0.0.1:8000/openapi.yaml -o onenow.d.ts"
	if readme, err := os.ReadFile("../README.md"); err != nil || !strings.Contains(string(readme), "\n"+command+"\n") {
		t.Errorf("the README does not say %s, %v", command, err)
	}

	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/clients")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"openapi.yaml": newShop(t).send("GET", "/openapi.yaml", "", nil).body,
		"readme.ts":    readmeBlock(t, "TestTypedClient"),
		"package.json": `{"private":true}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(t *testing.T, env, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "DO_NOT_TRACK=1", "npm_config_update_notifier=false", env)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run(t, "", "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "openapi-typescript@7.13.0", "@hey-api/openapi-ts@0.95.0",
		"orval@7.13.2", "openapi-typescript-codegen@0.31.0", "typescript@5.9.3")

	for _, generator := range []struct {
		name     string
		generate string
		files    string
		runs     bool
	}{
		{"openapi-typescript", "openapi-typescript URL -o onenow.d.ts", "openapi-typescript.ts readme.ts", false},
		{"hey-api", "openapi-ts -i openapi.yaml -o made/hey-api", "hey-api.ts", true},
		{"orval", "orval --input openapi.yaml --output made/orval.ts --client fetch", "orval.ts", true},
		{"codegen", "openapi --input openapi.yaml --output made/codegen", "codegen.ts", true},
	} {
		t.Run(generator.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			args := strings.Fields(strings.Replace(generator.generate, "URL", s.url+"/openapi.yaml", 1))
			run(t, "", "npx", append([]string{"--no-install"}, args...)...)
			module := "--module esnext --moduleResolution bundler --noEmit "
			if generator.runs {
				module = "--module commonjs --moduleResolution node10 --outDir js "
			}
			run(t, "", "npx", strings.Fields("--no-install tsc --strict --target es2022 --lib es2022,dom,dom.iterable "+module+generator.files)...)
			if !generator.runs {
				return
			}
			want := "Booked from 2025-07-20 to 2025-07-25\n409 This vehicle is already booked from 2025-07-20 to 2025-07-25.\n"
			if got := run(t, "API="+s.url, "node", filepath.Join("js", generator.name+".js")); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
