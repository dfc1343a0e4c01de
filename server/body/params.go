package body

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"onenow/db"
)

// maxPage is the greatest value of the parameter limit.
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

// get returns the last value of a parameter, or "". It does not store the other
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
		query.Add(n, unescape(v))
	}
	query.Set(name, value)
	return query.Encode()
}

// Text returns the text in a parameter, or "".
func (p *Params) Text(name string) string { return p.get(name) }

// Flag returns whether a parameter is 1 or true.
func (p *Params) Flag(name string) bool {
	switch strings.ToLower(p.get(name)) {
	case "1", "true":
		return true
	case "", "0", "false":
	default:
		p.Errs.Add(name, "Must be a valid boolean.")
	}
	return false
}

// Choice returns the index of a parameter's value in choices, or 0 if it is absent.
func (p *Params) Choice(name string, choices ...string) int {
	v := p.get(name)
	i := slices.Index(choices, v)
	if v != "" && i < 0 {
		p.Errs.Add(name, fmt.Sprintf("%q is not a valid choice.", v))
	}
	return max(i, 0)
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
	id, err := parseWhole(v) // if the id is out of range, the nearest int64, which no row has
	if err == errNotWhole {
		p.Errs.Add(name, msgInteger)
		return nil
	}
	return &id
}

// IDs returns the ids in a parameter that may be repeated.
func (p *Params) IDs(name string) (ids []int64) {
	for n, value := range pairs(p.query) {
		value = unescape(value)
		if n != name || value == "" {
			continue
		}
		id, err := parseWhole(value)
		if err == errNotWhole {
			p.Errs.Add(name, msgInteger)
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// Page returns the parameters of a page: at most limit rows, or all of them if limit is
// 0, that follow the row with the id after, or from the first row if after is nil. count
// says whether the client wants the number of all rows.
func (p *Params) Page() (after *int64, limit int, count bool) {
	after, count = p.ID("after"), p.Flag("count")
	if v := p.get("limit"); v != "" {
		n, err := parseWhole(v)
		if message := outOfRange(n, err, 1, maxPage); message != "" {
			p.Errs.Add("limit", message)
		}
		limit = int(n)
	}
	return after, limit, count
}

// PathID returns the id in a path. ok is false if it is not a number. An id that is out
// of range becomes the nearest int64, which no row has.
func PathID(s string) (id int64, ok bool) {
	id, err := parseInt(s)
	return id, err != errNotWhole
}
