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

// tokenPair is the answer to a login and a refresh.
type tokenPair struct {
	Access  string `json:"access"`
	Refresh string `json:"refresh"`
}

// registerError is a refusal in the shape that POST /register/ alone has.
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
		return cmp.Or(err, error(taken)) // before a hash is made for nothing
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

// login exchanges a name and a password for tokens.
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
	user, err := s.db.UserByName(r.Context(), *username)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	wrong := detail(http.StatusUnauthorized, "No active account found with the given credentials")
	ok, newHash, err := s.checkPassword(r, *username, user, *password)
	if err != nil {
		return err
	}
	if !ok {
		return wrong
	}
	refresh := s.tokens.New(auth.Refresh, int64(user.ID))
	signIn, err := s.db.SignIn(r.Context(), user, newHash, network(exchangeOf(r).client), stored(refresh))
	if errors.Is(err, db.ErrConflict) { // the password has just changed
		return wrong
	}
	if err != nil {
		return err
	}
	refresh.SignInID = int64(signIn)
	return s.writeTokens(w, refresh)
}

// checkPassword reports whether password is that of user, who signs in by that
// name, and slows down who guesses. A user who does not exist takes the same
// time. newHash is a better hash of the password than the one stored, if there
// is one.
func (s *Server) checkPassword(r *http.Request, name string, user db.User, password string) (ok bool, newHash string, err error) {
	defer s.guard.Lock(name)()
	done, err := s.turns.Take(r.Context())
	if err != nil {
		return false, "", err
	}
	defer done()
	address := network(exchangeOf(r).client)
	success, err := s.guard.Try(name, address, func() (bool, error) {
		return s.db.KnownAddress(r.Context(), user.ID, address)
	})
	if err != nil {
		return false, "", err
	}
	if ok, err = auth.Verify(user.PasswordHash, password); err != nil {
		return false, "", err
	}
	if !ok {
		slowest, err := s.db.SlowestHash(r.Context())
		if err != nil {
			return false, "", err
		}
		auth.Pad(user.PasswordHash, slowest)
		return false, "", nil
	}
	success()
	if auth.Outdated(user.PasswordHash) {
		newHash = auth.Hash(password)
	}
	return true, newHash, nil
}

// hash returns a hash of password when it is its turn.
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
	err = s.db.Refresh(r.Context(), stored(used), stored(next))
	if errors.Is(err, db.ErrNotFound) {
		return refreshRefused(auth.ErrInvalid)
	}
	if err != nil {
		return err
	}
	return s.writeTokens(w, next)
}

// readRefreshToken returns the claims of the refresh token in r's body, or of
// an expired one with its refusal.
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

// stored is what the database keeps of a refresh token.
func stored(c auth.Claims) db.RefreshToken {
	return db.RefreshToken{ID: c.ID, SignIn: db.SignInID(c.SignInID), ExpiresAt: c.ExpiresAt}
}

// writeTokens answers with that refresh token and a new access token.
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

// logout ends the sign-in of the refresh token given, if it has not ended.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	claims, err := s.readRefreshToken(w, r)
	if err != nil && claims.ID == "" {
		return err
	}
	// An expired token has been exchanged, or its sign-in is over anyway.
	if claims.UserID != int64(principal(r).User) {
		return refreshRefused(auth.ErrInvalid)
	}
	if err := s.db.SignOut(r.Context(), principal(r).User, db.SignInID(claims.SignInID)); err != nil {
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
	f := b.Fields(false)
	var user db.User
	oldPassword := f.Password("old_password", 0)
	if oldPassword != nil {
		user, err = s.db.User(r.Context(), principal(r).User)
		if errors.Is(err, db.ErrNotFound) {
			return errUserGone
		}
		if err != nil {
			return err
		}
		ok, _, err := s.checkPassword(r, user.Username, user, *oldPassword)
		if err != nil {
			return err
		}
		if !ok {
			f.Errs.Add("old_password", "Your old password was entered incorrectly. Please enter it again.")
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
	if err := s.db.SetPassword(r.Context(), user, hash); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, message{"Password changed successfully."})
}

// me says who is signed in.
func (s *Server) me(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, http.StatusOK, struct {
		ID       db.UserID `json:"id"`
		Username string    `json:"username"`
	}{principal(r).User, principal(r).Name})
}
