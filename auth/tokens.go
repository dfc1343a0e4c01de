package auth

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Kind is what a token is for, its claim token_type.
type Kind string

// The kinds of token.
const (
	Access  Kind = "access"
	Refresh Kind = "refresh"
)

// How long tokens live, as the seed's first implementation had it.
const (
	AccessLifetime  = 60 * time.Minute
	RefreshLifetime = 24 * time.Hour
)

// Why a token is refused.
var (
	ErrInvalid   = errors.New("token is invalid")
	ErrExpired   = errors.New("token is expired")
	ErrWrongType = errors.New("token has wrong type")
)

// Claims is what a token says.
type Claims struct {
	Kind      Kind
	ID        string // the jti, of 32 hexadecimal digits
	UserID    int64
	SignInID  int64
	ExpiresAt time.Time // to the second
}

// wireClaims is Claims as JSON, in the order that SimpleJWT writes.
type wireClaims struct {
	Kind Kind `json:"token_type"`
	jwt.RegisteredClaims
	UserID   int64 `json:"user_id"`
	SignInID int64 `json:"sign_in_id"`
}

// Tokens signs and checks JSON Web Tokens with HS256 and one key. No other
// algorithm is ever accepted.
type Tokens struct {
	key    []byte
	now    func() time.Time
	parser *jwt.Parser
}

// NewTokens returns a Tokens that signs with key and lives by the clock now.
func NewTokens(key []byte, now func() time.Time) *Tokens {
	return &Tokens{key: key, now: now, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(), // one signature has one spelling
		jwt.WithTimeFunc(now),
	)}
}

// New returns claims for a new token of that kind, with its own id and its
// full life before it.
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

// Sign returns the token that says c.
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

// Parse returns what token says, if it is one of ours, of that kind, and
// still good; otherwise one of the errors above. With ErrExpired come the
// claims of a token of that kind that was good once.
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
