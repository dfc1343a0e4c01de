package server_test

import (
	"fmt"
	"sync"
	"testing"
)

// TestDocumentStory follows the 1Now API document from register to delete, with its own
// examples.
func TestDocumentStory(t *testing.T) {
	s := newShop(t)
	credentials := `{"username": "user1", "password": "pass123"}`
	s.send("POST", "/register/", "", credentials).want(t, 201, `{"message":"User created successfully."}`)
	s.send("POST", "/register/", "", `{"username": "user1"}`).want(t, 400, `{"error":"Username and password are required."}`)
	s.send("POST", "/register/", "", credentials).want(t, 400, `{"error":"Username already exists."}`)

	a := s.send("POST", "/login/", "", credentials)
	var tk tokens
	a.in(t, &tk)
	a.want(t, 200, fmt.Sprintf(`{"access":"%s","refresh":"%s"}`, tk.Access, tk.Refresh))
	me := tk.Access

	vehicle := `{"id":1,"make":"Toyota","model":"Corolla","year":2020,"plate":"ABC123","user":"user1"}`
	s.send("POST", "/vehicles/", me, `{"make": "Toyota", "model": "Corolla", "year": 2020, "plate": "ABC123"}`).want(t, 201, vehicle)
	s.send("GET", "/vehicles/", me, nil).want(t, 200, "["+vehicle+"]")
	s.send("GET", "/vehicles/1/", me, nil).want(t, 200, vehicle)
	vehicle = `{"id":1,"make":"Toyota","model":"Camry","year":2021,"plate":"XYZ789","user":"user1"}`
	s.send("PUT", "/vehicles/1/", me, `{"make": "Toyota", "model": "Camry", "year": 2021, "plate": "XYZ789"}`).want(t, 200, vehicle)

	booking := `{"id":1,"vehicle":1,"start_date":"2025-07-20","end_date":"2025-07-25"}`
	s.send("POST", "/bookings/", me, `{"vehicle": 1, "start_date": "2025-07-20", "end_date": "2025-07-25"}`).want(t, 201, booking)
	s.send("GET", "/bookings/", me, nil).want(t, 200, "["+booking+"]")
	s.send("GET", "/bookings/?from=2025-07-20&to=2025-07-25", me, nil).want(t, 200, "["+booking+"]")
	s.send("GET", "/bookings/?from=2025-07-21", me, nil).want(t, 200, "[]")
	s.send("GET", "/bookings/?to=2025-07-24", me, nil).want(t, 200, "[]")
	s.send("GET", "/bookings/1/", me, nil).want(t, 200, booking)
	booking = `{"id":1,"vehicle":1,"start_date":"2025-07-21","end_date":"2025-07-26"}`
	s.send("PUT", "/bookings/1/", me, `{"vehicle": 1, "start_date": "2025-07-21", "end_date": "2025-07-26"}`).want(t, 200, booking)

	other := s.owner("user2")
	notYours := `{"detail":"You can only book your own vehicles."}`
	s.send("POST", "/bookings/", other, `{"vehicle": 1, "start_date": "2025-08-20", "end_date": "2025-08-25"}`).want(t, 403, notYours)
	theirs := s.vehicle(other, "ABC123")
	s.send("PUT", "/bookings/1/", me, bookingBody(theirs, "2025-07-21", "2025-07-26")).want(t, 403, notYours)

	s.send("DELETE", "/bookings/1/", me, nil).want(t, 204, "")
	s.send("GET", "/bookings/1/", me, nil).want(t, 404, `{"detail":"No Booking matches the given query."}`)
	s.send("DELETE", "/vehicles/1/", me, nil).want(t, 204, "")
	s.send("GET", "/vehicles/", me, nil).want(t, 200, "[]")
}

// TestOneWinner books one car for a hundred overlapping spans at once.
func TestOneWinner(t *testing.T) {
	s := newShop(t)
	me := s.owner("shop")
	car := s.vehicle(me, "ABC123")
	const clients = 100
	statuses := make([]int, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { // every span includes the night to the 16th
			start, end := fmt.Sprintf("2025-07-%02d", 1+i%15), fmt.Sprintf("2025-07-%02d", 16+i%14)
			statuses[i] = s.send("POST", "/bookings/", me, bookingBody(car, start, end)).status
		})
	}
	wg.Wait()
	count := map[int]int{}
	for _, st := range statuses {
		count[st]++
	}
	if count[201] != 1 || count[409] != clients-1 {
		t.Errorf("got %v, want one 201 and %d 409", count, clients-1)
	}
	var rows []any
	s.send("GET", "/bookings/", me, nil).in(t, &rows)
	if len(rows) != 1 {
		t.Errorf("%d bookings are stored, want 1", len(rows))
	}
}

// TestOneWinnerOfMoves moves fifty bookings to the same days at once, while fifty clients
// create new bookings for those days.
func TestOneWinnerOfMoves(t *testing.T) {
	s := newShop(t)
	me := s.owner("shop")
	car := s.vehicle(me, "ABC123")
	const movers = 50
	ids := make([]int, movers)
	for i := range ids {
		ids[i] = s.booking(me, car, fmt.Sprintf("2025-%02d-%02d", 1+i/25, 1+i%25), fmt.Sprintf("2025-%02d-%02d", 1+i/25, 2+i%25))
	}
	statuses := make([]int, 2*movers)
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			statuses[i] = s.send("PATCH", fmt.Sprintf("/bookings/%d/", id), me, `{"start_date":"2025-07-01","end_date":"2025-07-08"}`).status
		})
		wg.Go(func() {
			statuses[movers+i] = s.send("POST", "/bookings/", me, bookingBody(car, "2025-07-07", "2025-07-09")).status
		})
	}
	wg.Wait()
	winners := 0
	for _, st := range statuses {
		if st == 200 || st == 201 {
			winners++
		} else if st != 409 {
			t.Errorf("got %d, want 200, 201 or 409", st)
		}
	}
	if winners != 1 {
		t.Errorf("%d writes got the car, want 1", winners)
	}
}
