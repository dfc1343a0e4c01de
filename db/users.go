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

// User is an account, usually the account of a shop. It owns vehicles.
type User struct {
	ID           UserID
	Username     string
	PasswordHash string // in a format of package auth
}

// CreateUser stores a new user and returns their id. It returns ErrConflict if another
// user has the same name or the same NameKey.
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

// checkExists returns ErrGone if the user of the principal has been deleted.
func (tx *Tx) checkExists(by Principal) error {
	var exists bool
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM users WHERE id = ?)", by.User).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		return errGone()
	}
	return nil
}

// UserByName returns the user with that name or with the same NameKey, or ErrNotFound.
// Older files may have two users with the same NameKey: UserByName prefers the user with
// exactly that name.
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

// errChanged returns the error for a user who has been deleted, or whose password hash has
// been replaced, since the caller read the user.
func errChanged() error {
	return &Error{Kind: ErrConflict, Message: "The user has been changed or deleted. Try again."}
}

// SlowestHash returns the stored Django password hash that takes longest to verify, or ""
// if there is none.
func (d *DB) SlowestHash(ctx context.Context) (string, error) {
	var hash string
	err := d.single(ctx).QueryRow(`
		SELECT password_hash
		FROM users
		WHERE password_hash GLOB 'pbkdf2_sha256$*'
		ORDER BY CAST(substr(password_hash, 15) AS INTEGER) DESC -- the number of iterations
		LIMIT 1`).Scan(&hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read password hashes: %w", err)
	}
	return hash, nil
}

// SetPassword replaces u's password hash and deletes all sign-ins of u. It returns
// ErrConflict if u has been deleted or u's password hash is no longer u.PasswordHash.
func (d *DB) SetPassword(ctx context.Context, u User, passwordHash string) error {
	return d.write(ctx, func(tx *Tx) error {
		err := tx.ExecOne(errChanged(), "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?",
			passwordHash, u.ID, u.PasswordHash)
		if err != nil {
			return err
		}
		_, err = tx.Exec("DELETE FROM sign_ins WHERE user_id = ?", u.ID)
		return err
	})
}
