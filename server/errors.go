package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"onenow/db"
	"onenow/server/body"
	"onenow/server/limit"
)

// apiError is an error with its answer. The texts in the body are written for users.
type apiError struct {
	status int
	body   any
	cause  error // for the log; nil if the body has everything

	retryAfter int // seconds, with 429
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %v", e.status, e.body) }

// The bodies of errors. Frontends written for Django REST framework distinguish them
// by their keys.
type (
	detailBody struct {
		Detail string `json:"detail"`
	}
	codeBody struct {
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}
	tokenBody struct {
		Detail   string         `json:"detail"`
		Code     string         `json:"code"`
		Messages []tokenMessage `json:"messages"`
	}
	tokenMessage struct {
		TokenClass string `json:"token_class"`
		TokenType  string `json:"token_type"`
		Message    string `json:"message"`
	}
	conflictBody struct {
		Detail   string     `json:"detail"`
		Code     string     `json:"code"`
		Conflict db.Booking `json:"conflict"`
	}
	registerBody struct {
		Error string `json:"error"`
	}
	internalBody struct {
		Detail    string `json:"detail"`
		RequestID string `json:"request_id"`
	}
)

// statusClientGone is the status in the log when the client has gone away before the
// answer.
const statusClientGone = 499

// detail returns an error whose body is one sentence.
func detail(status int, format string, args ...any) *apiError {
	return &apiError{status: status, body: detailBody{fmt.Sprintf(format, args...)}}
}

var errPathNotFound = detail(http.StatusNotFound, "Not found.")

func methodNotAllowed(method string) *apiError {
	return detail(http.StatusMethodNotAllowed, "Method %q not allowed.", method)
}

// throttled returns the answer to a client that has to wait.
func throttled(wait time.Duration) *apiError {
	seconds := int(math.Ceil(wait.Seconds()))
	plural := "s"
	if seconds == 1 {
		plural = ""
	}
	e := detail(http.StatusTooManyRequests, "Request was throttled. Expected available in %d second%s.", seconds, plural)
	e.retryAfter = seconds
	return e
}

// fail answers with err. A text that was not written for users goes only to the log.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r)
	if x.status != 0 { // too late for another answer; the client must see that this one is cut off
		x.cause, x.broken = err, true
		return
	}
	e := toAPIError(err)
	if e == nil {
		e = &apiError{status: http.StatusInternalServerError, body: internalBody{"Internal server error.", x.id}, cause: err}
	}
	x.cause = e.cause
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="api"`) // RFC 9110, section 11.6.1
	}
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	text, err := toJSON(e.body)
	if err != nil {
		x.cause = errors.Join(x.cause, err)
		return
	}
	sendZipped(w, r, e.status, text)
}

// toAPIError returns the answer for err, or nil when err is our own fault.
func toAPIError(err error) *apiError {
	var answer *apiError
	if errors.As(err, &answer) {
		return answer
	}
	var fault *body.Error
	if errors.As(err, &fault) {
		return detail(fault.Status, "%s", fault.Detail)
	}
	var fields body.FieldErrors
	if errors.As(err, &fields) {
		return &apiError{status: http.StatusBadRequest, body: fields}
	}
	var tooMany *limit.TooManyError
	if errors.As(err, &tooMany) {
		return throttled(tooMany.Wait)
	}
	if errors.Is(err, context.Canceled) { // the client has gone away
		return &apiError{status: statusClientGone, body: detailBody{"The request was cancelled."}, cause: err}
	}
	var clash *db.ClashError
	if errors.As(err, &clash) {
		return &apiError{status: http.StatusConflict, body: conflictBody{clash.Error(), "booking_conflict", clash.With}}
	}
	var unavailable *db.Unavailable
	if errors.As(err, &unavailable) {
		return &apiError{status: http.StatusServiceUnavailable, body: codeBody{unavailable.Message, unavailable.Code}, cause: err}
	}
	var refusal *db.Error
	if !errors.As(err, &refusal) {
		return nil
	}
	for _, kind := range kinds {
		if errors.Is(err, kind.err) {
			return kind.answer(refusal)
		}
	}
	return nil
}

// kinds has the answer for each kind of db.Error.
var kinds = []struct {
	err    error
	answer func(*db.Error) *apiError
}{
	{db.ErrGone, func(*db.Error) *apiError { return errUserGone }},
	{db.ErrNotFound, func(e *db.Error) *apiError { return detail(http.StatusNotFound, "%s", e.Message) }},
	{db.ErrForbidden, func(e *db.Error) *apiError { return detail(http.StatusForbidden, "%s", e.Message) }},
	{db.ErrConflict, func(e *db.Error) *apiError { return detail(http.StatusConflict, "%s", e.Message) }},
	{db.ErrInvalid, func(e *db.Error) *apiError {
		return &apiError{status: http.StatusBadRequest, body: body.FieldError(e.Field, e.Message)}
	}},
}
