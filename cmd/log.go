package cmd

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// newLogger returns a logger that writes to w in the format "text" or "json".
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
		newLogger(&line, format).Warn("lines of the log were dropped, because nothing read standard error fast enough", "dropped", dropped)
		return line.Bytes()
	}
}

// Limits of a lineQueue.
const (
	maxQueuedLines = 4096
	maxQueuedBytes = 1 << 20
	flushTime      = time.Second
)

// lineQueue is a writer whose Write never waits and never fails. A goroutine writes the
// queued lines, one by one, to a slower writer w. If the queue is full, or w returns an
// error, the line is dropped. When the queue has room again, it gets a notice with the
// number of dropped lines.
type lineQueue struct {
	w      io.Writer
	notice func(dropped int) []byte // nil for no notice

	mu      sync.Mutex
	more    sync.Cond // signals a new line, or that the queue is closed
	lines   []queuedLine
	bytes   int  // the total length of lines
	dropped int  // the dropped lines that no notice counts yet
	failing bool // whether w returned an error for the last line
	closed  bool
	done    chan struct{} // closed when the goroutine has ended
}

// queuedLine is a line or a notice.
type queuedLine struct {
	text    []byte
	dropped int // the dropped lines that a notice counts; 0 for a line
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

// full reports whether the queue has no room for a line of that size. After a dropped
// line, it has room only when it is half empty: otherwise a slow reader would get a notice
// after every line.
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

// pushNotice queues a notice if lines were dropped since the last notice.
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
	q.lines[0] = queuedLine{} // lets the garbage collector free the text
	q.lines = q.lines[1:]
	q.bytes -= len(line.text)
	return line, true
}

func (q *lineQueue) run() {
	defer close(q.done)
	torn := false // whether the last line was written without its end
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

// flush closes the queues and waits until they are empty, for flushTime at most. It drops
// the lines that are still queued then.
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
