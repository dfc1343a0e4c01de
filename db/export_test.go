package db

import (
	"context"

	"onenow/db/store"
)

// What the tests look at from inside.

func (f BookingFilter) Query(by Principal) (string, []any) { return f.query(by, "") }

func (d *DB) Write(ctx context.Context, fn func(*Tx) error) error { return d.write(ctx, fn) }

// WithMigrations calls do with a Format of another history.
func WithMigrations(schema string, steps []store.Step) store.Format {
	f := Format(schema)
	f.Migrations = steps
	return f
}

var FoldCase = foldCase
