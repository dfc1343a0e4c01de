package body

import (
	"math"
	"math/big"
	"net/http"
	"net/url"

	"onenow/db"
)

// maxPage is the most rows that limit can ask for.
const maxPage = 1000

// Params reads the parameters of a query string, as Fields reads the fields of a
// body. An empty parameter counts as absent.
type Params struct {
	values map[string]string
	Errs   FieldErrors
}

// ParseQuery returns the parameters of r's query string.
func ParseQuery(r *http.Request) *Params {
	return &Params{values: parseForm(r.URL.RawQuery)}
}

// Err returns FieldErrors with every parameter at fault, or nil.
func (p *Params) Err() error { return p.Errs.Err() }

// With returns the query string with one parameter replaced.
func (p *Params) With(name, value string) string {
	query := url.Values{}
	for k, v := range p.values {
		query.Set(k, v)
	}
	query.Set(name, value)
	return query.Encode()
}

// Date returns the date in a parameter, or "".
func (p *Params) Date(name string) db.Date {
	v := p.values[name]
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
	v := p.values[name]
	if v == "" {
		return nil
	}
	n := parseWhole(v)
	if n == nil {
		p.Errs.Add(name, msgInteger)
		return nil
	}
	id := saturate(n)
	return &id
}

// Page returns the page that the parameters ask for: limit rows, or all of them
// if limit is 0, with ids above after.
func (p *Params) Page() (after int64, limit int) {
	if id := p.ID("after"); id != nil {
		after = *id
	}
	if v := p.values["limit"]; v != "" {
		var message string
		if limit, message = inRange(parseWhole(v), 1, maxPage); message != "" {
			p.Errs.Add("limit", message)
		}
	}
	return after, limit
}

// PathID returns the id in a path, and false when it is no number.
func PathID(s string) (id int64, ok bool) {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return 0, false
	}
	return saturate(n), true
}

// saturate returns n as an id. One too large to be an id becomes the last one,
// which no row ever gets.
func saturate(n *big.Int) int64 {
	switch {
	case n.IsInt64():
		return n.Int64()
	case n.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}
