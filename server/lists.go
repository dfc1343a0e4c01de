package server

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"onenow/server/body"
)

// A list of up to smallList rows, a few hundred kilobytes, is read as a whole and then
// sent. A longer list is sent while it is read, largePart rows at a time, and each part
// is a snapshot of its own. So a slow client occupies neither the database nor much
// memory. At most largeLists long lists are sent at the same time. A client has
// pieceTimeout to receive each piece.
const (
	smallList  = 3000
	largePart  = 32768 // about 3 MB
	largeLists = 8
	piece      = 32 << 10 // bytes
)

var pieceTimeout = writeTimeout // the tests shorten it

// list is the answer to a GET of a collection: the rows that follow the row with the id
// after, at most limit rows, or all of them if limit is 0.
type list[T any] struct {
	after *int64
	limit int
	id    func(T) int64
	read  func(after *int64, limit int) ([]T, error) // up to limit rows
	count func() (int, error)                        // returns the number of rows on all pages; nil if the client does not want it
}

// write answers with l, and with a link to the next page if there is one.
func (l list[T]) write(s *Server, w http.ResponseWriter, r *http.Request) error {
	if l.count != nil {
		n, err := l.count()
		if err != nil {
			return err
		}
		w.Header().Set("X-Total-Count", strconv.Itoa(n))
	}
	rows, err := l.read(l.after, cmp.Or(l.limit, smallList)+1) // one row more shows whether there is a next page
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

// nextPage returns a Link header (RFC 8288) with the address of the page that follows the
// row with the id after. The address is relative, so that it works below any prefix of a
// proxy.
func nextPage(r *http.Request, after int64) string {
	return "<?" + body.ParseQuery(r).With("after", strconv.FormatInt(after, 10)) + `>; rel="next"`
}

// stream sends all rows, in parts.
func (l list[T]) stream(s *Server, w http.ResponseWriter, r *http.Request) error {
	zip := body.AcceptsGzip(r)
	if revision, ok := s.db.Revision(); ok { // before the first row is read
		tag := tagOf(fmt.Append(nil, s.run, revision, exchangeOf(r).by, r.RequestURI))
		mark := ""
		if zip {
			mark = zippedMark
		}
		w.Header().Set("ETag", `W/"`+tag+mark+`"`) // weak, because it does not depend on the bytes of the body
		if matchesTag(r.Header["If-None-Match"], tag, true) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	select {
	case s.largeLists <- struct{}{}:
		defer func() { <-s.largeLists }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	w.Header().Set("Content-Type", contentType)
	var out io.Writer = w
	end := func() error { return nil }
	if zip {
		w.Header().Set("Content-Encoding", "gzip")
		zw, release := newZipper(w)
		defer release()
		out, end = zw, zw.Close
	}
	var text bytes.Buffer
	send := func() error {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pieceTimeout)); err != nil {
			return err
		}
		_, err := text.WriteTo(out)
		return err
	}
	enc := newEncoder(&text)
	separator := byte('[')
	for {
		rows, err := l.read(l.after, largePart)
		if err != nil {
			return err
		}
		for _, row := range rows {
			text.WriteByte(separator)
			separator = ','
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
		last := l.id(rows[len(rows)-1])
		l.after = &last
	}
	if separator == '[' { // the rows have been deleted meanwhile
		text.WriteByte(separator)
	}
	text.WriteByte(']')
	if err := send(); err != nil {
		return err
	}
	return end() // not after an error: a client must not mistake a part for the whole list
}
