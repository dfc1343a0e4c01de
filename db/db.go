// Package db keeps the shop's users, vehicles and bookings: their rules and their
// SQL. Each method takes the principal and sees only what is theirs. The engine
// below it is package store.
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
	// Now is the clock for everything stored or compared; time.Now unless
	// replaced before first use.
	Now func() time.Time

	store *store.Store
}

// New returns the shop that a store of Format keeps. Closing the store is the
// caller's.
func New(s *store.Store) *DB { return &DB{Now: time.Now, store: s} }

// Format is what onenow's files have in common. schema is the text of schema.sql.
func Format(schema string) store.Format {
	return store.Format{
		Schema:     schema,
		Migrations: migrations,
		Fill:       fillInstance,
		Identity:   "SELECT lower(hex(signing_key)) FROM instance",
		Problems:   listOverlaps,
	}
}

// Tx is a transaction, or a single query. It has the time of its begin.
type Tx struct {
	*store.Tx
	now time.Time
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

// read runs fn on one snapshot of the database.
func (d *DB) read(ctx context.Context, fn func(*Tx) error) error {
	return d.store.Read(ctx, func(tx *store.Tx) error { return fn(&Tx{tx, d.Now()}) })
}

// single returns a Tx for one query on the newest state.
func (d *DB) single(ctx context.Context) *Tx { return &Tx{d.store.Single(ctx), d.Now()} }

// write runs fn in a transaction and returns once its changes are on disk.
func (d *DB) write(ctx context.Context, fn func(*Tx) error) error {
	return d.store.Write(ctx, func(tx *store.Tx) error { return fn(&Tx{tx, d.Now()}) })
}

// Ready reports whether the database answers queries and takes writes. An error is
// an *Unavailable as a rule.
func (d *DB) Ready(ctx context.Context) error { return d.store.Ready(ctx) }

// Revision stands for what the database holds at one moment.
type Revision = store.Revision

// Revision returns the revision now, or false if it is not known. See
// store.Store.Revision.
func (d *DB) Revision() (Revision, bool) { return d.store.Revision() }

// fillInstance writes the row of a new installation, with a new signing key.
func fillInstance(tx *sql.Tx) error {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	_, err := tx.Exec("INSERT INTO instance (id, signing_key, created_at) VALUES (1, ?, ?)", key, time.Now().Unix())
	return err
}

// SigningKey returns the 32 random bytes that sign this instance's tokens.
func (d *DB) SigningKey(ctx context.Context) ([]byte, error) {
	var key []byte
	if err := d.single(ctx).QueryRow("SELECT signing_key FROM instance").Scan(&key); err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	return key, nil
}
