package body

import (
	"net/http"
	"net/url"

	"onenow/db"
)

// maxPage is the most rows that limit can ask for.
const maxPage = 1000

// Params reads the parameters of a query string, as Fields reads the fields of a
// body. An empty parameter counts as absent.
type Params struct {
	query string
	Errs  FieldErrors
}

// ParseQuery returns the parameters of r's query string.
func ParseQuery(r *http.Request) *Params {
	return &Params{query: r.URL.RawQuery}
}

// Err returns FieldErrors with every parameter at fault, or nil.
func (p *Params) Err() error { return p.Errs.Err() }

// get returns the last value of a parameter, or "". It keeps nothing of the other
// parameters: a query string may have ten thousand of them.
func (p *Params) get(name string) string {
	last := ""
	for n, value := range pairs(p.query) {
		if n == name {
			last = value
		}
	}
	return unescape(last)
}

// With returns the query string with one parameter replaced.
func (p *Params) With(name, value string) string {
	query := url.Values{}
	for n, v := range pairs(p.query) {
		query.Set(n, unescape(v))
	}
	query.Set(name, value)
	return query.Encode()
}

// Date returns the date in a parameter, or "".
func (p *Params) Date(name string) db.Date {
	v := p.get(name)
	if v == "" {
		return ""
	}
	d, err := db.ParseDate(v)
	if err != nil {
		p.Errs.Add(name, msgDate)
	}
	return d
}

// ID returns the id in a parameter, or nil.
func (p *Params) ID(name string) *int64 {
	v := p.get(name)
	if v == "" {
		return nil
	}
	id, err := parseWhole(v) // no row has an id that is out of range, nor the one nearest to it
	if err == errNotWhole {
		p.Errs.Add(name, msgInteger)
		return nil
	}
	return &id
}

// Page returns the page that the parameters ask for: limit rows, or all of them
// if limit is 0, with ids above after.
func (p *Params) Page() (after int64, limit int) {
	if id := p.ID("after"); id != nil {
		after = *id
	}
	if v := p.get("limit"); v != "" {
		n, err := parseWhole(v)
		if message := outOfRange(n, err, 1, maxPage); message != "" {
			p.Errs.Add("limit", message)
		}
		limit = int(n)
	}
	return after, limit
}

// PathID returns the id in a path, and false when it is no number. An id that is
// out of range becomes the nearest int64, which no row has.
func PathID(s string) (id int64, ok bool) {
	id, err := parseInt(s)
	return id, err != errNotWhole
}
