package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// UserID is the id of a user.
type UserID int64

// Principal is the signed-in user who makes a request. It is comparable.
type Principal struct {
	User UserID
	Name string
}

// User is somebody who signs in: in practice a shop, which owns its vehicles.
type User struct {
	ID           UserID
	Username     string
	PasswordHash string // as package auth writes and reads it
}

// CreateUser stores a new user. A name that another user has, as NameKey compares
// them, is ErrConflict.
func (d *DB) CreateUser(ctx context.Context, username, passwordHash string) (UserID, error) {
	var id int64
	err := d.write(ctx, func(tx *Tx) (err error) {
		var taken bool
		if err := tx.QueryRow("SELECT EXISTS ("+selectUserByName+")", username, NameKey(username)).Scan(&taken); err != nil {
			return err
		}
		if taken {
			return &Error{Kind: ErrConflict, Message: "Username already exists."}
		}
		id, err = tx.Insert("INSERT INTO users (username, password_hash, created_at, name_key) VALUES (?, ?, ?, ?)",
			username, passwordHash, tx.now.Unix(), NameKey(username))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("create user: %w", err)
	}
	return UserID(id), nil
}

// checkExists returns ErrGone if the principal has been deleted.
func (tx *Tx) checkExists(by Principal) error {
	var exists bool
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM users WHERE id = ?)", by.User).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		return gone()
	}
	return nil
}

// UserByName returns the user of that name, as NameKey compares them, or
// ErrNotFound. Of two users whose names look the same, which older files may have,
// it returns the one with exactly that name.
func (d *DB) UserByName(ctx context.Context, username string) (User, error) {
	return d.user(ctx, selectUserByName, username, NameKey(username))
}

const selectUserByName = `
	SELECT id, username, password_hash
	FROM users
	WHERE username = ?1 OR name_key = ?2
	ORDER BY username = ?1 DESC
	LIMIT 1`

// User returns the user with that id, or ErrNotFound.
func (d *DB) User(ctx context.Context, id UserID) (User, error) {
	return d.user(ctx, "SELECT id, username, password_hash FROM users WHERE id = ?", id)
}

func (d *DB) user(ctx context.Context, query string, args ...any) (User, error) {
	var u User
	err := d.single(ctx).QueryRow(query, args...).Scan(&u.ID, &u.Username, &u.PasswordHash)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, notFound("User")
	}
	if err != nil {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	return u, nil
}

// changed is the refusal of what was decided by a password hash that has been
// replaced since.
func changed() error {
	return &Error{Kind: ErrConflict, Message: "The user has been changed or deleted. Try again."}
}

// SlowestHash returns, of the password hashes that came from Django, the one
// that takes longest to verify; "" when there are none (any more).
func (d *DB) SlowestHash(ctx context.Context) (string, error) {
	var hash string
	err := d.single(ctx).QueryRow(`
		SELECT password_hash
		FROM users
		WHERE password_hash GLOB 'pbkdf2_sha256$*'
		ORDER BY CAST(substr(password_hash, 15) AS INTEGER) DESC -- the digits it begins with
		LIMIT 1`).Scan(&hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read password hashes: %w", err)
	}
	return hash, nil
}

// SetPassword replaces u's password hash and ends all their sign-ins. It returns
// ErrConflict if u has been deleted or has another hash by now.
func (d *DB) SetPassword(ctx context.Context, u User, passwordHash string) error {
	return d.write(ctx, func(tx *Tx) error {
		err := tx.ExecOne(changed(), "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?",
			passwordHash, u.ID, u.PasswordHash)
		if err != nil {
			return err
		}
		_, err = tx.Exec("DELETE FROM sign_ins WHERE user_id = ?", u.ID)
		return err
	})
}
