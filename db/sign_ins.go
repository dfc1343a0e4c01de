package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// refreshGrace is how long a refresh token still works after its first use: two tabs of
// a browser may use the same token at once, and a client may not get the answer.
const refreshGrace = 30 * time.Second

// SignInID is the id of a sign-in. All tokens that come from one sign-in have its id.
type SignInID int64

// RefreshToken is the stored part of a refresh token.
type RefreshToken struct {
	ID        string // the token's jti
	SignIn    SignInID
	ExpiresAt time.Time
}

// SignedIn returns the name of the user, and whether their sign-in with that id still
// exists. It returns ErrGone if the user has been deleted.
func (d *DB) SignedIn(ctx context.Context, user UserID, id SignInID) (username string, ok bool, err error) {
	err = d.single(ctx).QueryRow(`
		SELECT username, EXISTS (SELECT 1 FROM sign_ins WHERE id = ?2 AND user_id = ?1)
		FROM users
		WHERE id = ?1`, user, id).Scan(&username, &ok)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, errGone()
	}
	if err != nil {
		return "", false, fmt.Errorf("read sign-in: %w", err)
	}
	return username, ok, nil
}

// SignIn stores a new sign-in of u with its first refresh token and returns its id. It
// also stores address as a known address of u. If newHash is not empty, it replaces the
// password hash, and u's other sign-ins stay valid. SignIn returns ErrConflict if u has
// been deleted or u's password hash is no longer u.PasswordHash.
func (d *DB) SignIn(ctx context.Context, u User, newHash, address string, first RefreshToken) (SignInID, error) {
	if newHash == "" {
		newHash = u.PasswordHash
	}
	err := d.write(ctx, func(tx *Tx) error {
		err := tx.ExecOne(errChanged(), "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?",
			newHash, u.ID, u.PasswordHash)
		if err != nil {
			return err
		}
		id, err := tx.Insert("INSERT INTO sign_ins (user_id, created_at, expires_at) VALUES (?, ?, ?)",
			u.ID, tx.now.Unix(), first.ExpiresAt.Unix())
		if err != nil {
			return err
		}
		first.SignIn = SignInID(id)
		if err := tx.addKnownAddress(u.ID, address); err != nil {
			return err
		}
		return tx.addRefreshToken(first)
	})
	return first.SignIn, err
}

// maxKnownAddresses is the largest number of known addresses of a user.
const maxKnownAddresses = 20

// addKnownAddress stores an address from which the user has signed in, and deletes the
// oldest addresses beyond maxKnownAddresses.
func (tx *Tx) addKnownAddress(user UserID, address string) error {
	_, err := tx.Exec("INSERT OR REPLACE INTO known_addresses (user_id, address, used_at) VALUES (?, ?, ?)", user, address, tx.now.Unix())
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		DELETE FROM known_addresses
		WHERE user_id = ?1 AND address NOT IN (
			SELECT address FROM known_addresses WHERE user_id = ?1 ORDER BY used_at DESC LIMIT ?2
		)`, user, maxKnownAddresses)
	return err
}

// KnownAddress reports whether address is one of the last 20 addresses from which the
// user has signed in.
func (d *DB) KnownAddress(ctx context.Context, user UserID, address string) (bool, error) {
	var ok bool
	err := d.single(ctx).QueryRow("SELECT EXISTS (SELECT 1 FROM known_addresses WHERE user_id = ? AND address = ?)", user, address).Scan(&ok)
	return ok, err
}

// ErrReplayed says that a refresh token was used before.
var ErrReplayed = errors.New("refresh token used before")

// Refresh marks the refresh token used as used, and stores next, the new token of the
// same sign-in. It returns ErrNotFound if used or the sign-in does not exist. If used was
// first used more than 30 seconds ago, two clients have the token and one of them may
// have stolen it: Refresh then deletes the sign-in and returns ErrReplayed. With keep, a
// used token stays valid instead.
func (d *DB) Refresh(ctx context.Context, used, next RefreshToken, keep bool) error {
	replayed := false
	err := d.write(ctx, func(tx *Tx) error {
		var usedAt sql.NullInt64
		err := tx.QueryRow(`
			SELECT t.used_at
			FROM refresh_tokens t
				JOIN sign_ins s ON s.id = t.sign_in_id
				JOIN users u ON u.id = s.user_id
			WHERE t.id = ? AND s.id = ?`, used.ID, used.SignIn).Scan(&usedAt)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("Sign-in")
		}
		if err != nil {
			return err
		}
		if !keep && usedAt.Valid && time.Duration(tx.now.Unix()-usedAt.Int64)*time.Second > refreshGrace {
			replayed = true
			_, err := tx.Exec("DELETE FROM sign_ins WHERE id = ?", used.SignIn)
			return err
		}
		_, err = tx.Exec("UPDATE refresh_tokens SET used_at = ? WHERE id = ? AND used_at IS NULL", tx.now.Unix(), used.ID)
		if err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE sign_ins SET expires_at = max(expires_at, ?) WHERE id = ?", next.ExpiresAt.Unix(), used.SignIn)
		if err != nil {
			return err
		}
		return tx.addRefreshToken(next)
	})
	if err == nil && replayed {
		return ErrReplayed
	}
	return err
}

// CheckToken reports whether a token of the user is still valid in the database. It
// returns ErrNotFound if the sign-in does not exist, or ErrReplayed if the token is a
// refresh token that was first used more than 30 seconds ago.
func (d *DB) CheckToken(ctx context.Context, user UserID, t RefreshToken, refresh bool) error {
	tx := d.single(ctx)
	var usedAt sql.NullInt64
	query, args := "SELECT NULL FROM sign_ins WHERE id = ? AND user_id = ?", []any{t.SignIn, user}
	if refresh {
		query = `
			SELECT t.used_at
			FROM refresh_tokens t JOIN sign_ins s ON s.id = t.sign_in_id
			WHERE s.id = ? AND s.user_id = ? AND t.id = ?`
		args = append(args, t.ID)
	}
	err := tx.QueryRow(query, args...).Scan(&usedAt)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return notFound("Sign-in")
	case err != nil:
		return fmt.Errorf("read sign-in: %w", err)
	case usedAt.Valid && time.Duration(tx.now.Unix()-usedAt.Int64)*time.Second > refreshGrace:
		return ErrReplayed
	}
	return nil
}

// SignOut deletes a sign-in of the user, and with it all its tokens. It returns no error
// if the sign-in does not exist.
func (d *DB) SignOut(ctx context.Context, user UserID, id SignInID) error {
	return d.write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("DELETE FROM sign_ins WHERE id = ? AND user_id = ?", id, user)
		return err
	})
}

// addRefreshToken stores a refresh token, and deletes all expired sign-ins and tokens.
func (tx *Tx) addRefreshToken(t RefreshToken) error {
	_, err := tx.Exec("INSERT INTO refresh_tokens (id, sign_in_id, expires_at) VALUES (?, ?, ?)",
		t.ID, t.SignIn, t.ExpiresAt.Unix())
	if err != nil {
		return err
	}
	// A sign-in expires together with its newest token.
	if _, err := tx.Exec("DELETE FROM sign_ins WHERE expires_at <= ?", tx.now.Unix()); err != nil {
		return err
	}
	_, err = tx.Exec("DELETE FROM refresh_tokens WHERE expires_at <= ?", tx.now.Unix())
	return err
}
