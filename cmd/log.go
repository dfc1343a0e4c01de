package cmd

import (
	"io"
	"log/slog"
)

// newLogger returns a logger that writes to w, as "text" or as "json".
func newLogger(w io.Writer, format string) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}
