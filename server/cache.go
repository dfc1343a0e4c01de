package server

import "sync"

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
