package server

import (
	"bytes"
	"compress/gzip"
	"io"
	"sync"
)

// minCompressed is the least length in bytes of an answer that is compressed. A shorter
// answer fits into one packet anyway.
const minCompressed = 1 << 10

// zippedMark is the end of the entity tag of a compressed answer. The plain answer has
// other bytes, so it needs another tag.
const zippedMark = "-gzip"

// zippers holds writers for reuse, because each takes about a megabyte. Lists are so
// repetitive that the fastest level is good enough.
var zippers = sync.Pool{New: func() any {
	zw, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return zw
}}

// newZipper returns a writer that compresses to w. The caller calls release after the
// last use. Close ends the compressed data.
func newZipper(w io.Writer) (zw *gzip.Writer, release func()) {
	zw = zippers.Get().(*gzip.Writer)
	zw.Reset(w)
	return zw, func() {
		zw.Reset(io.Discard) // do not keep w in memory
		zippers.Put(zw)
	}
}

// compress returns text compressed.
func compress(text []byte) []byte {
	var buf bytes.Buffer
	zw, release := newZipper(&buf)
	defer release()
	_, _ = zw.Write(text) // a buffer takes everything
	_ = zw.Close()
	return buf.Bytes()
}
