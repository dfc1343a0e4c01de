package body

import (
	"net/http"
	"strconv"
	"strings"
)

// Quality returns how much a header like Accept prefers a value (RFC 9110,
// section 12.4.2): the q of the first of names that is in the header, or 0 if none is.
func Quality(header string, names ...string) float64 {
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

// AcceptsGzip reports whether the client accepts an answer that is compressed with gzip.
func AcceptsGzip(r *http.Request) bool {
	accept := r.Header["Accept-Encoding"]
	return len(accept) > 0 && Quality(strings.Join(accept, ","), "gzip", "*") > 0
}
