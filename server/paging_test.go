package server_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// pagedBooking is a booking of TestOrdering.
type pagedBooking struct {
	id, vehicle int
	start       string
}

// TestOrdering gets bookings in each order, as a whole list and in pages of each length.
// By following the links, it gets every row once. Many bookings start on the same day.
func TestOrdering(t *testing.T) {
	s := newShop(t)
	me, other := s.owner("shop"), s.owner("other")
	for i := range 5 {
		s.vehicle(me, fmt.Sprint("CAR", i)) // 1 to 5
	}
	s.vehicle(other, "CAR0") // 6
	var all []pagedBooking
	for i, c := range []struct {
		vehicle int
		start   string
	}{
		{3, "2025-03-10"}, {1, "2025-03-10"}, {2, "2025-03-01"}, {6, "2025-03-10"}, {5, "2025-03-20"}, {1, "2025-03-01"}, {4, "2025-03-10"},
		{6, "2025-03-01"}, {4, "2025-03-20"}, {3, "2025-03-01"}, {5, "2025-03-10"}, {2, "2025-03-15"}, {1, "2025-02-20"},
	} {
		token := me
		if c.vehicle == 6 {
			token = other
		}
		id := s.booking(token, c.vehicle, c.start, c.start[:8]+fmt.Sprint(c.start[8:9], 5+i%5))
		if token == me {
			all = append(all, pagedBooking{id, c.vehicle, c.start})
		}
	}
	orders := map[string]func(a, b pagedBooking) int{
		"":            func(a, b pagedBooking) int { return a.id - b.id },
		"id":          func(a, b pagedBooking) int { return a.id - b.id },
		"-id":         func(a, b pagedBooking) int { return b.id - a.id },
		"start_date":  func(a, b pagedBooking) int { return 1000*strings.Compare(a.start, b.start) + a.id - b.id },
		"-start_date": func(a, b pagedBooking) int { return 1000*strings.Compare(b.start, a.start) + a.id - b.id },
	}
	filters := map[string]func(pagedBooking) bool{
		"":                                func(pagedBooking) bool { return true },
		"&from=2025-03-01":                func(b pagedBooking) bool { return b.start >= "2025-03-01" },
		"&start_before=2025-03-15":        func(b pagedBooking) bool { return b.start < "2025-03-15" },
		"&vehicle=1&vehicle=3":            func(b pagedBooking) bool { return b.vehicle == 1 || b.vehicle == 3 },
		"&vehicle=5&vehicle=6&vehicle=99": func(b pagedBooking) bool { return b.vehicle == 5 },
		"&vehicle=6":                      func(pagedBooking) bool { return false },
	}
	for order, compare := range orders {
		for filter, keep := range filters {
			var want []int
			kept := slices.Clone(all)
			slices.SortFunc(kept, compare)
			for _, b := range kept {
				if keep(b) {
					want = append(want, b.id)
				}
			}
			path := "/bookings/?ordering=" + order + filter
			if order == "" {
				path = "/bookings/?count=0" + filter
			}
			if got := s.send("GET", path, me, nil).ids(t); got != fmt.Sprint(want) {
				t.Errorf("%s: got %s, want %v", path, got, want)
			}
			for i, id := range want {
				after := path + fmt.Sprint("&after=", id)
				if got := s.send("GET", after, me, nil).ids(t); got != fmt.Sprint(want[i+1:]) {
					t.Errorf("%s: got %s, want %v", after, got, want[i+1:])
				}
			}
			for limit := 1; limit <= 12; limit += 1 + limit/3 {
				var pages []string
				var wantPages [][]int
				for page := range slices.Chunk(want, limit) {
					wantPages = append(wantPages, page)
				}
				for next := path + fmt.Sprint("&count=1&limit=", limit); next != ""; {
					a := s.send("GET", next, me, nil)
					if got := a.header.Get("X-Total-Count"); got != fmt.Sprint(len(want)) {
						t.Errorf("%s: got X-Total-Count %q, want %d", next, got, len(want))
					}
					pages = append(pages, a.ids(t))
					next = a.next(t, next)
				}
				if len(want) == 0 {
					wantPages = [][]int{{}}
				}
				if fmt.Sprint(pages) != fmt.Sprint(wantPages) {
					t.Errorf("%s by %d: got %v, want %v", path, limit, pages, wantPages)
				}
			}
		}
	}
}

// TestOrderingVehicles gets vehicles in both orders, in pages.
func TestOrderingVehicles(t *testing.T) {
	s := newShop(t)
	me := s.owner("shop")
	for i := range 5 {
		s.vehicle(me, fmt.Sprint("CAR", i))
	}
	s.booking(me, 4, "2025-03-01", "2025-03-05")
	for path, want := range map[string]string{
		"/vehicles/?limit=2&ordering=id":   "[[1 2] [3 4] [5]]",
		"/vehicles/?limit=2&ordering=-id":  "[[5 4] [3 2] [1]]",
		"/vehicles/?ordering=-id":          "[[5 4 3 2 1]]",
		"/vehicles/?ordering=-id&after=3":  "[[2 1]]",
		"/vehicles/?ordering=-id&after=99": "[[5 4 3 2 1]]",
		"/vehicles/?ordering=-id&after=0":  "[[]]",
		"/vehicles/?ordering=-id&limit=2&available_from=2025-03-02&available_to=2025-03-03":     "[[5 3] [2 1]]",
		"/vehicles/?ordering=-id&limit=1&q=car&available_from=2025-03-02&available_to=2025-4-3": "",
		"/vehicles/?ordering=-id&limit=3&q=ar%20":                                               "[[5 4 3] [2 1]]",
	} {
		var pages []string
		for next := path; next != ""; {
			a := s.send("GET", next, me, nil)
			if want == "" {
				a.want(t, 400, `{"available_to":["`+dateFormat+`"]}`)
				break
			}
			pages = append(pages, a.ids(t))
			next = a.next(t, next)
		}
		if want != "" && fmt.Sprint(pages) != want {
			t.Errorf("%s: got %v, want %s", path, pages, want)
		}
	}
}

// TestAfterDeleted gets the page after a booking that has been deleted, or is another
// user's. In the order of ids, this works. In the order of starts, it cannot work, because
// the start of the booking is not known.
func TestAfterDeleted(t *testing.T) {
	f := newFixture(t)
	for i := range 3 {
		f.booking(f.me, 2, fmt.Sprintf("2025-07-%d", 10+i), fmt.Sprintf("2025-07-%d", 11+i)) // 3, 4, 5
	}
	f.send("DELETE", "/bookings/4/", f.me, nil).want(t, 204, "")
	const gone = `{"after":["There is no such booking any more. Begin again without after."]}`
	for path, want := range map[string]string{
		"?after=4":                        "[5]",
		"?after=4&limit=1":                "[5]",
		"?after=4&ordering=-id":           "[3 1]",
		"?after=4&ordering=-id&limit=1":   "[3]",
		"?after=4&ordering=start_date":    gone,
		"?after=4&ordering=-start_date":   gone,
		"?after=99&ordering=start_date":   gone,
		"?after=2&ordering=start_date":    gone, // another user's
		"?after=2&ordering=id":            "[3 5]",
		"?after=3&ordering=start_date":    "[5 1]",
		"?after=3&ordering=-start_date":   "[]",
		"?after=&ordering=-start_date":    "[1 5 3]",
		"?after=-9&ordering=-id":          "[]",
		"?after=4&ordering=id&vehicle=1":  "[]",
		"?after=5&ordering=id&limit=1000": "[]",
	} {
		a := f.loosely().send("GET", "/bookings/"+path, f.me, nil)
		if strings.HasPrefix(want, "{") {
			a.want(t, 400, want)
		} else if got := a.ids(t); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

// TestMalformedListParameters checks that the answer has every parameter at fault.
func TestMalformedListParameters(t *testing.T) {
	f := newFixture(t)
	choice := func(value string) string { return `{"ordering":["\"` + value + `\" is not a valid choice."]}` }
	for path, want := range map[string]string{
		"/bookings/?ordering=end_date":                choice("end_date"),
		"/bookings/?ordering=ID":                      choice("ID"),
		"/bookings/?ordering=%2Bid":                   choice("+id"),
		"/bookings/?ordering=id,start_date":           choice("id,start_date"),
		"/vehicles/?ordering=start_date":              choice("start_date"),
		"/vehicles/?ordering=-plate":                  choice("-plate"),
		"/bookings/?count=2":                          `{"count":["Must be a valid boolean."]}`,
		"/vehicles/?count=yes":                        `{"count":["Must be a valid boolean."]}`,
		"/vehicles/?count=-1":                         `{"count":["Must be a valid boolean."]}`,
		"/bookings/?vehicle=1&vehicle=x":              `{"vehicle":["A valid integer is required."]}`,
		"/bookings/?vehicle=x&vehicle=1":              `{"vehicle":["A valid integer is required."]}`,
		"/bookings/?vehicle=1,2":                      `{"vehicle":["A valid integer is required."]}`,
		"/bookings/?ordering=start_date&after=1.5":    `{"after":["A valid integer is required."]}`,
		"/bookings/?ordering=a&vehicle=b&count=c":     `{"ordering":["\"a\" is not a valid choice."],"vehicle":["A valid integer is required."],"count":["Must be a valid boolean."]}`,
		"/vehicles/?ordering=a&after=b&count=c&q=%00": `{"ordering":["\"a\" is not a valid choice."],"after":["A valid integer is required."],"count":["Must be a valid boolean."]}`,
	} {
		f.send("GET", path, f.me, nil).want(t, 400, want)
	}
	for _, path := range []string{"/bookings/?ordering=&count=&vehicle=", "/vehicles/?ordering=&count=&q="} {
		a := f.loosely().send("GET", path, f.me, nil)
		a.want(t, 200, "")
		if a.ids(t) == "[]" || a.header["X-Total-Count"] != nil {
			t.Errorf("%s: got %s with X-Total-Count %q", path, a.body, a.header["X-Total-Count"])
		}
	}
	if got := f.loosely().send("GET", "/bookings/?vehicle=1&vehicle=99999999999999999999", f.me, nil).ids(t); got != "[1]" {
		t.Errorf("got %s, want [1]", got)
	}
}

// TestTotalCount checks that the number is that of all rows that the filters keep, for any
// page.
func TestTotalCount(t *testing.T) {
	f := newFixture(t)
	for i := range 6 {
		f.booking(f.me, 1+i%2, fmt.Sprintf("2025-03-%d", 10+i), fmt.Sprintf("2025-03-%d", 11+i)) // 3 to 8
	}
	f.vehicle(f.me, "XYZ789") // 4
	for path, want := range map[string]string{
		"/bookings/?count=1":                                                      "7",
		"/bookings/?count=1&limit=2":                                              "7",
		"/bookings/?count=1&limit=2&after=5":                                      "7",
		"/bookings/?count=1&limit=2&after=1&ordering=-start_date":                 "7",
		"/bookings/?count=1&after=99":                                             "7",
		"/bookings/?count=1&limit=1000":                                           "7",
		"/bookings/?count=1&from=2025-03-12":                                      "5",
		"/bookings/?count=1&from=2025-03-12&to=2025-03-14&limit=1":                "2",
		"/bookings/?count=1&end_after=2025-03-12&start_before=2025-03-14&after=3": "2",
		"/bookings/?count=1&vehicle=2":                                            "3",
		"/bookings/?count=1&vehicle=2&vehicle=1&limit=1":                          "7",
		"/bookings/?count=1&vehicle=3":                                            "0",
		"/bookings/?count=0":                                                      "",
		"/bookings/?limit=2":                                                      "",
		"/vehicles/?count=1":                                                      "3",
		"/vehicles/?count=1&limit=1&after=1":                                      "3",
		"/vehicles/?count=1&limit=1&q=abc&ordering=-id":                           "2",
		"/vehicles/?count=1&q=nothing":                                            "0",
		"/vehicles/?count=1&available_from=2025-03-10&available_to=2025-03-11":    "2",
	} {
		for range 2 { // the second answer is cached
			if got := f.send("GET", path, f.me, nil).header.Get("X-Total-Count"); got != want {
				t.Errorf("%s: got X-Total-Count %q, want %q", path, got, want)
			}
		}
	}
	for _, path := range []string{"/bookings/?count=true", "/bookings/?count=True", "/bookings/?count=0&count=1"} {
		if got := f.loosely().send("GET", path, f.me, nil).header.Get("X-Total-Count"); got != "7" {
			t.Errorf("%s: got X-Total-Count %q, want 7", path, got)
		}
	}
}

// TestSearch looks for vehicles by parts of their make, model and plate.
func TestSearch(t *testing.T) {
	s := newShop(t)
	me, other := s.owner("shop"), s.owner("other")
	add := func(token, make, model, plate string) {
		t.Helper()
		s.made("/vehicles/", token, map[string]any{"make": make, "model": model, "year": 2020, "plate": plate})
	}
	add(me, "Toyota", "Corolla", "LEA 1234")     // 1
	add(me, "Honda", "City", "LEB-77")           // 2
	add(me, "ٹویوٹا", "لینڈ کروزر", "لاہور ۷۸۶") // 3
	add(me, "Citroën", "C3", "100%_OK")          // 4
	add(me, "ŠKODA", "Octavia ΣΑΣ", "X")         // 5
	add(other, "Toyota", "Corolla", "LEA 1234")  // 6
	for q, want := range map[string]string{
		"corolla":        "[1]",
		"COROLLA":        "[1]",
		"rol":            "[1]",
		" co rolla ":     "[1]",
		"lea1234":        "[1]",
		"LEA  12":        "[1]",
		"lea\u00a01":     "[1]",
		"le":             "[1 2]",
		"lea-1234":       "[]",
		"toyota corolla": "[]", // one field at a time
		"i":              "[2 4 5]",
		"ٹویوٹا":         "[3]",
		"کروزر":          "[3]",
		"لینڈکروزر":      "[3]",
		"لاہور":          "[3]",
		"۷۸۶":            "[3]",
		"کرولا":          "[]",
		"citroën":        "[4]",
		"CITROE\u0308N":  "[4]", // in another normal form
		"%":              "[4]",
		"_":              "[4]",
		"škoda":          "[5]",
		"σας":            "[5]",
		"'":              "[]",
		"  ":             "[1 2 3 4 5]",
		"x' OR 1=1 --":   "[]",
		"\x00":           "[]",
		"\xff":           "[]",
	} {
		if got := s.send("GET", "/vehicles/?q="+url.QueryEscape(q), me, nil).ids(t); got != want {
			t.Errorf("%q: got %s, want %s", q, got, want)
		}
	}
	// A search may be combined with all other parameters.
	s.booking(me, 1, "2025-03-01", "2025-03-05")
	if got := s.send("GET", "/vehicles/?q=le&available_from=2025-03-01&available_to=2025-03-02", me, nil).ids(t); got != "[2]" {
		t.Errorf("got %s, want [2]", got)
	}
}
