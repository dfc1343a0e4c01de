package server

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
	"time"

	"onenow/server/body"
)

// A list of up to smallList rows, which is a few hundred kilobytes, is read and
// sent at once. A longer list is sent while it is read, largePart rows at a time,
// and each part is a snapshot of its own. So a slow client holds neither the
// database nor much memory. Only largeLists long lists are sent at a time. A
// client has pieceTimeout to receive each piece.
const (
	smallList  = 3000
	largePart  = 32768 // about 3 MB
	largeLists = 8
	piece      = 32 << 10 // bytes
)

var pieceTimeout = writeTimeout // the tests shorten it

// list is a collection: limit rows of it, or all if limit is 0. read returns up
// to limit rows in the order of their ids, with ids above after.
type list[T any] struct {
	after int64
	limit int
	id    func(T) int64
	read  func(after int64, limit int) ([]T, error)
}

// write answers with l, and with a link to the next page when there is one.
func (l list[T]) write(s *Server, w http.ResponseWriter, r *http.Request) error {
	rows, err := l.read(l.after, cmp.Or(l.limit, smallList)+1) // one more shows whether more follow
	if err != nil {
		return err
	}
	if l.limit == 0 && len(rows) > smallList {
		return l.stream(s, w, r)
	}
	if l.limit > 0 && len(rows) > l.limit {
		rows = rows[:l.limit]
		w.Header().Set("Link", nextPage(r, l.id(rows[l.limit-1])))
	}
	return writeJSON(w, http.StatusOK, rows)
}

// nextPage is a Link header (RFC 8288) to the page after a row's id.
func nextPage(r *http.Request, after int64) string {
	query := body.ParseQuery(r).With("after", strconv.FormatInt(after, 10))
	return "<" + baseURL(r) + r.URL.EscapedPath() + "?" + query + `>; rel="next"`
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
	if between == '[' { // the rows have been deleted meanwhile
		text.WriteByte(between)
	}
	text.WriteByte(']')
	return send()
}
