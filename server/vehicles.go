package server

import (
	"errors"
	"net/http"

	"onenow/db"
	"onenow/server/body"
)

// The limits of a vehicle's fields. The first car was made in 1886. Next year's
// models are sold this year.
const (
	maxMake  = 50
	maxModel = 50
	maxPlate = 20
	minYear  = 1886
)

// vehicleBody is the body of a vehicle.
type vehicleBody struct {
	db.Vehicle
	User string `json:"user"` // the name of the owner
}

// vehicleShape returns a function that returns a vehicle's body for the principal.
func vehicleShape(r *http.Request) func(db.Vehicle) any {
	return func(v db.Vehicle) any { return vehicleBody{v, principal(r).Name} }
}

func (s *Server) listVehicles(w http.ResponseWriter, r *http.Request) error {
	p := body.ParseQuery(r)
	var f db.VehicleFilter
	f.AvailableFrom, f.AvailableTo = p.Date("available_from"), p.Date("available_to")
	f.Search = p.Text("q")
	f.Descending = p.Choice("ordering", "id", "-id") == 1
	after, limit, count := p.Page()
	switch {
	case p.Err() != nil:
	case f.AvailableFrom == "" && f.AvailableTo != "":
		p.Errs.Add("available_from", body.MsgRequired)
	case f.AvailableFrom != "" && f.AvailableTo == "":
		p.Errs.Add("available_to", body.MsgRequired)
	case f.AvailableFrom != "" && f.AvailableFrom >= f.AvailableTo:
		p.Errs.Add("", "End date must be after start date.")
	}
	if err := p.Err(); err != nil {
		return err
	}
	vehicles := list[vehicleBody]{
		after: after,
		limit: limit,
		id:    func(v vehicleBody) int64 { return int64(v.ID) },
		read: func(after *int64, limit int) ([]vehicleBody, error) {
			f.After, f.Limit = (*db.VehicleID)(after), limit
			vehicles, err := s.db.Vehicles(r.Context(), principal(r), f)
			bodies := make([]vehicleBody, len(vehicles))
			for i, v := range vehicles {
				bodies[i] = vehicleBody{v, principal(r).Name}
			}
			return bodies, err
		},
	}
	if count {
		vehicles.count = func() (int, error) { return s.db.CountVehicles(r.Context(), principal(r), f) }
	}
	return vehicles.write(s, w, r)
}

func (s *Server) createVehicle(w http.ResponseWriter, r *http.Request) error {
	f, err := s.readVehicle(w, r, db.Vehicle{}, false)
	if err != nil {
		return err
	}
	v, err := s.db.CreateVehicle(r.Context(), principal(r), f.Apply(db.Vehicle{}))
	if err != nil {
		return err
	}
	return writeVehicle(w, r, http.StatusCreated, v)
}

func (s *Server) getVehicle(w http.ResponseWriter, r *http.Request) error {
	v, err := s.pathVehicle(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, vehicleBody{v, principal(r).Name})
}

// pathVehicle returns the vehicle of the principal whose id is in r's path.
func (s *Server) pathVehicle(r *http.Request) (db.Vehicle, error) {
	id, err := pathID(r)
	if err != nil {
		return db.Vehicle{}, err
	}
	return s.db.Vehicle(r.Context(), principal(r), db.VehicleID(id))
}

func (s *Server) putVehicle(w http.ResponseWriter, r *http.Request) error {
	return s.updateVehicle(w, r, false)
}

func (s *Server) patchVehicle(w http.ResponseWriter, r *http.Request) error {
	return s.updateVehicle(w, r, true)
}

func (s *Server) updateVehicle(w http.ResponseWriter, r *http.Request, partial bool) error {
	v, err := s.pathVehicle(r) // before the body: 404 comes before 400
	if err != nil {
		return err
	}
	f, err := s.readVehicle(w, r, v, partial)
	if err != nil {
		return err
	}
	if v, err = s.db.UpdateVehicle(r.Context(), principal(r), v.ID, f, ifMatch(r, vehicleShape(r))); err != nil {
		return err
	}
	return writeVehicle(w, r, http.StatusOK, v)
}

// writeVehicle answers with a vehicle that has been created or changed.
func writeVehicle(w http.ResponseWriter, r *http.Request, status int, v db.Vehicle) error {
	text, err := toJSON(vehicleShape(r)(v)) // 1 KiB or more, if the texts are of four-byte characters
	if err == nil {
		sendZipped(w, r, status, text)
	}
	return err
}

func (s *Server) deleteVehicle(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if err := s.db.DeleteVehicle(r.Context(), principal(r), db.VehicleID(id), ifMatch(r, vehicleShape(r))); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readVehicle reads the fields of a vehicle from r's body. before is the stored vehicle
// that they change, if any. In a partial update, fields may be missing.
func (s *Server) readVehicle(w http.ResponseWriter, r *http.Request, before db.Vehicle, partial bool) (db.VehicleFields, error) {
	b, err := s.readBody(w, r)
	if err != nil {
		return db.VehicleFields{}, err
	}
	f := b.Fields(partial)
	v := db.VehicleFields{
		Make:  f.Text("make", maxMake),
		Model: f.Text("model", maxModel),
		Year:  f.Integer("year", minYear, s.db.Now().Year()+1),
		Plate: f.Text("plate", maxPlate),
	}
	if len(f.Errs) > 0 && v.Plate != nil && *v.Plate != before.Plate {
		// One answer names every field at fault. The vehicle is not going to be stored,
		// so the plate has to be looked up here.
		err := s.db.CheckPlate(r.Context(), principal(r), v.Apply(before))
		var refusal *db.Error
		if errors.As(err, &refusal) {
			f.Errs.Add(refusal.Field, refusal.Message)
		} else if err != nil {
			return v, err
		}
	}
	return v, f.Err()
}
