package db

import (
	"context"
	"database/sql"

	"onenow/db/store"
)

// Report is what Check finds in a file.
type Report struct {
	store.Report
	Users    int
	Vehicles int
	Bookings int
}

// Check reads the whole database file at path and reports what is in it and what
// is wrong with it; see store.Check.
func Check(ctx context.Context, path, schema string) (Report, error) {
	var r Report
	var err error
	r.Report, err = store.Check(ctx, path, Format(schema), func(pool *sql.DB) error {
		return pool.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM vehicles), (SELECT count(*) FROM bookings)").
			Scan(&r.Users, &r.Vehicles, &r.Bookings)
	})
	return r, err
}

// listOverlaps lists the bookings that begin before an earlier booking of their
// vehicle has ended.
func listOverlaps(ctx context.Context, pool *sql.DB) ([]string, error) {
	return store.Column(ctx, pool, `
		SELECT format('booking %d of vehicle %d begins before an earlier one has ended', id, vehicle_id)
		FROM (
			SELECT id, vehicle_id, start_date, max(end_date) OVER earlier AS taken_until
			FROM bookings
			WINDOW earlier AS (PARTITION BY vehicle_id ORDER BY start_date, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
		)
		WHERE taken_until > start_date`)
}
