package server

import (
	"fmt"
	"net/http"

	"onenow/db"
	"onenow/server/body"
)

// bookingOrders has the order for each choice of the parameter ordering.
var bookingOrders = []db.BookingOrder{db.ByID, db.ByIDDescending, db.ByStart, db.ByStartDescending}

// bookingShape returns a booking's body.
func bookingShape(b db.Booking) any { return b }

func (s *Server) listBookings(w http.ResponseWriter, r *http.Request) error {
	p := body.ParseQuery(r)
	f := db.BookingFilter{
		From:        p.Date("from"),
		To:          p.Date("to"),
		EndAfter:    p.Date("end_after"),
		StartBefore: p.Date("start_before"),
		Order:       bookingOrders[p.Choice("ordering", "id", "-id", "start_date", "-start_date")],
	}
	for _, id := range p.IDs("vehicle") {
		f.Vehicles = append(f.Vehicles, db.VehicleID(id))
	}
	after, limit, count := p.Page()
	if err := p.Err(); err != nil {
		return err
	}
	bookings := list[db.Booking]{
		after: after,
		limit: limit,
		id:    func(b db.Booking) int64 { return int64(b.ID) },
		read: func(after *int64, limit int) ([]db.Booking, error) {
			f.After, f.Limit = (*db.BookingID)(after), limit
			return s.db.Bookings(r.Context(), principal(r), f)
		},
	}
	if count {
		bookings.count = func() (int, error) { return s.db.CountBookings(r.Context(), principal(r), f) }
	}
	return bookings.write(s, w, r)
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

func (s *Server) getBooking(w http.ResponseWriter, r *http.Request) error {
	b, err := s.pathBooking(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, b)
}

// pathBooking returns the booking of the principal whose id is in r's path.
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
	if b, err = s.db.UpdateBooking(r.Context(), principal(r), b.ID, f, ifMatch(r, bookingShape)); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, b)
}

func (s *Server) deleteBooking(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if err := s.db.DeleteBooking(r.Context(), principal(r), db.BookingID(id), ifMatch(r, bookingShape)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readBooking reads a booking's fields from r's body. In a partial update, fields may
// be missing.
func (s *Server) readBooking(w http.ResponseWriter, r *http.Request, partial bool) (db.BookingFields, error) {
	in, err := s.readBody(w, r)
	if err != nil {
		return db.BookingFields{}, err
	}
	f := in.Fields(partial)
	b := db.BookingFields{
		Vehicle: (*db.VehicleID)(f.Reference("vehicle", db.UnknownVehicle)),
		Start:   f.Date("start_date"),
		End:     f.Date("end_date"),
	}
	if len(f.Errs) > 0 && b.Vehicle != nil {
		// One answer has every field at fault. The database will not see this
		// booking, so look the vehicle up here.
		exists, err := s.db.VehicleExists(r.Context(), *b.Vehicle)
		if err != nil {
			return b, err
		}
		if !exists {
			f.Errs.AddFirst("vehicle", db.UnknownVehicle(fmt.Sprint(*b.Vehicle)).Message)
		}
	}
	return b, f.Err()
}
