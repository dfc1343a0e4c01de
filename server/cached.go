package server

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"

	"onenow/db"
)

// The cache of answers holds up to maxAnswers bytes of them, and no answer of
// more than maxAnswer bytes, which is a month of a busy fleet.
const (
	maxAnswers = 4 << 20
	maxAnswer  = 256 << 10
)

// answerKey is everything that an answer depends on besides the database.
type answerKey struct {
	by    db.Principal // their name is in a vehicle
	https bool         // the scheme and the host are in a Link header
	host  string
	uri   string
}

// answer is a cached answer of status 200.
type answer struct {
	header http.Header // the headers that the handler has set
	body   []byte
}

// weight is about how much memory a takes.
func (a *answer) weight(key answerKey) int {
	weight := len(a.body) + len(key.host) + len(key.uri) + 400
	for name, values := range a.header {
		weight += len(name) + len(values[0]) + 50
	}
	return weight
}

func (a *answer) send(w http.ResponseWriter) error {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(a.body) // a client that has gone away is not our error
	return nil
}

// cached returns a handler that calls h only when something has been written to
// the database, by any process, since h last answered the same request. It caches
// answers that h writes as a whole with writeJSON. Streamed answers and errors
// are not cached.
func (s *Server) cached(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		x := exchangeOf(r)
		key := answerKey{*x.by, x.https, r.Host, r.RequestURI}
		a, ok, store := s.answers.lookup(key)
		if ok {
			return a.send(w)
		}
		rec := &recorder{ResponseWriter: w, header: http.Header{}, store: func(a *answer) {
			if a == nil {
				store(nil, noCache)
			} else {
				store(a, a.weight(key))
			}
		}}
		defer rec.done(nil)
		return h(rec, r)
	}
}

// recorder is a ResponseWriter that passes everything on, and hands an answer
// that is to be cached to store before it is sent: a client may be slow to
// receive it.
type recorder struct {
	http.ResponseWriter
	header http.Header // what the handler sets; passed on with the status
	status int
	store  func(*answer) // called once, with nil if the answer is not to be cached
}

func (rec *recorder) done(a *answer) {
	if rec.store != nil {
		rec.store(a)
		rec.store = nil
	}
}

func (rec *recorder) Header() http.Header { return rec.header }

func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 {
		rec.status = status
		maps.Copy(rec.ResponseWriter.Header(), rec.header)
	}
	rec.ResponseWriter.WriteHeader(status)
}

func (rec *recorder) Write(b []byte) (int, error) {
	if rec.status == 0 {
		rec.WriteHeader(http.StatusOK)
	}
	if rec.store != nil { // this is the first part of the answer, or all of it
		whole := rec.header.Get("Content-Length") == strconv.Itoa(len(b))
		if whole && rec.status == http.StatusOK && len(b) <= maxAnswer {
			rec.done(&answer{rec.header, bytes.Clone(b)})
		} else {
			rec.done(nil)
		}
	}
	return rec.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }
