package auth

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Kind is the purpose of a token: the claim token_type.
type Kind string

// The kinds of token.
const (
	Access  Kind = "access"
	Refresh Kind = "refresh"
)

// The lifetimes of tokens, as in the first implementation of the API.
const (
	AccessLifetime  = 60 * time.Minute
	RefreshLifetime = 24 * time.Hour
)

// The errors of Parse.
var (
	ErrInvalid   = errors.New("token is invalid")
	ErrExpired   = errors.New("token is expired")
	ErrWrongType = errors.New("token has wrong type")

	// ErrBlacklisted says that a refresh token has been exchanged. Parse does not
	// return it, because it sees the token alone.
	ErrBlacklisted = errors.New("token is blacklisted")
)

// Claims are the contents of a token.
type Claims struct {
	Kind      Kind
	ID        string // the jti: 32 hexadecimal digits
	UserID    int64
	SignInID  int64
	ExpiresAt time.Time // in whole seconds
}

// wireClaims is Claims as JSON, in the order in which SimpleJWT writes them.
type wireClaims struct {
	Kind Kind `json:"token_type"`
	jwt.RegisteredClaims
	UserID   int64 `json:"user_id"`
	SignInID int64 `json:"sign_in_id"`
}

// Tokens signs and verifies JSON Web Tokens with one key and HS256. It accepts no
// other algorithm.
type Tokens struct {
	key    []byte
	now    func() time.Time
	parser *jwt.Parser
}

// NewTokens returns a Tokens that signs with key and reads the time from now.
func NewTokens(key []byte, now func() time.Time) *Tokens {
	return &Tokens{key: key, now: now, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(), // each signature has only one valid encoding
		jwt.WithTimeFunc(now),
	)}
}

// New returns the claims of a new token of that kind, with a new id and the lifetime of the
// kind. The caller sets SignInID.
func (t *Tokens) New(kind Kind, userID int64) Claims {
	lifetime := AccessLifetime
	if kind == Refresh {
		lifetime = RefreshLifetime
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails
	return Claims{
		Kind:      kind,
		ID:        hex.EncodeToString(id),
		UserID:    userID,
		ExpiresAt: t.now().Add(lifetime).Truncate(time.Second),
	}
}

// Sign returns a signed token with the claims c.
func (t *Tokens) Sign(c Claims) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, wireClaims{
		Kind: c.Kind,
		RegisteredClaims: jwt.RegisteredClaims{
			ExpiresAt: jwt.NewNumericDate(c.ExpiresAt),
			IssuedAt:  jwt.NewNumericDate(t.now()),
			ID:        c.ID,
		},
		UserID:   c.UserID,
		SignInID: c.SignInID,
	}).SignedString(t.key)
}

// Parse returns the claims of a token. It returns ErrInvalid if this key has not signed the
// token, ErrExpired if the token is expired, and ErrWrongType if it is not of that kind.
// With ErrExpired, it also returns the claims if the token is of that kind.
func (t *Tokens) Parse(token string, kind Kind) (Claims, error) {
	var wire wireClaims
	_, err := t.parser.ParseWithClaims(token, &wire, func(*jwt.Token) (any, error) { return t.key, nil })
	expired := errors.Is(err, jwt.ErrTokenExpired)
	if err != nil && !expired {
		return Claims{}, ErrInvalid
	}
	c := Claims{Kind: wire.Kind, ID: wire.ID, UserID: wire.UserID, SignInID: wire.SignInID, ExpiresAt: wire.ExpiresAt.Time}
	switch {
	case expired && c.Kind == kind:
		return c, ErrExpired
	case expired:
		return Claims{}, ErrExpired
	case c.Kind != kind:
		return Claims{}, ErrWrongType
	}
	return c, nil
}
