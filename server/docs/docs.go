// Package docs serves the description of the API, openapi.yaml, and the page
// that shows it and tries it out.
package docs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/swaggest/swgui/v5/static"

	"onenow/server/body"
)

// YAML describes the API for programs and people. It is written by hand; the
// tests compare every route, request and answer with it.
//
//go:embed openapi.yaml
var YAML []byte

// JSON is the same description as JSON, with its keys in the same order. After a change
// of openapi.yaml, write it again with "go test ./server/docs -update".
//
//go:embed openapi.json
var JSON []byte

// page holds our own files of the page at /docs/. The page runs Swagger UI, whose
// compressed files are in package swgui.
//
//go:embed index.html docs.js docs.css
var page embed.FS

// policy lets the page load the files next to it and call the API, and nothing
// else: no other host, and no script or style inside the page itself.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// files are the served files by their paths.
var files = sync.OnceValues(func() (map[string]file, error) {
	all := map[string]file{
		"openapi.yaml": newFile("application/yaml", YAML), // RFC 9512
		"openapi.json": newFile("application/json", JSON),
	}
	for _, f := range []struct {
		path, mediaType string
		from            fs.FS
		name            string
	}{
		{"docs", "text/html; charset=utf-8", page, "index.html"},
		{"docs/docs.js", "text/javascript; charset=utf-8", page, "docs.js"},
		{"docs/docs.css", "text/css; charset=utf-8", page, "docs.css"},
		{"docs/swagger-ui.css", "text/css; charset=utf-8", static.FS, "swagger-ui.css.gz"},
		{"docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8", static.FS, "swagger-ui-bundle.js.gz"},
		{"docs/favicon.png", "image/png", static.FS, "favicon-32x32.png"},
	} {
		content, err := fs.ReadFile(f.from, f.name)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(f.name, ".gz") {
			all[f.path] = newZippedFile(f.mediaType, content)
		} else {
			all[f.path] = newFile(f.mediaType, content)
		}
	}
	return all, nil
})

// Serve answers with the file at r's path, or returns fs.ErrNotExist if there is none.
func Serve(w http.ResponseWriter, r *http.Request) error {
	all, err := files()
	if err != nil {
		return err
	}
	name := strings.Trim(r.URL.Path, "/")
	f, ok := all[name]
	if !ok {
		return fs.ErrNotExist
	}
	if name == "docs" && !strings.HasSuffix(r.URL.Path, "/") { // the links of the page are relative to a folder
		Redirect(w)
		return nil
	}
	if strings.HasPrefix(name, "docs") {
		w.Header().Set("Content-Security-Policy", policy)
	}
	f.serve(w, r)
	return nil
}

// Redirect redirects a client to the page, from a path in the same folder. The
// location is relative, so that it works below any prefix of a proxy.
func Redirect(w http.ResponseWriter) {
	w.Header().Set("Location", "docs/") // http.Redirect would make it absolute
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusFound)
}

// file is a file that is the same for every client. All requests share its plain and its
// compressed bytes, which are made once, when a request first needs them.
type file struct {
	mediaType string
	tag       string // the ETag of plain; that of zipped ends in -gzip
	plain     func() []byte
	zipped    func() []byte // nil for a file that is never served compressed
}

// minZipped is the least size in bytes of a file that is also served compressed.
const minZipped = 1 << 10

func newFile(mediaType string, content []byte) file {
	f := file{mediaType: mediaType, tag: hash(content), plain: func() []byte { return content }}
	if len(content) >= minZipped && !strings.HasPrefix(mediaType, "image/") {
		f.zipped = sync.OnceValue(func() []byte { return zip(content) })
	}
	return f
}

func newZippedFile(mediaType string, zipped []byte) file {
	return file{mediaType, hash(zipped), sync.OnceValue(func() []byte { return unzip(zipped) }), func() []byte { return zipped }}
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

// serve answers with f, or with 304 to a client that has it. Clients may cache the
// file, and must ask each time whether it is still current.
func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", f.mediaType)
	tag, content := f.tag, []byte(nil)
	if f.zipped != nil && body.AcceptsGzip(r) {
		tag, content = tag+"-gzip", f.zipped()
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(content))) // ServeContent leaves it out with an encoding
	} else {
		content = f.plain()
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// zip returns content compressed.
func zip(content []byte) []byte {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	_, _ = zw.Write(content) // a buffer takes everything
	_ = zw.Close()
	return buf.Bytes()
}

// unzip returns the content of a compressed file that is part of the program.
func unzip(content []byte) []byte {
	zr, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		panic(err)
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		panic(err)
	}
	return plain
}
