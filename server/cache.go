package server

import (
	"math"
	"sync"
)

// cache holds values computed from the database. It is emptied when a caller
// sees another state of the database. It is safe for use by many goroutines.
type cache[State, Key comparable, Value any] struct {
	most int                  // the limit of the sum of the weights
	now  func() (State, bool) // the current state; false if it is unknown: then nothing is cached

	mu      sync.RWMutex
	state   State
	entries map[Key]*entry[Value]
	weight  int // of all entries
}

// noCache is the weight of a value that is not to be cached.
const noCache = math.MaxInt

type entry[Value any] struct {
	value  Value
	weight int

	done  chan struct{} // closed when the value has been computed, or computing it has failed
	valid bool          // whether others may use the value
}

// newCache returns a cache for values whose weights add up to at most most. The function
// now returns the current state of the database.
func newCache[State, Key comparable, Value any](most int, now func() (State, bool)) *cache[State, Key, Value] {
	return &cache[State, Key, Value]{most: most, now: now, entries: map[Key]*entry[Value]{}}
}

// get returns the value cached for key in that state.
func (c *cache[State, Key, Value]) get(state State, key Key) (v Value, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e := c.entries[key]; e != nil && e.valid && state == c.state {
		return e.value, true
	}
	return v, false
}

// find returns the value for key: the cached one, or else the one that compute
// returns with its weight. An error is not cached.
func (c *cache[State, Key, Value]) find(key Key, compute func() (v Value, weight int, err error)) (v Value, err error) {
	v, ok, store := c.lookup(key)
	if ok {
		return v, nil
	}
	weight, failed := noCache, true
	defer func() {
		if failed {
			weight = noCache
		}
		store(v, weight)
	}()
	v, weight, err = compute()
	failed = err != nil
	return v, err
}

// lookup returns the value cached for key in the current state. When there is
// none, the caller computes the value from data that it reads from now on, and
// must call store exactly once, with noCache if it has no value for others.
//
// When several callers look up the same key in the same state, one of them computes
// the value and the others wait for it. If that caller stores noCache, each of the
// others computes the value for itself.
func (c *cache[State, Key, Value]) lookup(key Key) (v Value, ok bool, store func(v Value, weight int)) {
	none := func(Value, int) {}
	state, known := c.now() // before the caller reads anything
	if !known {
		return v, false, none
	}
	if v, ok := c.get(state, key); ok {
		return v, true, none
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
	if !others {
		return v, false, func(v Value, weight int) { c.store(key, e, v, weight) }
	}
	<-e.done
	if e.valid {
		return e.value, true, none
	}
	return v, false, none
}

// store completes the entry of key with a value, and wakes the callers that wait for it.
func (c *cache[State, Key, Value]) store(key Key, e *entry[Value], v Value, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(e.done)
	e.value, e.weight, e.valid = v, weight, weight <= c.most
	if c.entries[key] != e { // the state has changed meanwhile
		return
	}
	if !e.valid {
		delete(c.entries, key)
		return
	}
	c.weight += weight
	c.evict(key)
}

// evict drops entries other than that of key until the rest fit. It picks them
// at random: a value that is used often is soon cached again.
func (c *cache[State, Key, Value]) evict(key Key) {
	for other, e := range c.entries {
		if c.weight <= c.most {
			break
		}
		if other != key && e.valid {
			delete(c.entries, other)
			c.weight -= e.weight
		}
	}
}
