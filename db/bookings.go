package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"onenow/db/store"
)

// BookingID is the id of a booking. Ids are never used again.
type BookingID int64

// Booking takes a vehicle from Start up to, not including, End, the day it
// comes back. Two bookings of a vehicle never overlap.
type Booking struct {
	ID      BookingID `json:"id"`
	Vehicle VehicleID `json:"vehicle"`
	Start   Date      `json:"start_date"`
	End     Date      `json:"end_date"`
}

// ClashError is an ErrConflict: the booking With has the vehicle at that time.
type ClashError struct{ With Booking }

// Error returns the refusal in words written for users.
func (e *ClashError) Error() string {
	return fmt.Sprintf("This vehicle is already booked from %s to %s.", e.With.Start, e.With.End)
}

// Unwrap returns the kind.
func (e *ClashError) Unwrap() error { return ErrConflict }

// BookingFields are the fields of a booking that a user sets; nil leaves one
// as it is.
type BookingFields struct {
	Vehicle    *VehicleID
	Start, End *Date
}

// Apply returns b with the fields that are set.
func (f BookingFields) Apply(b Booking) Booking {
	set(&b.Vehicle, f.Vehicle)
	set(&b.Start, f.Start)
	set(&b.End, f.End)
	return b
}

// BookingFilter narrows a list of bookings: those that meet all that is set.
// Its zero value is all of them.
type BookingFilter struct {
	From        Date // start on it or later
	To          Date // end on it or earlier
	EndAfter    Date // end later
	StartBefore Date // start earlier

	Vehicle *VehicleID
	After   BookingID // only ids above it
	Limit   int       // at most so many; 0 is no limit
}

// CreateBooking books a vehicle of the principal's and returns the booking with
// its id. It checks in this order: an unknown vehicle is ErrInvalid, and so is an
// end that is not after the start; another user's vehicle is ErrForbidden; a
// vehicle that is taken is a *ClashError.
func (d *DB) CreateBooking(ctx context.Context, by Principal, b Booking) (Booking, error) {
	err := d.write(ctx, func(tx *Tx) error {
		b.ID = 0
		if err := tx.checkBooking(by, b); err != nil {
			return err
		}
		id, err := tx.Insert("INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (?, ?, ?)", b.Vehicle, b.Start, b.End)
		if err != nil {
			return tx.clash(b, err)
		}
		b.ID = BookingID(id)
		return nil
	})
	return b, err
}

// Booking returns a booking of one of the principal's vehicles, or ErrNotFound.
func (d *DB) Booking(ctx context.Context, by Principal, id BookingID) (Booking, error) {
	return scanBooking(d.single(ctx).QueryRow(selectBooking, id, by.User).Scan)
}

const selectBooking = `
	SELECT b.id, b.vehicle_id, b.start_date, b.end_date
	FROM bookings b JOIN vehicles v ON v.id = b.vehicle_id
	WHERE b.id = ? AND v.user_id = ?`

func scanBooking(scan func(...any) error) (Booking, error) {
	var b Booking
	err := scan(&b.ID, &b.Vehicle, &b.Start, &b.End)
	if errors.Is(err, sql.ErrNoRows) {
		return b, notFound("Booking")
	}
	if err != nil {
		return b, fmt.Errorf("read booking: %w", err)
	}
	return b, nil
}

// Bookings lists the bookings of the principal's vehicles by ascending id.
//
// It reads the rows it returns and at most two more for each of the principal's
// vehicles, however many bookings there are; a page of a list without dates
// reads as many ids as the page is long for each vehicle; a page of a list
// with dates reads what lies within the dates.
func (d *DB) Bookings(ctx context.Context, by Principal, f BookingFilter) ([]Booking, error) {
	query, args := f.query(by)
	return store.List(d.single(ctx).Tx, scanBooking, query, args...)
}

func (f BookingFilter) query(by Principal) (string, []any) {
	if f.Limit > 0 && f.From == "" && f.To == "" && f.EndAfter == "" && f.StartBefore == "" {
		return selectBookingPage, []any{by.User, f.Vehicle, f.After, f.Limit}
	}
	// A start before the end makes To a bound on start_date, too.
	startBefore := min(or(f.StartBefore, maxDate), or(f.To, maxDate))
	return selectBookings, []any{by.User, f.Vehicle, f.After, sqlLimit(f.Limit), f.From, startBefore, or(f.To, maxDate), f.EndAfter}
}

func or(d, otherwise Date) Date {
	if d == "" {
		return otherwise
	}
	return d
}

// selectBookings takes each vehicle's bookings from the index by date, bounded
// on both sides. The first that can end after a day is the last to start on it
// or before: bookings never overlap.
const selectBookings = `
	SELECT b.id, b.vehicle_id, b.start_date, b.end_date
	FROM vehicles v CROSS JOIN bookings b INDEXED BY bookings_vehicle_id_dates ON b.vehicle_id = v.id
	WHERE v.user_id = ?1
		AND (?2 IS NULL OR v.id = ?2)
		AND b.id > ?3
		AND b.start_date >= max(?5, coalesce((
			SELECT max(n.start_date) FROM bookings n
			WHERE n.vehicle_id = v.id AND n.start_date <= ?8
		), ''))
		AND b.start_date < ?6
		AND b.end_date <= ?7
		AND b.end_date > ?8
	ORDER BY b.id
	LIMIT ?4`

// selectBookingPage takes a page's worth of ids from each vehicle's and of
// those the lowest.
const selectBookingPage = `
	SELECT b.id, b.vehicle_id, b.start_date, b.end_date
	FROM vehicles v CROSS JOIN bookings b
	WHERE v.user_id = ?1
		AND (?2 IS NULL OR v.id = ?2)
		AND b.id IN (
			SELECT n.id FROM bookings n INDEXED BY bookings_vehicle_id
			WHERE n.vehicle_id = v.id AND n.id > ?3
			ORDER BY n.id
			LIMIT ?4
		)
	ORDER BY b.id
	LIMIT ?4`

// UpdateBooking changes a booking of the principal's and returns it as it is
// then. It returns ErrNotFound, or the errors of CreateBooking.
func (d *DB) UpdateBooking(ctx context.Context, by Principal, id BookingID, f BookingFields) (Booking, error) {
	var b Booking
	err := d.write(ctx, func(tx *Tx) (err error) {
		if b, err = scanBooking(tx.QueryRow(selectBooking, id, by.User).Scan); err != nil {
			return err
		}
		b = f.Apply(b)
		if err := tx.checkBooking(by, b); err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE bookings SET vehicle_id = ?, start_date = ?, end_date = ? WHERE id = ?", b.Vehicle, b.Start, b.End, id)
		return tx.clash(b, err)
	})
	return b, err
}

// DeleteBooking deletes a booking of one of the principal's vehicles. It returns
// ErrNotFound if there is none.
func (d *DB) DeleteBooking(ctx context.Context, by Principal, id BookingID) error {
	return d.write(ctx, func(tx *Tx) error {
		return tx.ExecOne(notFound("Booking"), `
			DELETE FROM bookings
			WHERE id = ? AND vehicle_id IN (SELECT id FROM vehicles WHERE user_id = ?)`, id, by.User)
	})
}

// UnknownVehicle is the refusal of a booking for a vehicle, as the request
// wrote its id, that does not exist.
func UnknownVehicle(id string) *Error {
	return &Error{Kind: ErrInvalid, Field: "vehicle", Message: fmt.Sprintf("Invalid pk %q - object does not exist.", id)}
}

// checkBooking applies the rules to b as it is to be stored, but for the one
// that the table's triggers apply; see clash.
func (tx *Tx) checkBooking(by Principal, b Booking) error {
	var vehicleOwner UserID
	err := tx.QueryRow("SELECT user_id FROM vehicles WHERE id = ?", b.Vehicle).Scan(&vehicleOwner)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return UnknownVehicle(fmt.Sprint(b.Vehicle))
	case err != nil:
		return err
	case b.End <= b.Start:
		return &Error{Kind: ErrInvalid, Message: "End date must be after start date."}
	case vehicleOwner != by.User:
		return &Error{Kind: ErrForbidden, Message: "You can only book your own vehicles."}
	}
	return nil
}

// clash returns what storing b ended with. If a trigger refused b because
// another booking of its vehicle overlaps it, that names the first that does.
func (tx *Tx) clash(b Booking, stored error) error {
	if !store.IsTrigger(stored) {
		return stored
	}
	other, err := scanBooking(tx.QueryRow(`
		SELECT id, vehicle_id, start_date, end_date
		FROM bookings
		WHERE vehicle_id = ?1
			AND start_date >= coalesce((SELECT max(start_date) FROM bookings WHERE vehicle_id = ?1 AND start_date <= ?2 AND id <> ?4), '')
			AND start_date < ?3
			AND end_date > ?2
			AND id <> ?4
		ORDER BY start_date
		LIMIT 1`, b.Vehicle, b.Start, b.End, b.ID).Scan)
	if errors.Is(err, ErrNotFound) {
		return stored // by a trigger of somebody else's
	}
	if err != nil {
		return errors.Join(stored, err)
	}
	return &ClashError{other}
}
