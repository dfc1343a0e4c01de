package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// refreshGrace is how long a used refresh token still works: two tabs of a
// browser may use the same one at once, and an answer may be lost on the way.
const refreshGrace = 30 * time.Second

// SignInID is the id of a sign-in: one login and all the tokens it leads to.
type SignInID int64

// RefreshToken is what is stored of a refresh token.
type RefreshToken struct {
	ID        string // its jti
	SignIn    SignInID
	ExpiresAt time.Time
}

// SignedIn returns the name of the user and whether that sign-in of theirs is
// still good. A user who has been deleted is ErrGone.
func (d *DB) SignedIn(ctx context.Context, user UserID, id SignInID) (username string, ok bool, err error) {
	err = d.single(ctx).QueryRow(`
		SELECT username, EXISTS (SELECT 1 FROM sign_ins WHERE id = ?2 AND user_id = ?1)
		FROM users
		WHERE id = ?1`, user, id).Scan(&username, &ok)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, gone()
	}
	if err != nil {
		return "", false, fmt.Errorf("read sign-in: %w", err)
	}
	return username, ok, nil
}

// SignIn begins a sign-in of u with its first refresh token, whose SignIn it
// returns, and stores the address it came from. It returns ErrConflict if u
// has been deleted or has another password hash by now. A newHash that is not
// empty replaces the hash, without ending anything.
func (d *DB) SignIn(ctx context.Context, u User, newHash, address string, first RefreshToken) (SignInID, error) {
	if newHash == "" {
		newHash = u.PasswordHash
	}
	err := d.write(ctx, func(tx *Tx) error {
		err := tx.ExecOne(changed(), "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?",
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
		if err := tx.storeAddress(u.ID, address); err != nil {
			return err
		}
		return tx.addRefreshToken(first)
	})
	return first.SignIn, err
}

// maxKnownAddresses is how many addresses are stored for each user.
const maxKnownAddresses = 20

func (tx *Tx) storeAddress(user UserID, address string) error {
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

// KnownAddress reports whether that address is stored as one from which the user has
// signed in before.
func (d *DB) KnownAddress(ctx context.Context, user UserID, address string) (bool, error) {
	var ok bool
	err := d.single(ctx).QueryRow("SELECT EXISTS (SELECT 1 FROM known_addresses WHERE user_id = ? AND address = ?)", user, address).Scan(&ok)
	return ok, err
}

// ErrReplayed says that a refresh token had been exchanged before.
var ErrReplayed = errors.New("refresh token exchanged before")

// Refresh exchanges the refresh token used for next, of the same sign-in. It returns
// ErrNotFound if the sign-in has ended. If used was exchanged more than 30 seconds
// ago, one of the two who have it has stolen it: Refresh ends the sign-in and returns
// ErrReplayed. With keep, used stays good instead.
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

// CheckToken returns nil if a token of the user's is still good, as far as the
// database knows: ErrNotFound if its sign-in has ended, or ErrReplayed if it is a
// refresh token that was exchanged more than 30 seconds ago.
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

// SignOut ends a sign-in of the user's. One that has ended already is no error.
func (d *DB) SignOut(ctx context.Context, user UserID, id SignInID) error {
	return d.write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("DELETE FROM sign_ins WHERE id = ? AND user_id = ?", id, user)
		return err
	})
}

// addRefreshToken stores a token, and deletes the sign-ins and tokens that have
// expired, so that unused rows do not pile up.
func (tx *Tx) addRefreshToken(t RefreshToken) error {
	_, err := tx.Exec("INSERT INTO refresh_tokens (id, sign_in_id, expires_at) VALUES (?, ?, ?)",
		t.ID, t.SignIn, t.ExpiresAt.Unix())
	if err != nil {
		return err
	}
	// All tokens of these sign-ins have expired, too.
	if _, err := tx.Exec("DELETE FROM sign_ins WHERE expires_at <= ?", tx.now.Unix()); err != nil {
		return err
	}
	_, err = tx.Exec("DELETE FROM refresh_tokens WHERE expires_at <= ?", tx.now.Unix())
	return err
}
