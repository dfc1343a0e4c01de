package server

import (
	"net/http"
	"sync"

	"onenow/db"
)

// cache remembers what was worked out from the database for as long as that is
// what it was: until another state is asked for. It is safe for use by many
// goroutines.
type cache[State, Key comparable, Value any] struct {
	most int // what the weights may add up to

	mu      sync.RWMutex
	state   State
	entries map[Key]weighed[Value]
	weight  int
}

type weighed[Value any] struct {
	value  Value
	weight int
}

// newCache returns a cache for values whose weights add up to most.
func newCache[State, Key comparable, Value any](most int) *cache[State, Key, Value] {
	return &cache[State, Key, Value]{most: most, entries: map[Key]weighed[Value]{}}
}

// get returns what was put for key in that state.
func (c *cache[State, Key, Value]) get(state State, key Key) (v Value, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if state != c.state {
		return v, false
	}
	e, ok := c.entries[key]
	return e.value, ok
}

// put remembers v, which was worked out from what was read after the state had
// been asked for. To make room it forgets others, any of them: what is asked for
// often is soon back.
func (c *cache[State, Key, Value]) put(state State, key Key, v Value, weight int) {
	if weight > c.most {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if state != c.state {
		c.state, c.entries, c.weight = state, map[Key]weighed[Value]{}, 0
	}
	c.weight += weight - c.entries[key].weight
	c.entries[key] = weighed[Value]{v, weight}
	for other, e := range c.entries {
		if c.weight <= c.most {
			break
		}
		if other != key {
			delete(c.entries, other)
			c.weight -= e.weight
		}
	}
}

// Answers are remembered up to maxAnswers bytes of them, none of more than
// maxAnswer: a busy fleet's month.
const (
	maxAnswers = 4 << 20
	maxAnswer  = 256 << 10
)

// answerKey is all that an answer depends on beside what is in the database.
type answerKey struct {
	user  db.UserID
	https bool // host and this are in a Link header
	host  string
	uri   string
}

// answer is what was answered to a GET.
type answer struct {
	body []byte
	link string // the Link header, or ""
}

// remembered makes of h, which reads, a handler that answers the same request
// as before where nothing has been written since, in whatever process.
func (s *Server) remembered(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		revision, ok := s.db.Revision() // before anything is read
		if !ok {
			return h(w, r)
		}
		x := exchangeOf(r)
		key := answerKey{x.user.userID, x.https, r.Host, r.RequestURI}
		if a, ok := s.answers.get(revision, key); ok {
			if a.link != "" {
				w.Header().Set("Link", a.link)
			}
			sendJSON(w, http.StatusOK, a.body)
			return nil
		}
		rec := &recorder{ResponseWriter: w}
		if err := h(rec, r); err != nil {
			return err
		}
		if a := (&answer{rec.body, w.Header().Get("Link")}); len(a.body) <= maxAnswer {
			s.answers.put(revision, key, a, len(a.body)+len(key.host)+len(key.uri)+200)
		}
		return nil
	}
}

// recorder keeps what is written to it, unless it is more than maxAnswer.
type recorder struct {
	http.ResponseWriter
	body []byte
}

func (rec *recorder) Write(b []byte) (int, error) {
	if len(rec.body) <= maxAnswer {
		rec.body = append(rec.body, b...)
	}
	return rec.ResponseWriter.Write(b)
}
