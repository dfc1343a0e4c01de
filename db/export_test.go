package db

import "context"

// What the tests look at from inside.

func (f BookingFilter) Query(by Principal) (string, []any) { return f.query(by) }

func (d *DB) Write(ctx context.Context, fn func(*Tx) error) error { return d.write(ctx, fn) }

func (tx *Tx) Exec(query string, args ...any) error {
	_, err := tx.exec(query, args...)
	return err
}

// WithMigrations is Migrate for another history.
func WithMigrations(steps []Step, do func()) {
	ours := migrations
	migrations = steps
	defer func() { migrations = ours }()
	do()
}

var (
	Days         = days
	DjangoTime   = djangoTime
	FoldCase     = foldCase
	WithSnapshot = withSnapshot
)
