package db

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"log/slog"

	"onenow/db/store"
)

// upgrade2SQL is the SQL of the step from version 1 to version 2.
//
//go:embed upgrade2.sql
var upgrade2SQL string

// upgrade2 upgrades version 1 to version 2, whose schema itself checks references, dates
// and names. A row that version 2 does not allow moves to the table leftovers.
func upgrade2(ctx context.Context, tx *sql.Tx, log *slog.Logger) error {
	if _, err := tx.ExecContext(ctx, upgrade2SQL); err != nil {
		return err
	}
	if err := moveInvalidDates(ctx, tx, log); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DROP TABLE old_bookings"); err != nil {
		return err
	}
	var left int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM leftovers").Scan(&left); err != nil {
		return err
	}
	if left > 0 {
		log.Warn("some rows of the older file are not valid in the new version; the upgrade moved them to the table leftovers", "rows", left)
	}
	return errors.Join(
		setKeys(ctx, tx, log, "user", "SELECT id, username, 0 FROM users ORDER BY id", "UPDATE users SET name_key = ? WHERE id = ?", NameKey),
		setKeys(ctx, tx, log, "vehicle", "SELECT id, plate, user_id FROM vehicles ORDER BY id", "UPDATE vehicles SET plate_key = ? WHERE id = ?", PlateKey))
}

// moveInvalidDates copies the bookings with days that do not exist, such as 2026-02-30,
// which older versions of SQLite accepted. It replaces such a day by the day that SQLite
// computes for it, here 2026-03-02. If the vehicle is already booked then, the booking
// moves to leftovers.
func moveInvalidDates(ctx context.Context, tx *sql.Tx, log *slog.Logger) error {
	type booking struct {
		id, vehicle          int64
		from, to, start, end string
	}
	rows, err := tx.QueryContext(ctx, `
		SELECT id, vehicle_id, start_date, end_date, coalesce(date(start_date, '+0 days'), ''), coalesce(date(end_date, '+0 days'), '')
		FROM old_bookings
		WHERE start_date IS NOT date(start_date, '+0 days') OR end_date IS NOT date(end_date, '+0 days')`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var invalid []booking
	for rows.Next() {
		var b booking
		if err := rows.Scan(&b.id, &b.vehicle, &b.from, &b.to, &b.start, &b.end); err != nil {
			return err
		}
		invalid = append(invalid, b)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, b := range invalid {
		_, err := tx.ExecContext(ctx, "INSERT INTO bookings (id, vehicle_id, start_date, end_date) VALUES (?, ?, ?, ?)", b.id, b.vehicle, b.start, b.end)
		if err == nil {
			log.Warn("a booking had a day that does not exist; the upgrade changed its days", "booking", b.id, "from", b.from+" to "+b.to, "now", b.start+" to "+b.end)
			continue
		}
		if !store.IsConstraint(err) { // such as a full disk
			return err
		}
		log.Warn("a booking has a day that does not exist, and cannot be stored with corrected days; the upgrade moved it to the table leftovers", "booking", b.id, "days", b.from+" to "+b.to, "reason", err)
		_, err = tx.ExecContext(ctx, `
			INSERT INTO leftovers (table_name, row, reason)
			VALUES ('bookings', json_object('id', ?, 'vehicle_id', ?, 'start_date', ?, 'end_date', ?), 'it has a day that does not exist')`,
			b.id, b.vehicle, b.from, b.to)
		if err != nil {
			return err
		}
	}
	return nil
}

// setKeys stores in each row the key of its name, unless an earlier row of the same owner
// has the same key. query returns the ids, names and owners of the rows.
func setKeys(ctx context.Context, tx *sql.Tx, log *slog.Logger, noun, query, update string, keyOf func(string) string) error {
	type named struct {
		id    int64
		name  string
		owner int64
	}
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	var all []named
	for rows.Next() {
		var n named
		if err := rows.Scan(&n.id, &n.name, &n.owner); err != nil {
			return err
		}
		all = append(all, n)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	type ownedKey struct {
		owner int64
		key   string
	}
	first := map[ownedKey]named{}
	for _, n := range all {
		key := ownedKey{n.owner, keyOf(n.name)}
		if key.key == "" {
			log.Warn("a name has no visible character; the row stays", noun, n.id, "name", n.name)
			continue
		}
		if other, taken := first[key]; taken {
			log.Warn("two names look the same; both rows stay", noun, n.id, "name", n.name, "first", other.id)
			continue
		}
		first[key] = n
		if _, err := tx.ExecContext(ctx, update, key.key, n.id); err != nil {
			return err
		}
	}
	return nil
}
