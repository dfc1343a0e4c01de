package server

import (
	"net/http"
	"strings"
	"time"

	"onenow/auth"
	"onenow/db"
)

// principal returns the signed-in user. The access of r's route must be signedIn.
func principal(r *http.Request) db.Principal { return *exchangeOf(r).by }

// tokenMessages are the messages about refused tokens.
var tokenMessages = map[error]string{
	auth.ErrInvalid:   "Token is invalid",
	auth.ErrExpired:   "Token is expired",
	auth.ErrWrongType: "Token has wrong type",

	auth.ErrBlacklisted: "Token is blacklisted",
}

// accessRefused returns the answer to an access token that is not valid.
func accessRefused(err error) *apiError {
	return &apiError{status: http.StatusUnauthorized, body: tokenBody{
		Detail:   "Given token not valid for any token type",
		Code:     "token_not_valid",
		Messages: []tokenMessage{{"AccessToken", string(auth.Access), tokenMessages[err]}},
	}}
}

// refreshRefused returns the answer to a refresh token that is not valid.
func refreshRefused(err error) *apiError {
	return &apiError{status: http.StatusUnauthorized, body: codeBody{tokenMessages[err], "token_not_valid"}}
}

var (
	errNoCredentials = detail(http.StatusUnauthorized, "Authentication credentials were not provided.")
	errBadHeader     = &apiError{status: http.StatusUnauthorized, body: codeBody{
		"Authorization header must contain two space-delimited values", "bad_authorization_header"}}
	errUserGone = &apiError{status: http.StatusUnauthorized, body: codeBody{"User not found", "user_not_found"}}
)

// signedIn is the access of routes that need an access token. It stores the user of the
// token, whom principal returns, or returns the 401.
func signedIn(s *Server, r *http.Request) error {
	token, err := bearerToken(r)
	if err != nil {
		return err
	}
	verified, err := s.verified.find(token, func() (verifiedToken, int, error) {
		v, err := s.verify(r, token)
		return v, 1, err
	})
	if err != nil {
		return err
	}
	if !s.db.Now().Before(verified.expiresAt) {
		return accessRefused(auth.ErrExpired)
	}
	exchangeOf(r).by = verified.by
	return nil
}

// verify returns the user of an access token, or the 401.
func (s *Server) verify(r *http.Request, token string) (verifiedToken, error) {
	claims, err := s.tokens.Parse(token, auth.Access)
	if err != nil {
		return verifiedToken{}, accessRefused(err)
	}
	userID := db.UserID(claims.UserID)
	username, ok, err := s.db.SignedIn(r.Context(), userID, db.SignInID(claims.SignInID))
	switch {
	case err != nil:
		return verifiedToken{}, err
	case !ok:
		return verifiedToken{}, accessRefused(auth.ErrInvalid)
	}
	return verifiedToken{&db.Principal{User: userID, Name: username}, claims.ExpiresAt}, nil
}

// bearerToken returns the token in r's Authorization header. The scheme may be
// in any case (RFC 9110, section 11.1).
func bearerToken(r *http.Request) (string, error) {
	// Several headers count as one header with commas (RFC 9110, section 5.3).
	parts := strings.Fields(strings.Join(r.Header["Authorization"], ","))
	switch {
	case len(parts) == 0 || !strings.EqualFold(parts[0], "Bearer"):
		return "", errNoCredentials
	case len(parts) != 2:
		return "", errBadHeader
	}
	return strings.Clone(parts[1]), nil // a copy, because the cache would keep the whole header in memory
}

// maxVerified is the greatest number of cached tokens. They take about a megabyte.
const maxVerified = 2048

// verifiedToken is the result of verifying an access token. It is valid until the
// token expires or any process writes to the database.
type verifiedToken struct {
	by        *db.Principal
	expiresAt time.Time
}
