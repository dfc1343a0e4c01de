package server

import (
	"math"
	"sync"
)

// cache remembers what was worked out from the database for as long as that is
// what it was: until another state is asked for. It is safe for use by many
// goroutines.
type cache[State, Key comparable, Value any] struct {
	most int                  // what the weights may add up to
	now  func() (State, bool) // the state; false where it cannot be told, and nothing is remembered

	mu      sync.RWMutex
	state   State
	entries map[Key]*entry[Value]
	weight  int
}

// unkept is the weight of what is not to be remembered.
const unkept = math.MaxInt

type entry[Value any] struct {
	value  Value
	weight int

	done  chan struct{} // closed once it has been worked out
	found bool          // whether it could be, for all who ask
}

// newCache returns a cache for values whose weights add up to most, in the state
// that now tells.
func newCache[State, Key comparable, Value any](most int, now func() (State, bool)) *cache[State, Key, Value] {
	return &cache[State, Key, Value]{most: most, now: now, entries: map[Key]*entry[Value]{}}
}

// get returns what is remembered for key in that state.
func (c *cache[State, Key, Value]) get(state State, key Key) (v Value, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e := c.entries[key]; e != nil && e.found && state == c.state {
		return e.value, true
	}
	return v, false
}

// find returns what is remembered for key in the state that it is now, or has work
// work it out from what is read after the state has been asked for. Of many who look for
// the same at once one works, and the others wait for what it finds: that is as
// new as they need. What is too heavy to be remembered is for nobody else, and nor
// is an error.
func (c *cache[State, Key, Value]) find(key Key, work func() (v Value, weight int, err error)) (Value, error) {
	state, known := c.now() // before anything is read
	if !known {
		v, _, err := work()
		return v, err
	}
	if v, ok := c.get(state, key); ok {
		return v, nil
	}
	c.mu.Lock()
	if state != c.state {
		c.state, c.entries, c.weight = state, map[Key]*entry[Value]{}, 0
	}
	e, others := c.entries[key]
	if !others {
		e = &entry[Value]{done: make(chan struct{})}
		c.entries[key] = e
	}
	c.mu.Unlock()
	if others {
		<-e.done
		if e.found {
			return e.value, nil
		}
		v, _, err := work()
		return v, err
	}
	return c.fill(key, e, work)
}

// fill has work work out the entry of key.
func (c *cache[State, Key, Value]) fill(key Key, e *entry[Value], work func() (Value, int, error)) (v Value, err error) {
	weight := unkept
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		defer close(e.done)
		e.value, e.weight, e.found = v, weight, err == nil && weight <= c.most
		if c.entries[key] != e { // there is another state by now
			return
		}
		if !e.found {
			delete(c.entries, key)
			return
		}
		c.weight += weight
		c.makeRoom(key)
	}()
	v, weight, err = work()
	return v, err
}

// makeRoom forgets entries, any but that of key: what is asked for often is soon
// back.
func (c *cache[State, Key, Value]) makeRoom(key Key) {
	for other, e := range c.entries {
		if c.weight <= c.most {
			break
		}
		if other != key && e.found {
			delete(c.entries, other)
			c.weight -= e.weight
		}
	}
}
