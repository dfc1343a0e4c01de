package cmd

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// newLogger returns a logger that writes to w, as "text" or as "json".
func newLogger(w io.Writer, format string) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// droppedNotice returns a function that formats the log line about dropped
// lines.
func droppedNotice(format string) func(dropped int) []byte {
	return func(dropped int) []byte {
		var line bytes.Buffer
		newLogger(&line, format).Warn("lines of the log were dropped, because standard error did not take them", "dropped", dropped)
		return line.Bytes()
	}
}

// Limits of a lineQueue.
const (
	maxQueuedLines = 4096
	maxQueuedBytes = 1 << 20
	flushTime      = time.Second
)

// A lineQueue is a writer whose Write never waits and never fails. A goroutine
// writes the queued lines, one by one, to a slower writer. A line that finds
// the queue full is dropped, as is a line that the slower writer refuses. When
// the queue has room again, it gets a notice with the number of dropped lines.
type lineQueue struct {
	w      io.Writer
	notice func(dropped int) []byte // nil for no notice

	mu      sync.Mutex
	more    sync.Cond // there is another line, or the queue is closed
	lines   []queuedLine
	bytes   int  // in lines
	dropped int  // lines that no notice tells of
	failing bool // whether w refused the last line
	closed  bool
	done    chan struct{} // closed when the goroutine has ended
}

type queuedLine struct {
	text    []byte
	dropped int // in a notice: the lines it tells of
}

func newLineQueue(w io.Writer, notice func(dropped int) []byte) *lineQueue {
	q := &lineQueue{w: w, notice: notice, done: make(chan struct{})}
	q.more.L = &q.mu
	go q.run()
	return q
}

// Write queues one line.
func (q *lineQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.full(len(line)) {
		q.dropped++
		return len(line), nil
	}
	q.pushNotice()
	q.push(queuedLine{text: bytes.Clone(line)})
	return len(line), nil
}

// full reports whether the queue has no room for a line of that size. After a
// drop there is room only when the queue is half empty: otherwise a slow reader
// would get a notice with every other line.
func (q *lineQueue) full(size int) bool {
	lines, bytes := maxQueuedLines, maxQueuedBytes
	if q.dropped > 0 {
		lines, bytes = lines/2, bytes/2
	}
	return len(q.lines) >= lines || q.bytes+size > bytes
}

func (q *lineQueue) push(line queuedLine) {
	q.lines = append(q.lines, line)
	q.bytes += len(line.text)
	q.more.Signal()
}

// pushNotice queues a notice of the dropped lines if there are any.
func (q *lineQueue) pushNotice() {
	if q.dropped > 0 && q.notice != nil {
		q.push(queuedLine{q.notice(q.dropped), q.dropped})
		q.dropped = 0
	}
}

// next waits for a line and takes it from the queue. It returns false when the
// queue is closed and empty.
func (q *lineQueue) next() (queuedLine, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.lines) == 0 {
		if !q.failing {
			q.pushNotice()
		}
		if len(q.lines) > 0 {
			break
		}
		if q.closed {
			return queuedLine{}, false
		}
		q.more.Wait()
	}
	line := q.lines[0]
	q.lines[0] = queuedLine{} // the array must not keep its text
	q.lines = q.lines[1:]
	q.bytes -= len(line.text)
	return line, true
}

func (q *lineQueue) run() {
	defer close(q.done)
	torn := false // whether a part of a line was written without its end
	for {
		line, ok := q.next()
		if !ok {
			return
		}
		if torn {
			line.text = append([]byte("\n"), line.text...)
		}
		n, err := q.w.Write(line.text)
		if n > 0 {
			torn = err != nil
		}
		q.mu.Lock()
		q.failing = err != nil
		if err != nil {
			q.dropped += max(1, line.dropped)
		}
		q.mu.Unlock()
	}
}

// flush closes the queues and waits until they are empty, for flushTime at
// most. The lines that are left then are given up.
func flush(queues ...*lineQueue) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	for _, q := range queues {
		q.mu.Lock()
		q.closed = true
		q.more.Signal()
		q.mu.Unlock()
	}
	for _, q := range queues {
		select {
		case <-q.done:
		case <-ctx.Done():
		}
	}
}
