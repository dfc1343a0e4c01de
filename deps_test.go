package main_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers are the layers of onenow, from the top down. A package belongs to the layer with
// the longest matching path: onenow/db/dbtest belongs to onenow/db.
var layers = []string{"onenow", "onenow/cmd", "onenow/server", "onenow/db", "onenow/db/store", "onenow/auth", "onenow/db/prices"}

// layer returns the index in layers of a package, or -1 if it is not a package of onenow.
func layer(pkg string) int {
	deepest := -1
	for i, folder := range layers {
		if (pkg == folder || strings.HasPrefix(pkg, folder+"/")) && (deepest < 0 || len(folder) > len(layers[deepest])) {
			deepest = i
		}
	}
	return deepest
}

// TestImports fails if a package imports a package of a layer above its own, if packages
// db and auth import each other, or if auth imports SQLite's driver.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}{{range .Deps}} {{.}}{{end}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var checked []string
	for line := range strings.Lines(string(out)) {
		pkg, deps := strings.Fields(line)[0], strings.Fields(line)[1:]
		checked = append(checked, pkg)
		for _, dep := range deps {
			if l := layer(dep); l >= 0 && l < layer(pkg) {
				t.Errorf("%s imports %s", pkg, dep)
			}
			if strings.HasPrefix(pkg, "onenow/db") && dep == "onenow/auth" || pkg == "onenow/auth" && dep == "modernc.org/sqlite" {
				t.Errorf("%s imports %s", pkg, dep)
			}
		}
	}
	for _, pkg := range []string{"onenow", "onenow/cmd", "onenow/server", "onenow/db", "onenow/auth", "onenow/db/prices"} {
		if !slices.Contains(checked, pkg) {
			t.Errorf("go list does not know the package %s", pkg)
		}
	}
}

// TestOnlyStoreHasTheDriver fails if a package of the program, other than db/store,
// imports SQLite's driver.
func TestOnlyStoreHasTheDriver(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(pkg, "onenow") || !strings.Contains(" "+imports+" ", " modernc.org/") {
			continue
		}
		if pkg != "onenow/db/store" {
			t.Errorf("%s imports SQLite's driver", pkg)
		}
		found = true
	}
	if !found {
		t.Error("no package imports SQLite's driver")
	}
}

// TestTestsStayOutside fails if the program imports a package that only tests need.
func TestTestsStayOutside(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		for _, tests := range []string{"github.com/pb33f/", "github.com/goccy/", "github.com/chromedp/", "onenow/db/dbtest", "testing"} {
			if strings.HasPrefix(dep, tests) {
				t.Errorf("the program imports %s", dep)
			}
		}
	}
}
