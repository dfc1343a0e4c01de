package server

import (
	"math"
	"math/big"
	"net/http"

	"onenow/db"
)

// maxPage is the most rows that limit can ask for.
const maxPage = 1000

// params takes the parameters out of a request's query string as fields does
// out of its body. One that is empty is as if absent.
type params struct {
	values map[string]string
	errs   fieldErrors
}

func newParams(r *http.Request) *params {
	return &params{values: parseForm(r.URL.RawQuery)}
}

func (p *params) err() error {
	if len(p.errs) == 0 {
		return nil
	}
	return p.errs.answer()
}

// date returns the date that a parameter gives, or "".
func (p *params) date(name string) db.Date {
	v := p.values[name]
	if v == "" {
		return ""
	}
	d, err := db.ParseDate(v)
	if err != nil {
		p.errs.add(name, msgDate)
	}
	return d
}

// id returns the id that a parameter gives, or nil.
func (p *params) id(name string) *int64 {
	v := p.values[name]
	if v == "" {
		return nil
	}
	n := parseWhole(v)
	if n == nil {
		p.errs.add(name, msgInteger)
		return nil
	}
	id := saturate(n)
	return &id
}

// page returns the page that the parameters ask for: limit rows, 0 for all of
// them, with ids above after.
func (p *params) page() (after int64, limit int) {
	if id := p.id("after"); id != nil {
		after = *id
	}
	if v := p.values["limit"]; v != "" {
		var message string
		if limit, message = inRange(parseWhole(v), 1, maxPage); message != "" {
			p.errs.add("limit", message)
		}
	}
	return after, limit
}

// pathID returns the id in r's path, or errPathNotFound when that is no number.
func pathID(r *http.Request) (int64, error) {
	n, ok := new(big.Int).SetString(r.PathValue("id"), 10)
	if !ok {
		return 0, errPathNotFound
	}
	return saturate(n), nil
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
