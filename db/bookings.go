package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"onenow/db/store"
)

// BookingID is the id of a booking. An id is never used for another booking.
type BookingID int64

// Booking reserves a vehicle from Start until the day before End. End is the day on
// which the vehicle comes back, and is free for another booking. Two bookings of a
// vehicle never overlap.
type Booking struct {
	ID      BookingID `json:"id"`
	Vehicle VehicleID `json:"vehicle"`
	Start   Date      `json:"start_date"`
	End     Date      `json:"end_date"`
}

// ClashError is the error of a booking that overlaps With, a stored booking of the same
// vehicle. Its kind is ErrConflict.
type ClashError struct{ With Booking }

// Error returns a sentence for the user.
func (e *ClashError) Error() string {
	return fmt.Sprintf("This vehicle is already booked from %s to %s.", e.With.Start, e.With.End)
}

// Unwrap returns ErrConflict.
func (e *ClashError) Unwrap() error { return ErrConflict }

// BookingFields are the fields of a booking that a user can set. A nil field stays
// unchanged.
type BookingFields struct {
	Vehicle    *VehicleID
	Start, End *Date
}

// Apply returns b with the fields that are not nil.
func (f BookingFields) Apply(b Booking) Booking {
	set(&b.Vehicle, f.Vehicle)
	set(&b.Start, f.Start)
	set(&b.End, f.End)
	return b
}

// BookingFilter selects the bookings that meet all conditions of its fields. A field
// with its zero value is no condition.
type BookingFilter struct {
	From        Date // the booking starts on this day or later
	To          Date // the booking ends on this day or earlier
	EndAfter    Date // the booking ends later than this day
	StartBefore Date // the booking starts earlier than this day

	Vehicles []VehicleID // the booking is of one of these vehicles; empty means of any

	Order BookingOrder
	After *BookingID // the booking comes after this one in that order
	Limit int        // the largest number of bookings to return; 0 is no limit
}

// BookingOrder is the order of a list of bookings.
type BookingOrder int

// The orders of bookings. Bookings that start on the same day are ordered by id.
const (
	ByID BookingOrder = iota
	ByIDDescending
	ByStart
	ByStartDescending
)

// CreateBooking books a vehicle of the principal and returns the booking with its id.
// It returns, in this order: ErrInvalid for an unknown vehicle or for an end that is not
// after the start, ErrForbidden for a vehicle of another user, and a *ClashError if the
// vehicle is already booked.
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

// Bookings returns the bookings of the principal's vehicles. If the order is by start and
// the booking After does not exist, it returns ErrInvalid for the field "after".
//
// Without a limit, it reads the returned rows and at most two more for each vehicle. With
// a limit, by id and without dates, it reads up to Limit ids for each vehicle. Otherwise
// it reads all rows within the dates.
func (d *DB) Bookings(ctx context.Context, by Principal, f BookingFilter) (bookings []Booking, err error) {
	if f.After == nil || f.Order == ByID || f.Order == ByIDDescending {
		query, args := f.query(by, "")
		return store.List(d.single(ctx).Tx, scanBooking, query, args...)
	}
	err = d.read(ctx, func(tx *Tx) error {
		after, err := scanBooking(tx.QueryRow(selectBooking, *f.After, by.User).Scan)
		if errors.Is(err, ErrNotFound) {
			return &Error{Kind: ErrInvalid, Field: "after", Message: "There is no such booking any more. Begin again without after."}
		}
		if err != nil {
			return err
		}
		query, args := f.query(by, after.Start)
		bookings, err = store.List(tx.Tx, scanBooking, query, args...)
		return err
	})
	return bookings, err
}

// CountBookings returns how many bookings the filter keeps, whatever After and Limit
// are.
func (d *DB) CountBookings(ctx context.Context, by Principal, f BookingFilter) (n int, err error) {
	f.Order, f.After, f.Limit = ByID, nil, 0
	query, args := f.query(by, "")
	err = d.single(ctx).QueryRow("SELECT count(*) FROM ("+query+")", args...).Scan(&n)
	return n, err
}

// query returns the SELECT of a list. afterStart is the start of the booking After,
// for the orders by start.
func (f BookingFilter) query(by Principal, afterStart Date) (string, []any) {
	ids, ofVehicles := "", ""
	if len(f.Vehicles) > 0 {
		list, err := json.Marshal(f.Vehicles)
		if err != nil {
			panic(err) // numbers can always be written
		}
		ids, ofVehicles = string(list), " AND v.id IN (SELECT value FROM json_each(?2))"
	}
	if f.Limit > 0 && f.From == "" && f.To == "" && f.EndAfter == "" && f.StartBefore == "" {
		switch f.Order {
		case ByID:
			return selectBookingPage + ofVehicles + " ORDER BY b.id LIMIT ?4", []any{by.User, ids, orMin(f.After), f.Limit}
		case ByIDDescending:
			return selectBookingPageDescending + ofVehicles + " ORDER BY b.id DESC LIMIT ?4", []any{by.User, ids, orMax(f.After), f.Limit}
		}
	}
	// A booking starts before it ends, so To also limits start_date.
	startBefore := min(or(f.StartBefore, maxDate), or(f.To, maxDate))
	args := []any{by.User, ids, f.After, sqlLimit(f.Limit), f.From, startBefore, or(f.To, maxDate), f.EndAfter}
	if f.Order == ByStart || f.Order == ByStartDescending {
		args = append(args, afterStart)
	}
	behind, order := "b.id > ?3", "b.id"
	switch f.Order {
	case ByIDDescending:
		behind, order = "b.id < ?3", "b.id DESC"
	case ByStart:
		behind, order = "(b.start_date, b.id) > (?9, ?3)", "b.start_date, b.id"
	case ByStartDescending:
		behind, order = "(b.start_date < ?9 OR b.start_date = ?9 AND b.id > ?3)", "b.start_date DESC, b.id"
	}
	return selectBookings + ofVehicles + " AND (?3 IS NULL OR " + behind + ") ORDER BY " + order + " LIMIT ?4", args
}

func or(d, otherwise Date) Date {
	if d == "" {
		return otherwise
	}
	return d
}

// orMin returns the id, or without one an id below all others.
func orMin(id *BookingID) BookingID {
	if id == nil {
		return 0
	}
	return *id
}

// orMax returns the id, or without one an id above all others.
func orMax(id *BookingID) BookingID {
	if id == nil {
		return math.MaxInt64
	}
	return *id
}

// selectBookings reads a range of each vehicle's bookings from the index by date. The
// first booking that can end after day ?8 is the last one that starts on that day or
// before, because bookings of a vehicle never overlap.
const selectBookings = `
	SELECT b.id, b.vehicle_id, b.start_date, b.end_date
	FROM vehicles v CROSS JOIN bookings b INDEXED BY bookings_vehicle_id_dates ON b.vehicle_id = v.id
	WHERE v.user_id = ?1
		AND b.start_date >= max(?5, coalesce((
			SELECT max(n.start_date) FROM bookings n
			WHERE n.vehicle_id = v.id AND n.start_date <= ?8
		), ''))
		AND b.start_date < ?6
		AND b.end_date <= ?7
		AND b.end_date > ?8`

// selectBookingPage reads the first ?4 ids of each vehicle, and returns the lowest ?4 of
// these.
const selectBookingPage = `
	SELECT b.id, b.vehicle_id, b.start_date, b.end_date
	FROM vehicles v CROSS JOIN bookings b
	WHERE b.id IN (
			SELECT n.id FROM bookings n INDEXED BY bookings_vehicle_id
			WHERE n.vehicle_id = v.id AND n.id > ?3
			ORDER BY n.id
			LIMIT ?4
		)
		AND v.user_id = ?1`

// selectBookingPageDescending takes a page's worth of ids from each vehicle, and
// returns the highest of those.
var selectBookingPageDescending = strings.NewReplacer("n.id > ?3", "n.id < ?3", "ORDER BY n.id", "ORDER BY n.id DESC").Replace(selectBookingPage)

// UpdateBooking changes a booking of one of the principal's vehicles and returns the
// changed booking. It returns ErrNotFound, the error of the precondition, or an error of
// CreateBooking.
func (d *DB) UpdateBooking(ctx context.Context, by Principal, id BookingID, f BookingFields, pre Precondition[Booking]) (Booking, error) {
	var b Booking
	err := d.write(ctx, func(tx *Tx) (err error) {
		if b, err = scanBooking(tx.QueryRow(selectBooking, id, by.User).Scan); err != nil {
			return err
		}
		if err := pre.run(b); err != nil {
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
// ErrNotFound if there is none, or the error of the precondition.
func (d *DB) DeleteBooking(ctx context.Context, by Principal, id BookingID, pre Precondition[Booking]) error {
	return d.write(ctx, func(tx *Tx) error {
		b, err := scanBooking(tx.QueryRow(selectBooking, id, by.User).Scan)
		if err == nil {
			err = pre.run(b)
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec("DELETE FROM bookings WHERE id = ?", id)
		return err
	})
}

// UnknownVehicle returns the error for a booking of a vehicle that does not exist. id is
// the id as the request has it.
func UnknownVehicle(id string) *Error {
	return &Error{Kind: ErrInvalid, Field: "vehicle", Message: fmt.Sprintf("Invalid pk %q - object does not exist.", id)}
}

// checkBooking returns an error if b breaks a rule. It does not check for overlaps: the
// triggers of the table do; see clash.
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

// clash returns the error of storing b. If err says that a trigger refused b because of
// an overlap, clash returns a *ClashError with the first booking that overlaps b.
func (tx *Tx) clash(b Booking, err error) error {
	if !store.IsTrigger(err) {
		return err
	}
	other, readErr := scanBooking(tx.QueryRow(`
		SELECT id, vehicle_id, start_date, end_date
		FROM bookings
		WHERE vehicle_id = ?1
			AND start_date >= coalesce((SELECT max(start_date) FROM bookings WHERE vehicle_id = ?1 AND start_date <= ?2 AND id <> ?4), '')
			AND start_date < ?3
			AND end_date > ?2
			AND id <> ?4
		ORDER BY start_date
		LIMIT 1`, b.Vehicle, b.Start, b.End, b.ID).Scan)
	if errors.Is(readErr, ErrNotFound) {
		return err // of a trigger that is not in schema.sql
	}
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	return &ClashError{other}
}
