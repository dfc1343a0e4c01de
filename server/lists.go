package server

import (
	"bytes"
	"cmp"
	"net/http"
	"net/url"
	"strconv"
)

// A list of up to smallList rows is read at once and is as of one moment. A
// longer one is sent while it is read, largePart rows at a time, each part as
// of one moment: a slow client then keeps neither the database nor much memory
// to itself. largeLists of those are sent at a time.
const (
	smallList  = 4096
	largePart  = 32768
	largeLists = 4
)

// sendList answers with the rows of a collection: limit of them, or all if that
// is 0. read returns up to limit rows, by ascending id, with ids above after.
func sendList[T any](s *Server, w http.ResponseWriter, r *http.Request, after int64, limit int,
	id func(T) int64, read func(after int64, limit int) ([]T, error)) error {
	rows, err := read(after, cmp.Or(limit, smallList)+1) // one more, to see whether more follow
	if err != nil {
		return err
	}
	if limit == 0 && len(rows) > smallList {
		return sendLarge(s, w, r, after, id, read)
	}
	if limit > 0 && len(rows) > limit {
		rows = rows[:limit]
		w.Header().Set("Link", nextPage(r, id(rows[limit-1])))
	}
	return writeJSON(w, http.StatusOK, rows)
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

// sendLarge answers with all rows, in parts.
func sendLarge[T any](s *Server, w http.ResponseWriter, r *http.Request, after int64,
	id func(T) int64, read func(after int64, limit int) ([]T, error)) error {
	select {
	case s.largeLists <- struct{}{}:
		defer func() { <-s.largeLists }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	const piece = 32 << 10
	var text bytes.Buffer
	enc := newEncoder(&text)
	between := byte('[')
	for {
		rows, err := read(after, largePart)
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
			if text.Len() < piece {
				continue
			}
			w.Header().Set("Content-Type", contentType)
			if _, err := w.Write(text.Bytes()); err != nil {
				return err // and not nil: what has been sent is not the whole answer
			}
			text.Reset()
		}
		if len(rows) < largePart {
			break
		}
		after = id(rows[len(rows)-1])
	}
	if between == '[' {
		text.WriteByte(between)
	}
	text.WriteByte(']')
	w.Header().Set("Content-Type", contentType)
	_, err := w.Write(text.Bytes())
	return err
}
