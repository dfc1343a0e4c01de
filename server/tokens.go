package server

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"onenow/auth"
	"onenow/db"
)

// identity is who sends a request.
type identity struct {
	userID   db.UserID
	username string
}

// actor returns who sends r, on routes for those who are signed in.
func actor(r *http.Request) *identity { return exchangeOf(r).user }

// The messages of refused tokens.
var tokenMessages = map[error]string{
	auth.ErrInvalid:   "Token is invalid",
	auth.ErrExpired:   "Token is expired",
	auth.ErrWrongType: "Token has wrong type",
}

// accessRefused is the answer to a bad access token.
func accessRefused(err error) *apiError {
	return &apiError{status: http.StatusUnauthorized, body: tokenBody{
		Detail:   "Given token not valid for any token type",
		Code:     "token_not_valid",
		Messages: []tokenMessage{{"AccessToken", string(auth.Access), tokenMessages[err]}},
	}}
}

// refreshRefused is the answer to a bad refresh token.
func refreshRefused(err error) *apiError {
	return &apiError{status: http.StatusUnauthorized, body: codeBody{tokenMessages[err], "token_not_valid"}}
}

var (
	errNoCredentials = detail(http.StatusUnauthorized, "Authentication credentials were not provided.")
	errBadHeader     = &apiError{status: http.StatusUnauthorized, body: codeBody{
		"Authorization header must contain two space-delimited values", "bad_authorization_header"}}
	errUserGone = &apiError{status: http.StatusUnauthorized, body: codeBody{"User not found", "user_not_found"}}
)

// authenticate finds who sends r by its access token, or returns the 401.
func (s *Server) authenticate(r *http.Request) error {
	token, err := bearerToken(r)
	if err != nil {
		return err
	}
	ended := s.db.SignInsEnded() // before anything is read that it is to date
	who := s.verified.get(token, ended, s.db.Now())
	if who == nil {
		claims, err := s.tokens.Parse(token, auth.Access)
		if err != nil {
			return accessRefused(err)
		}
		userID := db.UserID(claims.UserID)
		username, ok, err := s.db.SignedIn(r.Context(), userID, db.SignInID(claims.SignInID))
		switch {
		case errors.Is(err, db.ErrNotFound):
			return errUserGone
		case err != nil:
			return err
		case !ok:
			return accessRefused(auth.ErrInvalid)
		}
		who = &identity{userID, username}
		s.verified.put(token, who, ended, claims.ExpiresAt)
	}
	exchangeOf(r).user = who
	return nil
}

// bearerToken returns the token in r's Authorization header. The scheme may be
// in any case (RFC 9110, section 11.1).
func bearerToken(r *http.Request) (string, error) {
	// Several headers are one with commas (RFC 9110, section 5.3).
	parts := strings.Fields(strings.Join(r.Header["Authorization"], ","))
	switch {
	case len(parts) == 0 || !strings.EqualFold(parts[0], "Bearer"):
		return "", errNoCredentials
	case len(parts) != 2:
		return "", errBadHeader
	}
	return parts[1], nil
}

// maxVerified bounds the token cache: about a megabyte.
const maxVerified = 2048

// tokenCache remembers who verified access tokens belong to, so that a request
// costs neither the token's signature nor a query for its sign-in. An entry
// holds until the token expires or any sign-in ends, which db.SignInsEnded
// tells.
type tokenCache struct {
	mu      sync.RWMutex
	entries map[string]verifiedToken
}

type verifiedToken struct {
	who       *identity
	ended     uint64 // db.SignInsEnded before the token was checked
	expiresAt time.Time
}

func newTokenCache() *tokenCache { return &tokenCache{entries: map[string]verifiedToken{}} }

// get returns who the token belongs to, or nil if it has to be checked.
func (c *tokenCache) get(token string, ended uint64, now time.Time) *identity {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.entries[token]
	if !ok || e.ended != ended || !now.Before(e.expiresAt) {
		return nil
	}
	return e.who
}

func (c *tokenCache) put(token string, who *identity, ended uint64, expiresAt time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for old := range c.entries {
		if len(c.entries) < maxVerified {
			break
		}
		delete(c.entries, old) // any: it costs its owner one check
	}
	c.entries[token] = verifiedToken{who, ended, expiresAt}
}
