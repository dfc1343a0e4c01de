package db

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"log/slog"
)

// upgrade2SQL is the SQL of the step from version 1 to version 2.
//
//go:embed upgrade2.sql
var upgrade2SQL string

// upgrade2 makes version 2 of version 1: references, dates and names that hold
// whatever program writes. A row of version 1 that cannot stay goes to leftovers.
func upgrade2(ctx context.Context, tx *sql.Tx, log *slog.Logger) error {
	if _, err := tx.ExecContext(ctx, upgrade2SQL); err != nil {
		return err
	}
	if err := moveOddDates(ctx, tx, log); err != nil {
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
		log.Warn("rows of the older file could not stay as they were; they are kept in the table leftovers", "rows", left)
	}
	return errors.Join(
		setKeys(ctx, tx, log, "user", "SELECT id, username, 0 FROM users ORDER BY id", "UPDATE users SET name_key = ? WHERE id = ?", NameKey),
		setKeys(ctx, tx, log, "vehicle", "SELECT id, plate, user_id FROM vehicles ORDER BY id", "UPDATE vehicles SET plate_key = ? WHERE id = ?", PlateKey))
}

// moveOddDates brings over the bookings with days that no calendar has, such as
// 2026-02-30, which older versions of SQLite took: they become the days that SQLite
// counts them to, 2026-03-02. A booking whose vehicle is taken then is left over.
func moveOddDates(ctx context.Context, tx *sql.Tx, log *slog.Logger) error {
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
	var odd []booking
	for rows.Next() {
		var b booking
		if err := rows.Scan(&b.id, &b.vehicle, &b.from, &b.to, &b.start, &b.end); err != nil {
			return err
		}
		odd = append(odd, b)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, b := range odd {
		_, err := tx.ExecContext(ctx, "INSERT INTO bookings (id, vehicle_id, start_date, end_date) VALUES (?, ?, ?, ?)", b.id, b.vehicle, b.start, b.end)
		if err == nil {
			log.Warn("a booking had days that no calendar has", "booking", b.id, "from", b.from+" to "+b.to, "now", b.start+" to "+b.end)
			continue
		}
		log.Warn("a booking with days that no calendar has could not stay", "booking", b.id, "from", b.from+" to "+b.to, "reason", err)
		_, err = tx.ExecContext(ctx, `
			INSERT INTO leftovers (table_name, row, reason)
			VALUES ('bookings', json_object('id', ?, 'vehicle_id', ?, 'start_date', ?, 'end_date', ?), 'it has days that no calendar has')`,
			b.id, b.vehicle, b.from, b.to)
		if err != nil {
			return err
		}
	}
	return nil
}

// setKeys gives each row the key of its name, unless an earlier row of the same
// owner has it. query reads id, name and owner.
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
		if other, taken := first[key]; taken || key.key == "" {
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
