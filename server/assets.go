package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/swaggest/swgui/v5/static"
)

// assets are the files that are served as they are, by their paths.
var assets = sync.OnceValues(func() (map[string]asset, error) {
	asJSON, err := yamlToJSON(openapiYAML)
	if err != nil {
		return nil, err
	}
	all := map[string]asset{
		"openapi.yaml": newAsset("application/yaml", openapiYAML), // RFC 9512
		"openapi.json": newAsset("application/json", asJSON),
	}
	for _, f := range []struct {
		path, mediaType string
		from            fs.FS
		file            string
	}{
		{"docs", "text/html; charset=utf-8", docsFiles, "docs/index.html"},
		{"docs/docs.js", "text/javascript; charset=utf-8", docsFiles, "docs/docs.js"},
		{"docs/docs.css", "text/css; charset=utf-8", docsFiles, "docs/docs.css"},
		{"docs/swagger-ui.css", "text/css; charset=utf-8", static.FS, "swagger-ui.css.gz"},
		{"docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8", static.FS, "swagger-ui-bundle.js.gz"},
		{"docs/favicon.png", "image/png", static.FS, "favicon-32x32.png"},
	} {
		text, err := fs.ReadFile(f.from, f.file)
		if err != nil {
			return nil, err
		}
		a := newAsset(f.mediaType, text)
		a.gzipped = strings.HasSuffix(f.file, ".gz")
		all[f.path] = a
	}
	return all, nil
})

// asset answers with the asset that the path names. Links of the page are
// relative, so that it works under any path of a proxy's.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) error {
	all, err := assets()
	if err != nil {
		return err
	}
	name := strings.Trim(r.URL.Path, "/")
	a, ok := all[name]
	if !ok {
		return errPathNotFound
	}
	if name == "docs" && !strings.HasSuffix(r.URL.Path, "/") {
		return toDocs(w) // its links are relative to a folder
	}
	if strings.HasPrefix(name, "docs") {
		w.Header().Set("Content-Security-Policy", docsPolicy)
	}
	writeAsset(w, r, a)
	return nil
}

// quality returns how much a header like Accept wants something (RFC 9110,
// section 12.4.2), by the first of its names that is listed; 0 if none is.
func quality(header string, names ...string) float64 {
	for _, name := range names {
		for item := range strings.SplitSeq(header, ",") {
			value, params, _ := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(value), name) {
				continue
			}
			for param := range strings.SplitSeq(params, ";") {
				k, v, _ := strings.Cut(strings.TrimSpace(param), "=")
				if q, err := strconv.ParseFloat(v, 64); err == nil && strings.EqualFold(k, "q") {
					return q
				}
			}
			return 1
		}
	}
	return 0
}

// asset is a file that is the same for everybody.
type asset struct {
	mediaType string
	text      []byte
	gzipped   bool // whether text is
	hash      string
}

func newAsset(mediaType string, text []byte) asset {
	sum := sha256.Sum256(text)
	return asset{mediaType: mediaType, text: text, hash: hex.EncodeToString(sum[:8])}
}

// writeAsset answers with a, or with 304 to a client that has it. Clients may
// keep it and are to ask whether there is a newer one.
func writeAsset(w http.ResponseWriter, r *http.Request, a asset) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	tag, zip := a.hash, false
	if a.gzipped {
		h.Add("Vary", "Accept-Encoding")
		if zip = quality(strings.Join(r.Header.Values("Accept-Encoding"), ","), "gzip", "*") > 0; zip {
			tag += "-gzip"
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	if known := r.Header.Get("If-None-Match"); known == "*" || strings.Contains(known, `"`+tag+`"`) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.mediaType)
	text := a.text
	switch {
	case zip:
		h.Set("Content-Encoding", "gzip")
	case a.gzipped:
		text = unzip(text)
	}
	h.Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // a client that is gone is no error of ours
}

// unzip returns what text, a file of ours, holds.
func unzip(text []byte) []byte {
	zr, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		panic(err)
	}
	return plain
}
