package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"onenow/db"
	"onenow/server/body"
	"onenow/server/limit"
)

// TestErrorsHaveAnswers checks the status and the body of the answer to each kind of
// error.
func TestErrorsHaveAnswers(t *testing.T) {
	refusal := func(kind error) error { return &db.Error{Kind: kind, Message: "text", Field: "plate"} }
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"gone":           {refusal(db.ErrGone), 401, `{"detail":"User not found","code":"user_not_found"}`},
		"not found":      {refusal(db.ErrNotFound), 404, `{"detail":"text"}`},
		"forbidden":      {refusal(db.ErrForbidden), 403, `{"detail":"text"}`},
		"invalid":        {refusal(db.ErrInvalid), 400, `{"plate":["text"]}`},
		"invalid fields": {&db.Error{Kind: db.ErrInvalid, Message: "text"}, 400, `{"non_field_errors":["text"]}`},
		"conflict":       {refusal(db.ErrConflict), 409, `{"detail":"text"}`},
		"clash": {&db.ClashError{With: db.Booking{ID: 1, Vehicle: 2, Start: "2025-07-20", End: "2025-07-25"}}, 409,
			`{"detail":"This vehicle is already booked from 2025-07-20 to 2025-07-25.","code":"booking_conflict","conflict":{"id":1,"vehicle":2,"start_date":"2025-07-20","end_date":"2025-07-25"}}`},
		"unavailable": {&db.Unavailable{Code: "storage_full", Message: "text"}, 503, `{"detail":"text","code":"storage_full"}`},
		"too many":    {&limit.TooManyError{Wait: 11500 * time.Millisecond}, 429, `{"detail":"Request was throttled. Expected available in 12 seconds."}`},
		"a body":      {&body.Error{Status: 415, Detail: "text"}, 415, `{"detail":"text"}`},
		"fields":      {body.FieldError("year", "text"), 400, `{"year":["text"]}`},
		"cancelled":   {context.Canceled, statusClientGone, `{"detail":"The request was cancelled."}`},
	} {
		e := toAPIError(fmt.Errorf("create vehicle: %w", c.err))
		if e == nil {
			t.Errorf("%s: got no answer, want %d", name, c.status)
			continue
		}
		if got, err := json.Marshal(e.body); err != nil || e.status != c.status || string(got) != c.body {
			t.Errorf("%s: got %d %s, %v, want %d %s", name, e.status, got, err, c.status, c.body)
		}
	}
	if e := toAPIError(errors.New("fault")); e != nil {
		t.Errorf("got %v for a fault of ours, want no answer", e)
	}
}
