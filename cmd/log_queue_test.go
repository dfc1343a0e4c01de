package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// reader reads one line for each value from gate. While it is broken, it refuses lines.
type reader struct {
	gate   chan struct{}
	broken int // the number of bytes to take before an error; -1 for no error
	text   bytes.Buffer
}

func (r *reader) Write(line []byte) (int, error) {
	<-r.gate
	if r.broken >= 0 {
		n, _ := r.text.Write(line[:r.broken])
		return n, errors.New("broken")
	}
	return r.text.Write(line)
}

func dropped(n int) []byte { return fmt.Appendf(nil, "dropped %d\n", n) }

// TestLineQueueIsBounded writes lines while the reader reads none. The queue accepts lines
// up to one of its two limits, and counts the others.
func TestLineQueueIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		took int
	}{
		"lines": {"short\n", maxQueuedLines},
		"bytes": {strings.Repeat("x", 1<<14-1) + "\n", maxQueuedBytes >> 14},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &reader{gate: make(chan struct{}), broken: -1}
				q := newLineQueue(r, dropped)
				q.Write([]byte("first\n"))
				synctest.Wait() // the goroutine has taken it, and waits for the reader
				for range c.took + 7 {
					if n, err := q.Write([]byte(c.line)); n != len(c.line) || err != nil {
						t.Fatalf("got %d, %v", n, err)
					}
				}
				for range c.took / 2 {
					r.gate <- struct{}{}
				}
				synctest.Wait()
				q.Write([]byte("no room\n")) // not before it is half empty
				r.gate <- struct{}{}
				synctest.Wait()
				q.Write([]byte("room\n"))
				close(r.gate)
				flush(q)
				want := "first\n" + strings.Repeat(c.line, c.took) + "dropped 8\nroom\n"
				if got := r.text.String(); got != want {
					t.Errorf("got %d bytes that end in %q, want %d that end in %q", len(got), tail(got), len(want), tail(want))
				}
			})
		})
	}
}

func tail(s string) string { return s[max(0, len(s)-40):] }

// TestLineQueueCountsRefusedLines lets the reader refuse lines, the last one in its
// middle, and then read again.
func TestLineQueueCountsRefusedLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{gate: make(chan struct{})}
		close(r.gate)
		q := newLineQueue(r, dropped)
		for range 3 {
			q.Write([]byte("refused\n"))
			synctest.Wait()
		}
		r.broken = 4
		q.Write([]byte("refused\n")) // its notice, too
		synctest.Wait()
		r.broken = -1
		q.Write([]byte("taken\n"))
		flush(q)
		if got, want := r.text.String(), "drop\nref\ndropped 4\ntaken\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestLineQueueTellsByItself drops lines and writes no further line. The reader still gets
// the notice.
func TestLineQueueTellsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{gate: make(chan struct{}), broken: -1}
		q := newLineQueue(r, dropped)
		for range maxQueuedLines + 9 {
			q.Write([]byte("x\n"))
		}
		close(r.gate)
		synctest.Wait()
		if got := tail(r.text.String()); !strings.HasSuffix(got, "x\ndropped 9\n") && !strings.HasSuffix(got, "x\ndropped 8\n") {
			t.Errorf("got %q at the end", got)
		}
		flush(q)
	})
}

// TestLineQueueGivesUp flushes to a reader that does not read.
func TestLineQueueGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{gate: make(chan struct{}), broken: -1}
		q := newLineQueue(r, dropped)
		q.Write([]byte("x\n"))
		flush(q) // which would block forever
		close(r.gate)
		<-q.done
	})
}
