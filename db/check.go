package db

import (
	"context"
	"database/sql"

	"onenow/db/store"
)

// Report is the result of Check. If the file is damaged, the numbers of users, vehicles
// and bookings are 0.
type Report struct {
	store.Report
	Users    int
	Vehicles int
	Bookings int
}

// Check reads the whole database file at path and reports its problems and the numbers of
// its rows; see store.Check.
func Check(ctx context.Context, path, schema string) (Report, error) {
	var r Report
	var err error
	r.Report, err = store.Check(ctx, path, Format(schema), func(pool *sql.DB) error {
		return pool.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM vehicles), (SELECT count(*) FROM bookings)").
			Scan(&r.Users, &r.Vehicles, &r.Bookings)
	})
	return r, err
}

// listOverlaps returns a sentence for each booking that starts before an earlier booking
// of the same vehicle ends.
func listOverlaps(ctx context.Context, pool *sql.DB) ([]string, error) {
	return store.Column(ctx, pool, `
		SELECT format('booking %d of vehicle %d starts before an earlier booking of this vehicle ends', id, vehicle_id)
		FROM (
			SELECT id, vehicle_id, start_date, max(end_date) OVER earlier AS taken_until
			FROM bookings
			WINDOW earlier AS (PARTITION BY vehicle_id ORDER BY start_date, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
		)
		WHERE taken_until > start_date`)
}
