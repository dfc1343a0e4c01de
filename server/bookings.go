package server

import (
	"fmt"
	"net/http"

	"onenow/db"
)

func (s *Server) listBookings(r *http.Request) (*answer, error) {
	p := newParams(r)
	f := db.BookingFilter{
		From:        p.date("from"),
		To:          p.date("to"),
		EndAfter:    p.date("end_after"),
		StartBefore: p.date("start_before"),
		Vehicle:     (*db.VehicleID)(p.id("vehicle")),
	}
	after, limit := p.page()
	if err := p.err(); err != nil {
		return nil, err
	}
	return list[db.Booking]{after, limit,
		func(b db.Booking) int64 { return int64(b.ID) },
		func(after int64, limit int) ([]db.Booking, error) {
			f.After, f.Limit = db.BookingID(after), limit
			return s.db.Bookings(r.Context(), principal(r), f)
		},
	}.answer(s, r)
}

func (s *Server) createBooking(w http.ResponseWriter, r *http.Request) error {
	f, err := s.readBooking(w, r, false)
	if err != nil {
		return err
	}
	b, err := s.db.CreateBooking(r.Context(), principal(r), f.Apply(db.Booking{}))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, b)
}

func (s *Server) getBooking(r *http.Request) (*answer, error) {
	b, err := s.pathBooking(r)
	if err != nil {
		return nil, err
	}
	return answerJSON(b)
}

// pathBooking returns the principal's booking that r's path names.
func (s *Server) pathBooking(r *http.Request) (db.Booking, error) {
	id, err := pathID(r)
	if err != nil {
		return db.Booking{}, err
	}
	return s.db.Booking(r.Context(), principal(r), db.BookingID(id))
}

func (s *Server) putBooking(w http.ResponseWriter, r *http.Request) error {
	return s.updateBooking(w, r, false)
}

func (s *Server) patchBooking(w http.ResponseWriter, r *http.Request) error {
	return s.updateBooking(w, r, true)
}

func (s *Server) updateBooking(w http.ResponseWriter, r *http.Request, partial bool) error {
	b, err := s.pathBooking(r) // before the body: 404 comes before 400
	if err != nil {
		return err
	}
	f, err := s.readBooking(w, r, partial)
	if err != nil {
		return err
	}
	if b, err = s.db.UpdateBooking(r.Context(), principal(r), b.ID, f); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, b)
}

func (s *Server) deleteBooking(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if err := s.db.DeleteBooking(r.Context(), principal(r), db.BookingID(id)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readBooking takes a booking's fields from r's body, in a partial update only
// those it has.
func (s *Server) readBooking(w http.ResponseWriter, r *http.Request, partial bool) (db.BookingFields, error) {
	body, err := s.readBody(w, r)
	if err != nil {
		return db.BookingFields{}, err
	}
	f := newFields(body, partial)
	b := db.BookingFields{
		Vehicle: f.vehicle("vehicle"),
		Start:   f.date("start_date"),
		End:     f.date("end_date"),
	}
	if len(f.errs) > 0 && b.Vehicle != nil {
		// One answer is to name every failing field, and the database, which
		// knows the vehicles, will not be asked for this one.
		exists, err := s.db.VehicleExists(r.Context(), *b.Vehicle)
		if err != nil {
			return b, err
		}
		if !exists {
			unknown := fieldError{"vehicle", []string{db.UnknownVehicle(fmt.Sprint(*b.Vehicle)).Message}}
			f.errs = append(fieldErrors{unknown}, f.errs...)
		}
	}
	return b, f.err()
}
