package server

import (
	"bytes"
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"onenow/db"
)

// reader finds the answer to a GET in the database.
type reader func(r *http.Request) (*answer, error)

// answer is what a reader answers with, as 200.
type answer struct {
	body []byte // JSON
	link string // a Link header, or ""

	stream func(http.ResponseWriter) error // sends one that is too long to be kept as a whole
}

// answerJSON is an answer with v as JSON.
func answerJSON(v any) (*answer, error) {
	body, err := toJSON(v)
	return &answer{body: body}, err
}

func (a *answer) send(w http.ResponseWriter) error {
	if a.stream != nil {
		return a.stream(w)
	}
	if a.link != "" {
		w.Header().Set("Link", a.link)
	}
	sendJSON(w, http.StatusOK, a.body)
	return nil
}

// Answers are remembered up to maxAnswers bytes of them, none of more than
// maxAnswer: a busy fleet's month.
const (
	maxAnswers = 4 << 20
	maxAnswer  = 256 << 10
)

// answerKey is all that an answer depends on beside what is in the database.
type answerKey struct {
	by    db.Principal // the name is in a vehicle
	https bool         // this and the host are in a Link header
	host  string
	uri   string
}

// remembered makes a handler of read that answers the same request as before
// where nothing has been written since, by whatever process.
func (s *Server) remembered(read reader) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		x := exchangeOf(r)
		a, err := s.answers.find(answerKey{*x.by, x.https, r.Host, r.RequestURI}, func() (*answer, int, error) {
			a, err := read(r)
			if err != nil || a.stream != nil || len(a.body) > maxAnswer {
				return a, unkept, err
			}
			return a, len(a.body) + len(a.link) + len(r.Host) + len(r.RequestURI) + 200, nil
		})
		if err != nil {
			return err
		}
		return a.send(w)
	}
}

// A list of up to smallList rows, a few hundred kilobytes, is read and sent at
// once. A longer one is sent while it is read, largePart rows at a time, each
// part as of one moment: a slow client then keeps neither the database nor much
// memory to itself. largeLists of those are sent at a time, each as long as its
// client goes on taking what the system has room to hold for it.
const (
	smallList  = 3000
	largePart  = 32768 // some 3 MB
	largeLists = 8
	piece      = 32 << 10 // bytes
)

var pieceTimeout = writeTimeout // a variable for the tests' sake

// list is the rows of a collection: limit of them, or all if that is 0. read
// returns up to limit rows, by ascending id, with ids above after.
type list[T any] struct {
	after int64
	limit int
	id    func(T) int64
	read  func(after int64, limit int) ([]T, error)
}

func (l list[T]) answer(s *Server, r *http.Request) (*answer, error) {
	rows, err := l.read(l.after, cmp.Or(l.limit, smallList)+1) // one more, to see whether more follow
	if err != nil {
		return nil, err
	}
	if l.limit == 0 && len(rows) > smallList {
		return &answer{stream: func(w http.ResponseWriter) error { return l.stream(s, w, r) }}, nil
	}
	link := ""
	if l.limit > 0 && len(rows) > l.limit {
		rows = rows[:l.limit]
		link = nextPage(r, l.id(rows[l.limit-1]))
	}
	a, err := answerJSON(rows)
	a.link = link
	return a, err
}

// nextPage is a Link header (RFC 8288) to the page after a row's id.
func nextPage(r *http.Request, after int64) string {
	query := url.Values{}
	for k, v := range parseForm(r.URL.RawQuery) {
		query.Set(k, v)
	}
	query.Set("after", strconv.FormatInt(after, 10))
	return "<" + baseURL(r) + r.URL.EscapedPath() + "?" + query.Encode() + `>; rel="next"`
}

// stream sends all rows, in parts.
func (l list[T]) stream(s *Server, w http.ResponseWriter, r *http.Request) error {
	select {
	case s.largeLists <- struct{}{}:
		defer func() { <-s.largeLists }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	w.Header().Set("Content-Type", contentType)
	var text bytes.Buffer
	send := func() error {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pieceTimeout)); err != nil {
			return err
		}
		_, err := text.WriteTo(w)
		return err
	}
	enc := newEncoder(&text)
	between := byte('[')
	for {
		rows, err := l.read(l.after, largePart)
		if err != nil {
			return err
		}
		for _, row := range rows {
			text.WriteByte(between)
			between = ','
			if err := enc.Encode(row); err != nil {
				return err
			}
			text.Truncate(text.Len() - 1) // the encoder's newline
			if text.Len() >= piece {
				if err := send(); err != nil {
					return err
				}
			}
		}
		if len(rows) < largePart {
			break
		}
		l.after = l.id(rows[len(rows)-1])
	}
	if between == '[' { // they have been deleted meanwhile
		text.WriteByte(between)
	}
	text.WriteByte(']')
	return send()
}
