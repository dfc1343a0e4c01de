// Package db stores the shop's users, vehicles and bookings, and checks their rules. A
// method with a Principal reads and changes only that user's rows. Package store below it
// handles the SQLite file.
//
// An error is an *Error or a *ClashError if it has a message for the user, and an
// *Unavailable if the file cannot be read or written.
package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"time"

	"onenow/db/store"
)

// DB is the shop's database. Its methods may be called from many goroutines.
type DB struct {
	// Now is the clock for all times that are stored or compared. It is time.Now unless
	// the caller replaces it before the first use.
	Now func() time.Time

	store *store.Store
}

// New returns the DB in the store s, which has the format Format. The caller closes s.
func New(s *store.Store) *DB { return &DB{Now: time.Now, store: s} }

// Format returns the format of onenow's files. schema is the text of schema.sql.
func Format(schema string) store.Format {
	return store.Format{
		Schema:     schema,
		Migrations: migrations,
		Fill:       fillInstance,
		Identity:   "SELECT lower(hex(signing_key)) FROM instance",
		Problems:   listOverlaps,
	}
}

// Tx is a store.Tx with a time.
type Tx struct {
	*store.Tx
	now time.Time // when the transaction began
}

// Precondition is called in the transaction of a change with the row as it is
// before. Its error stops the change. A nil Precondition always holds.
type Precondition[T any] func(before T) error

func (p Precondition[T]) run(before T) error {
	if p == nil {
		return nil
	}
	return p(before)
}

// read runs fn on one snapshot of the database; see store.Store.Read.
func (d *DB) read(ctx context.Context, fn func(*Tx) error) error {
	return d.store.Read(ctx, func(tx *store.Tx) error { return fn(&Tx{tx, d.Now()}) })
}

// single returns a Tx for one query on the newest state; see store.Store.Single.
func (d *DB) single(ctx context.Context) *Tx { return &Tx{d.store.Single(ctx), d.Now()} }

// write runs fn in a transaction and returns when its changes are on disk; see
// store.Store.Write.
func (d *DB) write(ctx context.Context, fn func(*Tx) error) error {
	return d.store.Write(ctx, func(tx *store.Tx) error { return fn(&Tx{tx, d.Now()}) })
}

// Ready returns an error, usually an *Unavailable, if the database cannot be read or
// written; see store.Store.Ready.
func (d *DB) Ready(ctx context.Context) error { return d.store.Ready(ctx) }

// Revision identifies a committed state of the database.
type Revision = store.Revision

// Revision returns the current revision, or false if it is not known; see
// store.Store.Revision.
func (d *DB) Revision() (Revision, bool) { return d.store.Revision() }

// fillInstance writes the row of table instance, with a new signing key.
func fillInstance(tx *sql.Tx) error {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	_, err := tx.Exec("INSERT INTO instance (id, signing_key, created_at) VALUES (1, ?, ?)", key, time.Now().Unix())
	return err
}

// SigningKey returns the 32-byte key that signs the tokens.
func (d *DB) SigningKey(ctx context.Context) ([]byte, error) {
	var key []byte
	if err := d.single(ctx).QueryRow("SELECT signing_key FROM instance").Scan(&key); err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	return key, nil
}
