package server

import (
	"embed"
	"net/http"
	"strings"
)

// docsFiles are the page at /docs/, which shows openapi.yaml and tries it out.
// Swagger UI, which does the work, comes from swgui, compressed.
//
//go:embed docs
var docsFiles embed.FS

// docsPolicy lets the page load what is served beside it and call the API, and
// nothing else: no other host, no script or style written into the page.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// toDocs leads to the page from a path beside it.
func toDocs(w http.ResponseWriter) error {
	w.Header().Set("Location", "docs/") // http.Redirect would make it absolute
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusFound)
	return nil
}

// wantsPage reports whether r is from a browser that opens an address, rather
// than from a program: it likes HTML better than JSON.
func wantsPage(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return quality(accept, "text/html", "text/*", "*/*") > quality(accept, "application/json", "application/*", "*/*")
}
