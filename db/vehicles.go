package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"onenow/db/store"
)

// VehicleID is the id of a vehicle. An id is never used for another vehicle.
type VehicleID int64

// Vehicle is a car of the fleet.
type Vehicle struct {
	ID    VehicleID `json:"id"`
	Make  string    `json:"make"`
	Model string    `json:"model"`
	Year  int       `json:"year"`
	Plate string    `json:"plate"`
}

// VehicleFields are the fields of a vehicle that a user can set. A nil field stays
// unchanged.
type VehicleFields struct {
	Make, Model *string
	Year        *int
	Plate       *string
}

// Apply returns v with the fields that are not nil.
func (f VehicleFields) Apply(v Vehicle) Vehicle {
	set(&v.Make, f.Make)
	set(&v.Model, f.Model)
	set(&v.Year, f.Year)
	set(&v.Plate, f.Plate)
	return v
}

// set copies value to field unless value is nil.
func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// VehicleFilter selects the vehicles that meet all conditions of its fields. A field with
// its zero value is no condition.
type VehicleFilter struct {
	// The vehicle has no booking from AvailableFrom until the day before AvailableTo.
	// Both must be set, or neither.
	AvailableFrom, AvailableTo Date

	// Search is a text in the make, the model or the plate. Letter case and blanks do
	// not count. Empty is no condition.
	Search string

	Descending bool       // by descending id
	After      *VehicleID // the vehicle comes after this one in that order
	Limit      int        // the largest number of vehicles to return; 0 is no limit
}

// CreateVehicle stores a new vehicle of the principal and returns it with its id. It
// returns ErrGone if the user of the principal has been deleted, and ErrInvalid if the
// plate has no visible character or if another of their vehicles has the same PlateKey.
func (d *DB) CreateVehicle(ctx context.Context, by Principal, v Vehicle) (Vehicle, error) {
	err := d.write(ctx, func(tx *Tx) error {
		v.ID = 0
		if err := tx.checkExists(by); err != nil {
			return err
		}
		if err := tx.checkPlate(by, v); err != nil {
			return err
		}
		id, err := tx.Insert("INSERT INTO vehicles (user_id, make, model, year, plate, plate_key) VALUES (?, ?, ?, ?, ?, ?)",
			by.User, v.Make, v.Model, v.Year, v.Plate, PlateKey(v.Plate))
		v.ID = VehicleID(id)
		return err
	})
	return v, err
}

// Vehicle returns a vehicle of the principal, or ErrNotFound.
func (d *DB) Vehicle(ctx context.Context, by Principal, id VehicleID) (Vehicle, error) {
	return scanVehicle(d.single(ctx).QueryRow(selectVehicle, id, by.User).Scan)
}

const selectVehicle = "SELECT id, make, model, year, plate FROM vehicles WHERE id = ? AND user_id = ?"

func scanVehicle(scan func(...any) error) (Vehicle, error) {
	var v Vehicle
	err := scan(&v.ID, &v.Make, &v.Model, &v.Year, &v.Plate)
	if errors.Is(err, sql.ErrNoRows) {
		return v, notFound("Vehicle")
	}
	if err != nil {
		return v, fmt.Errorf("read vehicle: %w", err)
	}
	return v, nil
}

// VehicleExists reports whether any user has a vehicle with that id.
func (d *DB) VehicleExists(ctx context.Context, id VehicleID) (bool, error) {
	var ok bool
	err := d.single(ctx).QueryRow("SELECT EXISTS (SELECT 1 FROM vehicles WHERE id = ?)", id).Scan(&ok)
	return ok, err
}

// Vehicles returns the principal's vehicles by id.
func (d *DB) Vehicles(ctx context.Context, by Principal, f VehicleFilter) ([]Vehicle, error) {
	query, args := f.query(by)
	if f.Search == "" {
		return store.List(d.single(ctx).Tx, scanVehicle, query+" LIMIT ?", append(args, sqlLimit(f.Limit))...)
	}
	// SQLite knows the letter case of A to Z only, so the search is done here.
	all, err := store.List(d.single(ctx).Tx, scanVehicle, query, args...)
	key := searchKey(f.Search)
	found := []Vehicle{}
	for _, v := range all {
		if v.has(key) {
			found = append(found, v)
		}
	}
	if f.Limit > 0 && len(found) > f.Limit {
		found = found[:f.Limit]
	}
	return found, err
}

// CountVehicles returns how many vehicles the filter keeps, whatever After and Limit
// are.
func (d *DB) CountVehicles(ctx context.Context, by Principal, f VehicleFilter) (n int, err error) {
	f.After, f.Limit = nil, 0
	if f.Search != "" {
		all, err := d.Vehicles(ctx, by, f)
		return len(all), err
	}
	query, args := f.query(by)
	err = d.single(ctx).QueryRow("SELECT count(*) FROM ("+query+")", args...).Scan(&n)
	return n, err
}

// has reports whether v's make, model or plate has a text, which is a searchKey.
func (v Vehicle) has(key string) bool {
	return strings.Contains(searchKey(v.Make), key) || strings.Contains(searchKey(v.Model), key) || strings.Contains(searchKey(v.Plate), key)
}

// searchKey returns PlateKey of a text without its blanks.
func searchKey(text string) string { return strings.ReplaceAll(PlateKey(text), " ", "") }

// query returns the SELECT of the vehicles that f keeps, in their order.
func (f VehicleFilter) query(by Principal) (string, []any) {
	query := "SELECT id, make, model, year, plate FROM vehicles WHERE user_id = ?"
	args := []any{by.User}
	behind, order := " AND id > ?", " ORDER BY id"
	if f.Descending {
		behind, order = " AND id < ?", " ORDER BY id DESC"
	}
	if f.After != nil {
		query, args = query+behind, append(args, *f.After)
	}
	if f.AvailableFrom != "" {
		// The vehicle is free if the last booking that starts before AvailableTo
		// ends by AvailableFrom: bookings of a vehicle never overlap.
		query += `
			AND coalesce((
				SELECT end_date FROM bookings
				WHERE vehicle_id = vehicles.id AND start_date < ?
				ORDER BY start_date DESC LIMIT 1
			) <= ?, TRUE)`
		args = append(args, f.AvailableTo, f.AvailableFrom)
	}
	return query + order, args
}

// sqlLimit maps 0 (no limit) to SQLite's -1.
func sqlLimit(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// UpdateVehicle changes a vehicle of the principal and returns the changed vehicle. It
// returns ErrNotFound, the error of the precondition, or ErrInvalid for a new plate that has no visible character or the
// same PlateKey as another of their vehicles.
func (d *DB) UpdateVehicle(ctx context.Context, by Principal, id VehicleID, f VehicleFields, pre Precondition[Vehicle]) (Vehicle, error) {
	var v Vehicle
	err := d.write(ctx, func(tx *Tx) (err error) {
		if v, err = scanVehicle(tx.QueryRow(selectVehicle, id, by.User).Scan); err != nil {
			return err
		}
		if err := pre.run(v); err != nil {
			return err
		}
		before := v
		v = f.Apply(v)
		if v.Plate != before.Plate { // an older file may have two plates that look the same
			if err := tx.checkPlate(by, v); err != nil {
				return err
			}
			if _, err := tx.Exec("UPDATE vehicles SET plate = ?, plate_key = ? WHERE id = ?", v.Plate, PlateKey(v.Plate), id); err != nil {
				return err
			}
		}
		_, err = tx.Exec("UPDATE vehicles SET make = ?, model = ?, year = ? WHERE id = ?", v.Make, v.Model, v.Year, id)
		return err
	})
	return v, err
}

// DeleteVehicle deletes a vehicle of the principal and its bookings. It returns
// ErrNotFound if there is none, or the error of the precondition.
func (d *DB) DeleteVehicle(ctx context.Context, by Principal, id VehicleID, pre Precondition[Vehicle]) error {
	return d.write(ctx, func(tx *Tx) error {
		v, err := scanVehicle(tx.QueryRow(selectVehicle, id, by.User).Scan)
		if err == nil {
			err = pre.run(v)
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec("DELETE FROM vehicles WHERE id = ?", id)
		return err
	})
}

// CheckPlate returns the error that CreateVehicle or UpdateVehicle has for v's plate, or
// nil. It is for a vehicle that is not going to be stored, because of another error.
func (d *DB) CheckPlate(ctx context.Context, by Principal, v Vehicle) error {
	return d.single(ctx).checkPlate(by, v)
}

// checkPlate returns ErrInvalid if v's plate has no visible character, or if another
// vehicle of the principal has the same PlateKey.
func (tx *Tx) checkPlate(by Principal, v Vehicle) error {
	key := PlateKey(v.Plate)
	if key == "" {
		return &Error{Kind: ErrInvalid, Field: "plate", Message: "This field may not be blank."}
	}
	var taken bool
	err := tx.QueryRow(`
		SELECT EXISTS (
			SELECT 1 FROM vehicles
			WHERE user_id = ?1 AND id <> ?2 AND (plate_key = ?3 OR plate = ?4 COLLATE NOCASE)
		)`, by.User, v.ID, key, v.Plate).Scan(&taken)
	if err != nil {
		return err
	}
	if taken {
		return &Error{Kind: ErrInvalid, Field: "plate", Message: "vehicle with this plate already exists."}
	}
	return nil
}
