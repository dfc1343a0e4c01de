package server

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"onenow/db"
	"onenow/server/body"
)

// The cache of answers holds up to maxAnswers bytes, and no answer of more than
// maxAnswer bytes, which is the size of a month of a busy fleet.
const (
	maxAnswers = 4 << 20
	maxAnswer  = 256 << 10
)

// shortAnswer is the length in bytes up to which net/http sets the Content-Length of an
// answer by itself. We do not set it then: a header map of more than eight entries would
// take 1.2 kB more, and a twentieth of the time of a cached answer.
const shortAnswer = 2000

// answerKey is everything that a cached answer depends on besides the database.
type answerKey struct {
	by  db.Principal // the user's name is in the body of a vehicle
	uri string
}

// answer is the whole answer of status 200 to a GET.
type answer struct {
	header http.Header // the headers that the handler has set, without Content-Length
	body   []byte
	tag    string // the entity tag, without its quotes

	etag, zippedETag []string // the headers of the plain and of the compressed answer

	zip    sync.Once
	zipped []byte // body compressed, once a client has asked for it
}

func newAnswer(header http.Header, body []byte) *answer {
	tag := tagOf(body, header.Get("Link"), header.Get("X-Total-Count")) // the rows of a page may stay the same while a next page appears
	delete(header, "Content-Length")
	return &answer{header: header, body: body, tag: tag, etag: []string{`"` + tag + `"`}, zippedETag: []string{`"` + tag + zippedMark + `"`}}
}

// tagOf returns the entity tag (RFC 9110, section 8.8.3) of a body with the headers
// that belong to it: equal tags mean equal answers.
func tagOf(body []byte, headers ...string) string {
	hash := sha256.New()
	hash.Write(body)
	for _, h := range headers {
		if h != "" {
			hash.Write([]byte("\n" + h))
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:10])
}

// weight is about how much memory a cached answer takes.
func (a *answer) weight(key answerKey) int {
	weight := len(a.body)*5/4 + len(key.uri) + 400 // a quarter for the compressed body
	for name, values := range a.header {
		weight += len(name) + len(values[0]) + 50
	}
	return weight
}

// send sends the answer, or 304 to a client that has it.
func (a *answer) send(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	zip := len(a.body) >= minCompressed && body.AcceptsGzip(r)
	h["Etag"] = a.etag
	if zip {
		h["Etag"] = a.zippedETag
	}
	if matchesTag(r.Header["If-None-Match"], a.tag, true) {
		h["Vary"] = append(h["Vary"], a.header["Vary"]...)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	addHeader(h, a.header)
	text := a.body
	if zip {
		a.zip.Do(func() { a.zipped = compress(a.body) }) // once for all clients
		text = a.zipped
		h.Set("Content-Encoding", "gzip")
	}
	if len(text) > shortAnswer {
		h.Set("Content-Length", strconv.Itoa(len(text)))
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(text) // a client that has gone away is not our error
	return nil
}

// addHeader adds the headers that a handler has set to those of the middleware. If both
// have a Vary, the result has the values of both.
func addHeader(h, set http.Header) {
	for name, values := range set {
		if name == "Vary" {
			values = append(h[name], values...)
		}
		h[name] = values
	}
}

// matchesTag reports whether a header like If-None-Match lists a tag, or is *. Only a
// weak comparison accepts a tag that is marked as weak (RFC 9110, section 8.8.3.2).
func matchesTag(header []string, tag string, weak bool) bool {
	if len(header) == 0 {
		return false
	}
	for item := range strings.SplitSeq(strings.Join(header, ","), ",") {
		item = strings.TrimSpace(item)
		if item == "*" {
			return true
		}
		if strong, marked := strings.CutPrefix(item, "W/"); marked && weak {
			item = strong
		}
		if len(item) >= 2 && item[0] == '"' && strings.TrimSuffix(strings.Trim(item, `"`), zippedMark) == tag {
			return true
		}
	}
	return false
}

var errChanged = detail(http.StatusPreconditionFailed, "This was changed by somebody else meanwhile.")

// ifMatch returns the precondition of r's If-Match header for a row, or nil if r has no
// such header. shape returns the body with which GET answers for the row.
func ifMatch[T any](r *http.Request, shape func(T) any) db.Precondition[T] {
	tags := r.Header["If-Match"]
	if len(tags) == 0 {
		return nil
	}
	return func(before T) error {
		text, err := toJSON(shape(before))
		if err == nil && !matchesTag(tags, tagOf(text), false) {
			err = errChanged
		}
		return err
	}
}

// cached returns a tagged handler that calls h only when something has been written
// to the database, by any process, since h last answered the same request. Streamed
// answers and errors are not cached.
func (s *Server) cached(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		key := answerKey{*exchangeOf(r).by, r.RequestURI}
		a, ok, store := s.answers.lookup(key)
		if ok {
			return a.send(w, r)
		}
		weight := noCache
		defer func() { store(a, weight) }()
		rec := &recorder{ResponseWriter: w, header: http.Header{}}
		if err := h(rec, r); err != nil {
			return err
		}
		if a = rec.whole; a == nil {
			return nil // rec has sent it
		}
		if len(a.body) <= maxAnswer {
			weight = a.weight(key)
		}
		store(a, weight) // before it is sent: a client may be slow to receive it
		store = func(*answer, int) {}
		return a.send(w, r)
	}
}

// tagged returns a handler that answers with an ETag, or with 304 to a client that
// has the answer.
func tagged(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		rec := &recorder{ResponseWriter: w, header: http.Header{}}
		if err := h(rec, r); err != nil || rec.whole == nil {
			return err
		}
		return rec.whole.send(w, r)
	}
}

// recorder is a ResponseWriter. It stores an answer of status 200 whose body comes in one
// Write, like that of writeJSON, and passes every other answer on.
type recorder struct {
	http.ResponseWriter
	header http.Header // the handler's headers; passed on with the status
	status int
	whole  *answer // nil if the answer has been passed on
}

func (rec *recorder) Header() http.Header { return rec.header }

func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 {
		rec.status = status
		if status != http.StatusOK {
			rec.pass()
		}
	}
}

// pass passes the status and the headers on.
func (rec *recorder) pass() {
	addHeader(rec.ResponseWriter.Header(), rec.header)
	rec.ResponseWriter.WriteHeader(rec.status)
}

func (rec *recorder) Write(b []byte) (int, error) {
	first := rec.status == 0
	if first {
		rec.status = http.StatusOK
	}
	if rec.status == http.StatusOK && rec.header.Get("Content-Length") == strconv.Itoa(len(b)) {
		rec.whole = newAnswer(rec.header, b) // b is not copied: writeJSON does not use it again
		return len(b), nil
	}
	if first {
		rec.pass()
	}
	return rec.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }
