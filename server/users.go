package server

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"onenow/auth"
	"onenow/db"
	"onenow/server/body"
	"onenow/server/limit"
)

type message struct {
	Message string `json:"message"`
}

// tokenPair is the answer to a sign-in and to a refresh.
type tokenPair struct {
	Access  string `json:"access"`
	Refresh string `json:"refresh"`
}

// registerError returns an error of POST /register/, whose errors have a body of their own.
func registerError(status int, text string) *apiError {
	return &apiError{status: status, body: registerBody{text}}
}

// register creates a user.
func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	if s.registrationClosed {
		return registerError(http.StatusForbidden, "Registration is closed.")
	}
	b, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	username, ok1 := b.Text("username")
	password, ok2 := b.Text("password")
	if !ok1 || !ok2 {
		return registerError(http.StatusBadRequest, "Username and password must be text.")
	}
	username = strings.TrimSpace(username)
	if username == "" || password == "" {
		return registerError(http.StatusBadRequest, "Username and password are required.")
	}
	if problem := cmp.Or(auth.UsernameProblem(username), auth.PasswordProblem(password)); problem != "" {
		return registerError(http.StatusBadRequest, problem)
	}
	if err := s.registers.Take(limit.KeyOf(network(exchangeOf(r).client))); err != nil {
		return err
	}
	taken := registerError(http.StatusBadRequest, "Username already exists.")
	if _, err := s.db.UserByName(r.Context(), username); !errors.Is(err, db.ErrNotFound) {
		return cmp.Or(err, error(taken)) // checked here too, because hashing the password would take long
	}
	hash, err := s.hash(r, password)
	if err != nil {
		return err
	}
	_, err = s.db.CreateUser(r.Context(), username, hash)
	if errors.Is(err, db.ErrConflict) {
		return taken
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, message{"User created successfully."})
}

// login signs a user in: it exchanges a user name and a password for tokens.
func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	b, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	f := b.Fields(false)
	username, password := f.Text("username", body.MaxSize), f.Password("password", 0)
	if err := f.Err(); err != nil {
		return err
	}
	name := db.NameKey(*username) // names that look the same share one limit
	unlock, err := s.guard.Lock(r.Context(), name)
	if err != nil {
		return err
	}
	defer unlock()
	var refresh auth.Claims
	err = retryChanged(func() (err error) {
		refresh, err = s.signIn(r, *username, name, *password)
		return err
	})
	if errors.Is(err, errWrongPassword) || errors.Is(err, db.ErrConflict) {
		return detail(http.StatusUnauthorized, "No active account found with the given credentials")
	}
	if err != nil {
		return err
	}
	return s.writeTokens(w, refresh)
}

// errWrongPassword is the error for a password that is not the user's.
var errWrongPassword = errors.New("wrong password")

// retryChanged calls try again, a few times, when it returns ErrConflict: another
// process has replaced the user's hash since try read it. In this process the
// guard's lock prevents that.
func retryChanged(try func() error) (err error) {
	for range 3 {
		if err = try(); !errors.Is(err, db.ErrConflict) {
			break
		}
	}
	return err
}

// signIn verifies the password of the user of that name and returns the refresh
// token of a new sign-in, or errWrongPassword. The caller holds the guard's lock on
// key, the name's key.
func (s *Server) signIn(r *http.Request, name, key, password string) (auth.Claims, error) {
	user, err := s.db.UserByName(r.Context(), name)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return auth.Claims{}, err
	}
	newHash, err := s.checkPassword(r, key, user, password)
	if err != nil {
		return auth.Claims{}, err
	}
	refresh := s.tokens.New(auth.Refresh, int64(user.ID))
	id, err := s.db.SignIn(r.Context(), user, newHash, network(exchangeOf(r).client), stored(refresh))
	refresh.SignInID = int64(id)
	return refresh, err
}

// checkPassword returns errWrongPassword if password is not that of user, and slows down a
// client that guesses. It takes the same time for a user who does not exist. key is the
// db.NameKey of the name in the request: names that look the same share one limit. newHash
// replaces a stored hash that is outdated; otherwise it is "". The caller holds the guard's
// lock on the key.
func (s *Server) checkPassword(r *http.Request, key string, user db.User, password string) (newHash string, err error) {
	done, err := s.turns.Take(r.Context())
	if err != nil {
		return "", err
	}
	defer done()
	address := network(exchangeOf(r).client)
	success, err := s.guard.Try(key, address, func() (bool, error) {
		return s.db.KnownAddress(r.Context(), user.ID, address)
	})
	if err != nil {
		return "", err
	}
	ok, err := auth.Verify(user.PasswordHash, password)
	if err != nil {
		return "", err
	}
	if !ok {
		slowest, err := s.db.SlowestHash(r.Context())
		if err != nil {
			return "", err
		}
		auth.Pad(user.PasswordHash, slowest)
		return "", errWrongPassword
	}
	success()
	if auth.Outdated(user.PasswordHash) {
		newHash = auth.Hash(password)
	}
	return newHash, nil
}

// hash waits for a turn and returns a hash of password.
func (s *Server) hash(r *http.Request, password string) (string, error) {
	done, err := s.turns.Take(r.Context())
	if err != nil {
		return "", err
	}
	defer done()
	return auth.Hash(password), nil
}

// refresh exchanges a refresh token for new tokens of the same sign-in.
func (s *Server) refresh(w http.ResponseWriter, r *http.Request) error {
	used, err := s.readRefreshToken(w, r)
	if err != nil {
		return err
	}
	next := s.tokens.New(auth.Refresh, used.UserID)
	next.SignInID = used.SignInID
	err = s.db.Refresh(r.Context(), stored(used), stored(next), s.keepRefreshTokens)
	switch {
	case errors.Is(err, db.ErrReplayed):
		return refreshRefused(auth.ErrBlacklisted)
	case errors.Is(err, db.ErrNotFound):
		return refreshRefused(auth.ErrInvalid)
	case err != nil:
		return err
	}
	return s.writeTokens(w, next)
}

// verifyToken answers whether an access token or a refresh token is valid.
func (s *Server) verifyToken(w http.ResponseWriter, r *http.Request) error {
	b, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	f := b.Fields(false)
	token := f.Text("token", body.MaxSize)
	if err := f.Err(); err != nil {
		return err
	}
	claims, err := s.tokens.Parse(*token, auth.Access)
	if errors.Is(err, auth.ErrWrongType) {
		claims, err = s.tokens.Parse(*token, auth.Refresh)
	}
	if err != nil {
		return refreshRefused(err)
	}
	err = s.db.CheckToken(r.Context(), db.UserID(claims.UserID), stored(claims), claims.Kind == auth.Refresh)
	switch {
	case errors.Is(err, db.ErrReplayed) && !s.keepRefreshTokens:
		return refreshRefused(auth.ErrBlacklisted)
	case errors.Is(err, db.ErrNotFound):
		return refreshRefused(auth.ErrInvalid)
	case err != nil && !errors.Is(err, db.ErrReplayed):
		return err
	}
	return writeJSON(w, http.StatusOK, struct{}{})
}

// readRefreshToken returns the claims of the refresh token in r's body. For an
// expired token it returns both the claims and the 401.
func (s *Server) readRefreshToken(w http.ResponseWriter, r *http.Request) (auth.Claims, error) {
	b, err := s.readBody(w, r)
	if err != nil {
		return auth.Claims{}, err
	}
	f := b.Fields(false)
	token := f.Text("refresh", body.MaxSize)
	if err := f.Err(); err != nil {
		return auth.Claims{}, err
	}
	claims, err := s.tokens.Parse(*token, auth.Refresh)
	if err != nil {
		return claims, refreshRefused(err)
	}
	return claims, nil
}

// stored returns the part of a refresh token that the database stores.
func stored(c auth.Claims) db.RefreshToken {
	return db.RefreshToken{ID: c.ID, SignIn: db.SignInID(c.SignInID), ExpiresAt: c.ExpiresAt}
}

// writeTokens answers with a refresh token and a new access token of its sign-in.
func (s *Server) writeTokens(w http.ResponseWriter, refresh auth.Claims) error {
	access := s.tokens.New(auth.Access, refresh.UserID)
	access.SignInID = refresh.SignInID
	var pair tokenPair
	var err error
	if pair.Access, err = s.tokens.Sign(access); err != nil {
		return err
	}
	if pair.Refresh, err = s.tokens.Sign(refresh); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, pair)
}

// logout ends the sign-in of the refresh token in the body. If the sign-in has
// ended already, the answer is the same.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	claims, err := s.readRefreshToken(w, r)
	if err != nil && claims.ID == "" {
		return err
	}
	// An expired token is fine: it has been exchanged, or its sign-in has ended.
	if err := s.db.SignOut(r.Context(), db.UserID(claims.UserID), db.SignInID(claims.SignInID)); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, message{"Logged out."})
}

// changePassword sets a new password and ends all of the user's sign-ins.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request) error {
	b, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	unlock, err := s.guard.Lock(r.Context(), db.NameKey(principal(r).Name))
	if err != nil {
		return err
	}
	defer unlock()
	if err := retryChanged(func() error { return s.replacePassword(r, b.Fields(false)) }); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, message{"Password changed successfully."})
}

// replacePassword stores the new password in f if the old one is right. The caller
// holds the guard's lock on the user's name.
func (s *Server) replacePassword(r *http.Request, f *body.Fields) error {
	var user db.User
	oldPassword := f.Password("old_password", 0)
	if oldPassword != nil {
		var err error
		user, err = s.db.User(r.Context(), principal(r).User)
		if errors.Is(err, db.ErrNotFound) {
			return errUserGone
		}
		if err != nil {
			return err
		}
		_, err = s.checkPassword(r, db.NameKey(principal(r).Name), user, *oldPassword)
		if errors.Is(err, errWrongPassword) {
			f.Errs.Add("old_password", "Your old password was entered incorrectly. Please enter it again.")
		} else if err != nil {
			return err
		}
	}
	newPassword := f.Password("new_password", auth.MaxPassword)
	if err := f.Err(); err != nil {
		return err
	}
	hash, err := s.hash(r, *newPassword)
	if err != nil {
		return err
	}
	return s.db.SetPassword(r.Context(), user, hash)
}

// me answers with the signed-in user.
func (s *Server) me(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, http.StatusOK, struct {
		ID       db.UserID `json:"id"`
		Username string    `json:"username"`
	}{principal(r).User, principal(r).Name})
}
