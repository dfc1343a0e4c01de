package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"onenow/db"
	"onenow/db/dbtest"
)

// TestPanic lets a handler panic: the answer is a 500 with an id but without the cause,
// and the log has the cause with the id.
func TestPanic(t *testing.T) {
	var logged bytes.Buffer
	s, err := New(t.Context(), Config{DB: dbtest.New(t), Logger: slog.New(slog.NewJSONHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]handler{
		"a panic": func(http.ResponseWriter, *http.Request) error { panic("SECRET cause") },
		"an unknown fault": func(http.ResponseWriter, *http.Request) error {
			return &db.Error{Kind: http.ErrNotSupported, Message: "SECRET cause"}
		},
	} {
		logged.Reset()
		w := httptest.NewRecorder()
		s.observe(s.handle(h)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		var body struct {
			Detail    string
			RequestID string `json:"request_id"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 500 || body.Detail != "Internal server error." {
			t.Errorf("%s: got %d %s, %v", name, w.Code, w.Body, err)
		}
		if strings.Contains(w.Body.String(), "SECRET") || body.RequestID == "" || body.RequestID != w.Header().Get("X-Request-Id") {
			t.Errorf("%s: got %s", name, w.Body)
		}
		var entry struct {
			Level, Error string
			RequestID    string `json:"request_id"`
		}
		if err := json.Unmarshal(logged.Bytes(), &entry); err != nil || entry.Level != "ERROR" || !strings.Contains(entry.Error, "SECRET cause") || entry.RequestID != body.RequestID {
			t.Errorf("%s: logged %s, %v", name, &logged, err)
		}
	}
}
