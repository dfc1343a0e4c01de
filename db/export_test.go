package db

import (
	"context"

	"onenow/db/store"
)

// The tests need these unexported parts of the package.

func (f BookingFilter) Query(by Principal) (string, []any) { return f.query(by, "") }

func (d *DB) Write(ctx context.Context, fn func(*Tx) error) error { return d.write(ctx, fn) }

// WithMigrations returns a Format with that schema and those steps.
func WithMigrations(schema string, steps []store.Step) store.Format {
	f := Format(schema)
	f.Migrations = steps
	return f
}

var FoldCase = foldCase
