package server_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"onenow/server"
)

// fixture is a shop with two owners: one has cars 1 and 2 and a booking of car 1, the
// other one has car 3 and a booking of it.
type fixture struct {
	*shop
	me, other string
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	s := newShop(t)
	f := &fixture{shop: s, me: s.owner("shop"), other: s.owner("other")}
	s.vehicle(f.me, "ABC123")
	s.vehicle(f.me, "ABC124")
	s.vehicle(f.other, "ABC123")
	s.booking(f.me, 1, "2025-07-20", "2025-07-25")
	s.booking(f.other, 3, "2025-07-20", "2025-07-25")
	return f
}

const (
	vehicle1 = `{"id":1,"make":"Toyota","model":"Corolla","year":2020,"plate":"ABC123","user":"shop"}`
	vehicle2 = `{"id":2,"make":"Toyota","model":"Corolla","year":2020,"plate":"ABC124","user":"shop"}`
	booking1 = `{"id":1,"vehicle":1,"start_date":"2025-07-20","end_date":"2025-07-25"}`

	noToken    = `{"detail":"Authentication credentials were not provided."}`
	notFound   = `{"detail":"Not found."}`
	noVehicle  = `{"detail":"No Vehicle matches the given query."}`
	noBooking  = `{"detail":"No Booking matches the given query."}`
	badHeader  = `{"detail":"Authorization header must contain two space-delimited values","code":"bad_authorization_header"}`
	wrongLogin = `{"detail":"No active account found with the given credentials"}`
	dateFormat = `Date has wrong format. Use one of these formats instead: YYYY-MM-DD.`
)

func badToken(message string) string {
	return `{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{"token_class":"AccessToken","token_type":"access","message":"` + message + `"}]}`
}

// TestBodies sends bodies to each kind of endpoint and checks the answers.
func TestBodies(t *testing.T) {
	f := newFixture(t)
	nextYear := time.Now().Year() + 1
	required := func(names ...string) string {
		for i, n := range names {
			names[i] = `"` + n + `":["This field is required."]`
		}
		return "{" + strings.Join(names, ",") + "}"
	}
	vehicleWith := func(field, value string) string {
		fields := map[string]string{"make": `"Toyota"`, "model": `"Corolla"`, "year": "2020", "plate": `"NEW1"`}
		fields[field] = value
		return fmt.Sprintf(`{"make":%s,"model":%s,"year":%s,"plate":%s}`, fields["make"], fields["model"], fields["year"], fields["plate"])
	}
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"an empty body has no fields":           {"POST", "/vehicles/", "", 400, required("make", "model", "year", "plate")},
		"so has an empty object":                {"POST", "/bookings/", "{}", 400, required("vehicle", "start_date", "end_date")},
		"PUT wants every field":                 {"PUT", "/vehicles/1/", `{"make":"Kia"}`, 400, required("model", "year", "plate")},
		"PUT of a booking, too":                 {"PUT", "/bookings/1/", `{"vehicle":1}`, 400, required("start_date", "end_date")},
		"PATCH wants none":                      {"PATCH", "/vehicles/1/", "", 200, vehicle1},
		"PATCH of a booking wants none either":  {"PATCH", "/bookings/1/", "{}", 200, booking1},
		"a list is no object":                   {"POST", "/bookings/", "[]", 400, `{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}`},
		"text is no object":                     {"POST", "/login/", `"a"`, 400, `{"non_field_errors":["Invalid data. Expected a dictionary, but got str."]}`},
		"a whole number is no object":           {"POST", "/login/", `1`, 400, `{"non_field_errors":["Invalid data. Expected a dictionary, but got int."]}`},
		"a fraction is no object":               {"POST", "/login/", `1.5`, 400, `{"non_field_errors":["Invalid data. Expected a dictionary, but got float."]}`},
		"true is no object":                     {"POST", "/login/", `true`, 400, `{"non_field_errors":["Invalid data. Expected a dictionary, but got bool."]}`},
		"null is no data":                       {"POST", "/login/", `null`, 400, `{"non_field_errors":["No data provided"]}`},
		"half an object":                        {"POST", "/vehicles/", "{\n \"make\":", 400, `{"detail":"JSON parse error - unexpected end of JSON input: line 2 column 9 (char 10)"}`},
		"no key":                                {"POST", "/vehicles/", "{bad", 400, `{"detail":"JSON parse error - invalid character 'b' looking for beginning of object key string: line 1 column 2 (char 1)"}`},
		"an object and more":                    {"POST", "/vehicles/", "{} x", 400, `{"detail":"JSON parse error - invalid character 'x' after top-level value: line 1 column 4 (char 3)"}`},
		"columns count characters":              {"POST", "/vehicles/", `{"é":x}`, 400, `{"detail":"JSON parse error - invalid character 'x' looking for beginning of value: line 1 column 6 (char 5)"}`},
		"only spaces":                           {"POST", "/vehicles/", "  ", 400, `{"detail":"JSON parse error - unexpected end of JSON input: line 1 column 3 (char 2)"}`},
		"bytes that are no UTF-8":               {"POST", "/vehicles/", "{\"make\":\"\xff\"}", 400, `{"detail":"JSON parse error - invalid UTF-8: line 1 column 10 (char 9)"}`},
		"half a surrogate pair":                 {"POST", "/vehicles/", `{"make":"\\\ud83d\u00e9"}`, 400, `{"detail":"JSON parse error - unpaired surrogate \\ud83d: line 1 column 12 (char 11)"}`},
		"a fault in the body of register":       {"POST", "/register/", `{`, 400, `{"detail":"JSON parse error - unexpected end of JSON input: line 1 column 2 (char 1)"}`},
		"null fields":                           {"POST", "/vehicles/", `{"make":null,"model":null,"year":null,"plate":null}`, 400, `{"make":["This field may not be null."],"model":["This field may not be null."],"year":["This field may not be null."],"plate":["This field may not be null."]}`},
		"blank fields":                          {"POST", "/vehicles/", `{"make":"","model":" \t","year":"","plate":"\u00a0"}`, 400, `{"make":["This field may not be blank."],"model":["This field may not be blank."],"year":["A valid integer is required."],"plate":["This field may not be blank."]}`},
		"fields of other types":                 {"POST", "/vehicles/", `{"make":true,"model":[],"year":{},"plate":{"a":1}}`, 400, `{"make":["Not a valid string."],"model":["Not a valid string."],"year":["A valid integer is required."],"plate":["Not a valid string."]}`},
		"long fields":                           {"POST", "/vehicles/", fmt.Sprintf(`{"make":"%s","model":"%s","year":2020,"plate":"%s"}`, strings.Repeat("é", 51), strings.Repeat("é", 50), strings.Repeat("9", 21)), 400, `{"make":["Ensure this field has no more than 50 characters."],"plate":["Ensure this field has no more than 20 characters."]}`},
		"NUL in a field":                        {"POST", "/vehicles/", vehicleWith("make", `"a\u0000"`), 400, `{"make":["Null characters are not allowed."]}`},
		"a year before cars":                    {"POST", "/vehicles/", vehicleWith("year", "1885"), 400, `{"year":["Ensure this value is greater than or equal to 1886."]}`},
		"a year to come":                        {"POST", "/vehicles/", vehicleWith("year", fmt.Sprint(nextYear+1)), 400, fmt.Sprintf(`{"year":["Ensure this value is less than or equal to %d."]}`, nextYear)},
		"a year beyond 64 bits":                 {"POST", "/vehicles/", vehicleWith("year", "99999999999999999999"), 400, fmt.Sprintf(`{"year":["Ensure this value is less than or equal to %d."]}`, nextYear)},
		"half a year":                           {"POST", "/vehicles/", vehicleWith("year", "2020.5"), 400, `{"year":["A valid integer is required."]}`},
		"a year of letters":                     {"POST", "/vehicles/", vehicleWith("year", `"MMXX"`), 400, `{"year":["A valid integer is required."]}`},
		"a year beyond numbers":                 {"POST", "/vehicles/", vehicleWith("year", `1e400`), 400, `{"year":["A valid integer is required."]}`},
		"one's own plate again":                 {"POST", "/vehicles/", vehicleWith("plate", `"ABC124"`), 400, `{"plate":["vehicle with this plate already exists."]}`},
		"one's own plate in other letters":      {"POST", "/vehicles/", vehicleWith("plate", `"abc124"`), 400, `{"plate":["vehicle with this plate already exists."]}`},
		"another car's plate":                   {"PATCH", "/vehicles/1/", `{"plate":"ABC124"}`, 400, `{"plate":["vehicle with this plate already exists."]}`},
		"the car's own plate":                   {"PATCH", "/vehicles/1/", `{"plate":"ABC123"}`, 200, vehicle1},
		"one's own plate and a bad year":        {"POST", "/vehicles/", `{"make":"Toyota","model":"Corolla","year":1,"plate":"abc124"}`, 400, `{"year":["Ensure this value is greater than or equal to 1886."],"plate":["vehicle with this plate already exists."]}`},
		"another car's plate and a bad year":    {"PUT", "/vehicles/1/", `{"make":"Toyota","model":"Corolla","year":1,"plate":"ABC124"}`, 400, `{"year":["Ensure this value is greater than or equal to 1886."],"plate":["vehicle with this plate already exists."]}`},
		"another car's plate and no make":       {"PATCH", "/vehicles/1/", `{"make":"","plate":"ABC124"}`, 400, `{"make":["This field may not be blank."],"plate":["vehicle with this plate already exists."]}`},
		"an invisible plate and a bad year":     {"POST", "/vehicles/", `{"make":"Toyota","model":"Corolla","year":1,"plate":"\u200b"}`, 400, `{"year":["Ensure this value is greater than or equal to 1886."],"plate":["This field may not be blank."]}`},
		"the car's own plate and a bad year":    {"PATCH", "/vehicles/1/", `{"year":1,"plate":"abc123"}`, 400, `{"year":["Ensure this value is greater than or equal to 1886."]}`},
		"id and user are not for setting":       {"PATCH", "/vehicles/1/", `{"id":7,"user":"other","colour":"red"}`, 200, vehicle1},
		"bad dates":                             {"POST", "/bookings/", `{"vehicle":1,"start_date":"2025-02-30","end_date":20250720}`, 400, `{"start_date":["` + dateFormat + `"],"end_date":["` + dateFormat + `"]}`},
		"blank dates":                           {"POST", "/bookings/", `{"vehicle":"","start_date":"","end_date":null}`, 400, `{"vehicle":["This field may not be null."],"start_date":["` + dateFormat + `"],"end_date":["This field may not be null."]}`},
		"date-times":                            {"POST", "/bookings/", `{"vehicle":1,"start_date":"2025-07-01T00:00:00Z","end_date":" 2025-07-02"}`, 400, `{"start_date":["` + dateFormat + `"],"end_date":["` + dateFormat + `"]}`},
		"the year 0":                            {"POST", "/bookings/", `{"vehicle":1,"start_date":"0000-01-01","end_date":"2025-07-02"}`, 400, `{"start_date":["` + dateFormat + `"]}`},
		"an unknown vehicle":                    {"POST", "/bookings/", `{"vehicle":99,"start_date":"2025-07-01","end_date":"2025-07-02"}`, 400, `{"vehicle":["Invalid pk \"99\" - object does not exist."]}`},
		"an unknown vehicle and a bad date":     {"POST", "/bookings/", `{"vehicle":99,"start_date":"x","end_date":"2025-07-02"}`, 400, `{"vehicle":["Invalid pk \"99\" - object does not exist."],"start_date":["` + dateFormat + `"]}`},
		"an unknown vehicle and reversed dates": {"POST", "/bookings/", `{"vehicle":99,"start_date":"2025-07-03","end_date":"2025-07-02"}`, 400, `{"vehicle":["Invalid pk \"99\" - object does not exist."]}`},
		"vehicle 0":                             {"POST", "/bookings/", `{"vehicle":0,"start_date":"2025-07-01","end_date":"2025-07-02"}`, 400, `{"vehicle":["Invalid pk \"0\" - object does not exist."]}`},
		"a vehicle beyond 64 bits":              {"POST", "/bookings/", `{"vehicle":9223372036854775808,"start_date":"2025-07-01","end_date":"2025-07-02"}`, 400, `{"vehicle":["Invalid pk \"9223372036854775808\" - object does not exist."]}`},
		"a vehicle by name":                     {"POST", "/bookings/", `{"vehicle":"abc","start_date":"2025-07-01","end_date":"2025-07-02"}`, 400, `{"vehicle":["Incorrect type. Expected pk value, received str."]}`},
		"a vehicle as an object":                {"POST", "/bookings/", `{"vehicle":{"id":1},"start_date":"2025-07-01","end_date":"2025-07-02"}`, 400, `{"vehicle":["Incorrect type. Expected pk value, received dict."]}`},
		"a vehicle as true":                     {"POST", "/bookings/", `{"vehicle":true,"start_date":"2025-07-01","end_date":"2025-07-02"}`, 400, `{"vehicle":["Incorrect type. Expected pk value, received bool."]}`},
		"reversed dates":                        {"POST", "/bookings/", `{"vehicle":1,"start_date":"2025-07-02","end_date":"2025-07-01"}`, 400, `{"non_field_errors":["End date must be after start date."]}`},
		"no night":                              {"POST", "/bookings/", `{"vehicle":1,"start_date":"2025-07-02","end_date":"2025-07-02"}`, 400, `{"non_field_errors":["End date must be after start date."]}`},
		"reversed dates of another's car":       {"POST", "/bookings/", `{"vehicle":3,"start_date":"2025-07-02","end_date":"2025-07-01"}`, 400, `{"non_field_errors":["End date must be after start date."]}`},
		"another's car":                         {"POST", "/bookings/", `{"vehicle":3,"start_date":"2025-07-20","end_date":"2025-07-25"}`, 403, `{"detail":"You can only book your own vehicles."}`},
		"PUT to another's car":                  {"PUT", "/bookings/1/", `{"vehicle":3,"start_date":"2025-07-20","end_date":"2025-07-25"}`, 403, `{"detail":"You can only book your own vehicles."}`},
		"PATCH to another's car":                {"PATCH", "/bookings/1/", `{"vehicle":3}`, 403, `{"detail":"You can only book your own vehicles."}`},
		"a taken car":                           {"POST", "/bookings/", `{"vehicle":1,"start_date":"2025-07-24","end_date":"2025-07-30"}`, 409, `{"detail":"This vehicle is already booked from 2025-07-20 to 2025-07-25.","code":"booking_conflict","conflict":` + booking1 + `}`},
		"a span around a booking":               {"POST", "/bookings/", `{"vehicle":1,"start_date":"2025-07-01","end_date":"2025-08-01"}`, 409, `{"detail":"This vehicle is already booked from 2025-07-20 to 2025-07-25.","code":"booking_conflict","conflict":` + booking1 + `}`},
		"a span within a booking":               {"POST", "/bookings/", `{"vehicle":1,"start_date":"2025-07-22","end_date":"2025-07-23"}`, 409, ""},
		"PATCH that reverses what is stored":    {"PATCH", "/bookings/1/", `{"start_date":"2025-07-25"}`, 400, `{"non_field_errors":["End date must be after start date."]}`},
		"PATCH with a bad field":                {"PATCH", "/bookings/1/", `{"vehicle":null}`, 400, `{"vehicle":["This field may not be null."]}`},
		"PUT of the same":                       {"PUT", "/bookings/1/", `{"vehicle":1,"start_date":"2025-07-20","end_date":"2025-07-25"}`, 200, booking1},
		"PATCH of a row that is not there":      {"PATCH", "/bookings/99/", `{`, 404, noBooking},
		"PUT of another's row with a bad body":  {"PUT", "/vehicles/3/", `{`, 404, noVehicle},
		"no refresh token":                      {"POST", "/api/token/refresh/", `{}`, 400, required("refresh")},
		"a blank refresh token":                 {"POST", "/api/token/refresh/", `{"refresh":""}`, 400, `{"refresh":["This field may not be blank."]}`},
		"a garbage refresh token":               {"POST", "/api/token/refresh/", `{"refresh":"x"}`, 401, `{"detail":"Token is invalid","code":"token_not_valid"}`},
		"an access token for a refresh token":   {"POST", "/api/token/refresh/", `{"refresh":"` + f.me + `"}`, 401, `{"detail":"Token has wrong type","code":"token_not_valid"}`},
		"login without fields":                  {"POST", "/login/", ``, 400, required("username", "password")},
		"login with blanks":                     {"POST", "/login/", `{"username":" ","password":""}`, 400, `{"username":["This field may not be blank."],"password":["This field may not be blank."]}`},
		"login with nulls":                      {"POST", "/login/", `{"username":null,"password":null}`, 400, `{"username":["This field may not be null."],"password":["This field may not be null."]}`},
		"login with other types":                {"POST", "/login/", `{"username":[],"password":false}`, 400, `{"username":["Not a valid string."],"password":["Not a valid string."]}`},
		"login with NUL":                        {"POST", "/login/", `{"username":"a\u0000","password":"a"}`, 400, `{"username":["Null characters are not allowed."]}`},
		"login of nobody":                       {"POST", "/login/", `{"username":"nobody","password":"pass123"}`, 401, wrongLogin},
		"login with a wrong password":           {"POST", "/login/", `{"username":"shop","password":"pass124"}`, 401, wrongLogin},
		"a password is not trimmed":             {"POST", "/login/", `{"username":"shop","password":"pass123 "}`, 401, wrongLogin},
		"a user name has its letter case":       {"POST", "/login/", `{"username":"Shop","password":"pass123"}`, 401, wrongLogin},
		"a user name is trimmed":                {"POST", "/login/", `{"username":" shop ","password":"pass123"}`, 200, ""},
		"register without fields":               {"POST", "/register/", ``, 400, `{"error":"Username and password are required."}`},
		"register with null":                    {"POST", "/register/", `{"username":"a","password":null}`, 400, `{"error":"Username and password are required."}`},
		"register with a blank name":            {"POST", "/register/", `{"username":"  ","password":"a"}`, 400, `{"error":"Username and password are required."}`},
		"register with a list":                  {"POST", "/register/", `{"username":["a"],"password":"a"}`, 400, `{"error":"Username and password must be text."}`},
		"register with a long name":             {"POST", "/register/", `{"username":"` + strings.Repeat("é", 151) + `","password":"a"}`, 400, `{"error":"Username must have no more than 150 characters."}`},
		"register with a control character":     {"POST", "/register/", `{"username":"a\nb","password":"a"}`, 400, `{"error":"Username must not contain control characters."}`},
		"register a name that does not show":    {"POST", "/register/", `{"username":"\u200b\ufeff","password":"a"}`, 400, `{"error":"Username must have a character that shows."}`},
		"register with a long password":         {"POST", "/register/", `{"username":"long","password":"` + strings.Repeat("é", 1025) + `"}`, 400, `{"error":"Password must have no more than 1024 characters."}`},
		"register a taken name with spaces":     {"POST", "/register/", `{"username":" shop ","password":"a"}`, 400, `{"error":"Username already exists."}`},
		"change password without fields":        {"POST", "/password/change/", ``, 400, required("old_password", "new_password")},
		"change password with a wrong one":      {"POST", "/password/change/", `{"old_password":"x","new_password":""}`, 400, `{"old_password":["Your old password was entered incorrectly. Please enter it again."],"new_password":["This field may not be blank."]}`},
		"change password to a long one":         {"POST", "/password/change/", `{"old_password":"pass123","new_password":"` + strings.Repeat("a", 1025) + `"}`, 400, `{"new_password":["Ensure this field has no more than 1024 characters."]}`},
		"logout without a token in the body":    {"POST", "/logout/", ``, 400, required("refresh")},
		"logout with garbage":                   {"POST", "/logout/", `{"refresh":"x"}`, 401, `{"detail":"Token is invalid","code":"token_not_valid"}`},
		"a body on GET is ignored":              {"GET", "/me/", `{`, 200, `{"id":1,"username":"shop"}`},
		"HTML in an answer is as it was sent":   {"PATCH", "/vehicles/2/", `{"model":"<b>&"}`, 200, `{"id":2,"make":"Toyota","model":"<b>&","year":2020,"plate":"ABC124","user":"shop"}`},
	} {
		t.Run(name, func(t *testing.T) {
			f.as(t).loosely().send(c.method, c.path, f.me, c.body).want(t, c.status, c.want)
		})
	}
}

// TestValues creates vehicles and bookings from valid values in unusual spellings.
func TestValues(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct{ body, want string }{
		"numbers as text":        {`{"make":5,"model":1.50,"year":2020,"plate":1e3}`, `"make":"5","model":"1.50","year":2020,"plate":"1e3"`},
		"text as a number":       {`{"make":"a","model":"b","year":" 2020 ","plate":"V2"}`, `"make":"a","model":"b","year":2020,"plate":"V2"`},
		"a year with a fraction": {`{"make":"a","model":"b","year":2020.0,"plate":"V3"}`, `"make":"a","model":"b","year":2020,"plate":"V3"`},
		"a year in exponents":    {`{"make":"a","model":"b","year":2.02e3,"plate":"V4"}`, `"make":"a","model":"b","year":2020,"plate":"V4"`},
		"the year as \"2020.0\"": {`{"make":"a","model":"b","year":"2020.0","plate":"V5"}`, `"make":"a","model":"b","year":2020,"plate":"V5"`},
		"spaces around":          {`{"make":" a ","model":"\u00a0b\n","year":2020,"plate":" V 6 "}`, `"make":"a","model":"b","year":2020,"plate":"V 6"`},
		"fifty characters":       {`{"make":"` + strings.Repeat("😀", 50) + `","model":"b","year":1886,"plate":"V7"}`, `"make":"` + strings.Repeat("😀", 50) + `","model":"b","year":1886,"plate":"V7"`},
		"a key twice":            {`{"make":"x","make":"a","model":"b","year":2020,"plate":"V8"}`, `"make":"a","model":"b","year":2020,"plate":"V8"`},
		"a plate in Urdu":        {`{"make":"a","model":"b","year":2020,"plate":"ل ہ ۱۲۳"}`, `"make":"a","model":"b","year":2020,"plate":"ل ہ ۱۲۳"`},
		"a surrogate pair":       {`{"make":"\ud83d\ude00","model":"\\ud83d","year":2020,"plate":"V9"}`, `"make":"😀","model":"\\ud83d","year":2020,"plate":"V9"`},
		"a key in other letters": {`{"make":"a","MAKE":"x","model":"b","year":2020,"plate":"V10"}`, `"make":"a","model":"b","year":2020,"plate":"V10"`},
	} {
		t.Run(name, func(t *testing.T) {
			a := f.as(t).loosely().send("POST", "/vehicles/", f.me, c.body)
			if a.status != 201 || !strings.Contains(a.body, c.want) {
				t.Errorf("got %d %s\nwant 201 with %s", a.status, a.body, c.want)
			}
		})
	}
	for i, vehicle := range []string{`1`, `"1"`, `" 1 "`, `1.0`, `"01"`, `"+1"`} {
		body := fmt.Sprintf(`{"vehicle":%s,"start_date":"2030-01-%02d","end_date":"2030-01-%02d"}`, vehicle, i+1, i+2)
		a := f.loosely().send("POST", "/bookings/", f.me, body)
		if a.status != 201 || !strings.Contains(a.body, `"vehicle":1,`) {
			t.Errorf("vehicle %s: got %d %s, want 201", vehicle, a.status, a.body)
		}
	}
	// One customer returns the car and the next one collects it on the same day.
	f.send("POST", "/bookings/", f.me, bookingBody(1, "2025-07-25", "2025-07-26")).want(t, 201, "")
	f.send("POST", "/bookings/", f.me, bookingBody(1, "2025-07-19", "2025-07-20")).want(t, 201, "")
	// A plate is unique for its owner only, also in other alphabets.
	f.send("POST", "/vehicles/", f.other, `{"make":"a","model":"b","year":2020,"plate":"V2"}`).want(t, 201, "")
	f.send("POST", "/vehicles/", f.other, `{"make":"a","model":"b","year":2020,"plate":"ДЖ 1"}`).want(t, 201, "")
	f.send("POST", "/vehicles/", f.other, `{"make":"a","model":"b","year":2020,"plate":"дж 1"}`).want(t, 400, `{"plate":["vehicle with this plate already exists."]}`)
	f.send("POST", "/vehicles/", f.other, `{"make":"a","model":"b","year":2020,"plate":"\u212a 1"}`).want(t, 201, "") // Kelvin
	f.send("POST", "/vehicles/", f.other, `{"make":"a","model":"b","year":2020,"plate":"k 1"}`).want(t, 400, `{"plate":["vehicle with this plate already exists."]}`)
	// A password may be anything, also a number, also with spaces.
	f.loosely().send("POST", "/register/", "", `{"username":"n","password":12}`).want(t, 201, "")
	f.send("POST", "/login/", "", `{"username":"n","password":"12"}`).want(t, 200, "")
	f.send("POST", "/register/", "", `{"username":"sp","password":" \u0000 "}`).want(t, 201, "")
	f.send("POST", "/login/", "", `{"username":"sp","password":" \u0000 "}`).want(t, 200, "")
}

// TestIDsAreNeverUsedAgain deletes the newest rows and creates others.
func TestIDsAreNeverUsedAgain(t *testing.T) {
	f := newFixture(t)
	f.send("DELETE", "/bookings/2/", f.other, nil).want(t, 204, "")
	f.send("DELETE", "/vehicles/3/", f.other, nil).want(t, 204, "")
	if id := f.vehicle(f.me, "NEW1"); id != 4 {
		t.Errorf("got vehicle %d, want 4", id)
	}
	if id := f.booking(f.me, 4, "2025-07-20", "2025-07-25"); id != 3 {
		t.Errorf("got booking %d, want 3", id)
	}
	f.send("DELETE", "/vehicles/4/", f.me, nil).want(t, 204, "")
	f.send("GET", "/bookings/3/", f.me, nil).want(t, 404, noBooking)
}

// TestBodyTypes sends forms, multipart bodies, chunks, and bodies of other types.
func TestBodyTypes(t *testing.T) {
	f := newFixture(t)
	f.shop = f.loosely()
	form := header{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}
	f.send("PATCH", "/vehicles/1/", f.me, "make=x&make=Kia+%26+Sons&year=2021&plate=A;B%zz", form).
		want(t, 200, `{"id":1,"make":"Kia & Sons","model":"Corolla","year":2021,"plate":"A;B%zz","user":"shop"}`)
	f.send("PATCH", "/vehicles/1/", f.me, "make=%ff", form).want(t, 400, `{"make":["Not a valid string."]}`)
	f.send("PATCH", "/vehicles/1/", f.me, "make", form).want(t, 400, `{"make":["This field may not be blank."]}`)
	f.send("PATCH", "/bookings/1/", f.me, "start_date=2025-07-21&vehicle=1", form).
		want(t, 200, `{"id":1,"vehicle":1,"start_date":"2025-07-21","end_date":"2025-07-25"}`)

	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	w.WriteField("username", "Zoë")
	w.WriteField("password", "x")
	w.WriteField("password", "pass123")
	w.Close()
	multi := header{"Content-Type", w.FormDataContentType()}
	f.send("POST", "/register/", "", b.String(), multi).want(t, 201, `{"message":"User created successfully."}`)
	f.send("POST", "/login/", "", b.String(), multi).want(t, 200, "")
	b.Reset()
	w = multipart.NewWriter(&b)
	part, _ := w.CreateFormFile("make", "car.png")
	part.Write([]byte("png"))
	w.Close()
	f.send("PATCH", "/vehicles/1/", f.me, b.String(), header{"Content-Type", w.FormDataContentType()}).want(t, 400, `{"make":["Not a valid string."]}`)
	f.send("PATCH", "/vehicles/1/", f.me, "x", header{"Content-Type", "multipart/form-data"}).
		want(t, 400, `{"detail":"Multipart form parse error - Invalid boundary in multipart: None"}`)
	f.send("PATCH", "/vehicles/1/", f.me, "x", header{"Content-Type", "multipart/form-data; boundary=b"}).want(t, 400, "")

	f.send("PATCH", "/vehicles/1/", f.me, `{"make":"Kia"}`, header{"Content-Type", "Application/JSON; charset=UTF-8"}).want(t, 200, "")
	f.send("PATCH", "/vehicles/1/", f.me, "x", header{"Content-Type", "text/plain"}).want(t, 415, `{"detail":"Unsupported media type \"text/plain\" in request."}`)
	f.send("PATCH", "/vehicles/1/", f.me, "x", header{"Content-Type", ""}).want(t, 415, `{"detail":"Unsupported media type \"\" in request."}`)
	f.send("PATCH", "/vehicles/1/", f.me, "", header{"Content-Type", "text/plain"}).want(t, 200, "")

	chunked, err := http.NewRequest("PATCH", f.url+"/vehicles/1/", struct{ *strings.Reader }{strings.NewReader(`{"make":"Chunk"}`)})
	if err != nil {
		t.Fatal(err)
	}
	chunked.ContentLength = -1
	chunked.Header.Set("Content-Type", "application/json")
	chunked.Header.Set("Authorization", "Bearer "+f.me)
	if a := f.do(chunked); a.status != 200 || !strings.Contains(a.body, `"make":"Chunk"`) {
		t.Errorf("chunked: got %d %s", a.status, a.body)
	}
}

// TestLargeBodies sends bodies slightly below and above the limit.
func TestLargeBodies(t *testing.T) {
	f := newFixture(t)
	f.shop = f.loosely()
	body := func(size int) string {
		const around = len(`{"make":"Kia","x":""}`)
		return `{"make":"Kia","x":"` + strings.Repeat("a", size-around) + `"}`
	}
	tooLarge := `{"detail":"Request body is larger than 1 MiB."}`
	f.send("PATCH", "/vehicles/1/", f.me, body(1<<20)).want(t, 200, "")
	f.send("PATCH", "/vehicles/1/", f.me, body(1<<20+1)).want(t, 413, tooLarge)
	f.send("PATCH", "/vehicles/1/", f.me, body(6<<20)).want(t, 413, tooLarge)
	f.send("PATCH", "/vehicles/1/", f.me, body(1<<20+1), header{"Content-Type", "text/plain"}).want(t, 413, tooLarge)
	f.send("PATCH", "/vehicles/1/", f.me, body(6<<20), header{"Expect", "100-continue"}).want(t, 413, tooLarge)
	f.send("PATCH", "/vehicles/99/", f.me, body(6<<20)).want(t, 404, noVehicle)
	f.send("PATCH", "/vehicles/1/", f.me, strings.Repeat("[", 1<<20)).want(t, 400, "")
	f.send("PATCH", "/vehicles/1/", f.me, strings.Repeat("a&", 1000), header{"Content-Type", "application/x-www-form-urlencoded"}).
		want(t, 400, `{"detail":"The form has more than 1000 fields."}`)
	var clients sync.WaitGroup // more than the server reads at once
	for range 30 {
		clients.Go(func() { f.send("PATCH", "/vehicles/1/", f.me, body(1<<20)).want(t, 200, "") })
	}
	clients.Wait()
}

// TestLists gets lists with each of the parameters.
func TestLists(t *testing.T) {
	s := newShop(t)
	me, other := s.owner("shop"), s.owner("other")
	for i := range 3 {
		s.vehicle(me, fmt.Sprint("CAR", i)) // 1, 2, 3
	}
	s.vehicle(other, "CAR0")
	for _, b := range []struct {
		vehicle    int
		start, end string
	}{
		{1, "2025-03-10", "2025-03-15"}, // 1
		{2, "2025-03-05", "2025-03-08"}, // 2
		{1, "2025-03-20", "2025-03-25"}, // 3
		{3, "2025-03-01", "2025-03-31"}, // 4
		{1, "2025-03-01", "2025-03-02"}, // 5
		{1, "2025-03-15", "2025-03-16"}, // 6
	} {
		s.booking(me, b.vehicle, b.start, b.end)
	}
	s.booking(other, 4, "2025-03-10", "2025-03-15") // 7

	for path, want := range map[string]string{
		"/bookings/":                                                                   "[1 2 3 4 5 6]",
		"/bookings/?from=2025-03-10":                                                   "[1 3 6]",
		"/bookings/?to=2025-03-15":                                                     "[1 2 5]",
		"/bookings/?from=2025-03-05&to=2025-03-15":                                     "[1 2]",
		"/bookings/?from=2025-03-15&to=2025-03-05":                                     "[]",
		"/bookings/?to=2025-03-01":                                                     "[]",
		"/bookings/?to=2025-03-08":                                                     "[2 5]",
		"/bookings/?from=2025-03-10&from=2025-03-20":                                   "[3]",
		"/bookings/?vehicle=1":                                                         "[1 3 5 6]",
		"/bookings/?vehicle=01":                                                        "[1 3 5 6]",
		"/bookings/?vehicle=1&from=2025-03-10&to=2025-03-16":                           "[1 6]",
		"/bookings/?vehicle=4":                                                         "[]",
		"/bookings/?vehicle=99":                                                        "[]",
		"/bookings/?end_after=2025-03-12":                                              "[1 3 4 6]",
		"/bookings/?end_after=2025-03-15":                                              "[3 4 6]",
		"/bookings/?start_before=2025-03-10":                                           "[2 4 5]",
		"/bookings/?end_after=2025-03-14&start_before=2025-03-15":                      "[1 4]",
		"/bookings/?end_after=2025-03-15&start_before=2025-03-16":                      "[4 6]",
		"/bookings/?end_after=2025-03-16&start_before=2025-03-20":                      "[4]",
		"/bookings/?end_after=2025-03-01&start_before=2025-03-02":                      "[4 5]",
		"/bookings/?end_after=2025-03-12&from=2025-03-10&to=2025-03-20":                "[1 6]",
		"/bookings/?end_after=2025-03-12&vehicle=1&limit=2":                            "[1 3]",
		"/bookings/?end_after=2025-03-12&vehicle=1&limit=2&after=3":                    "[6]",
		"/bookings/?limit=2":                                                           "[1 2]",
		"/bookings/?limit=2&after=2":                                                   "[3 4]",
		"/bookings/?limit=2&after=4":                                                   "[5 6]",
		"/bookings/?limit=2&after=6":                                                   "[]",
		"/bookings/?after=4":                                                           "[5 6]",
		"/bookings/?after=-4":                                                          "[1 2 3 4 5 6]",
		"/bookings/?limit=2&vehicle=1&after=1":                                         "[3 5]",
		"/bookings?limit=1000":                                                         "[1 2 3 4 5 6]",
		"/vehicles/":                                                                   "[1 2 3]",
		"/vehicles/?limit=2":                                                           "[1 2]",
		"/vehicles/?limit=2&after=2":                                                   "[3]",
		"/vehicles/?available_from=2025-03-15&available_to=2025-03-16":                 "[2]",
		"/vehicles/?available_from=2025-03-16&available_to=2025-03-20":                 "[1 2]",
		"/vehicles/?available_from=2025-03-16&available_to=2025-03-21":                 "[2]",
		"/vehicles/?available_from=2025-03-31&available_to=2025-04-21":                 "[1 2 3]",
		"/vehicles/?available_from=2025-02-01&available_to=2025-03-01":                 "[1 2 3]",
		"/vehicles/?available_from=2025-02-01&available_to=2025-04-01":                 "[]",
		"/vehicles/?available_from=2025-03-31&available_to=2025-04-21&limit=1&after=1": "[2]",
	} {
		a := s.send("GET", path, me, nil)
		if a.status != 200 || a.ids(t) != want {
			t.Errorf("%s: got %d %s, want %s", path, a.status, a.body, want)
		}
	}

	for path, want := range map[string]string{
		"/bookings/?from=&to=&vehicle=&limit=&after=": "[1 2 3 4 5 6]",
		"/bookings/?From=2025-03-10":                  "[1 2 3 4 5 6]",
		"/bookings/?vehicle=99999999999999999999":     "[]",
	} {
		a := s.loosely().send("GET", path, me, nil)
		if a.status != 200 || a.ids(t) != want {
			t.Errorf("%s: got %d %s, want %s", path, a.status, a.body, want)
		}
	}

	dateError := func(name string) string { return `{"` + name + `":["` + dateFormat + `"]}` }
	for path, want := range map[string]string{
		"/bookings/?from=2025-3-5":                                     dateError("from"),
		"/bookings/?to=2025-02-30":                                     dateError("to"),
		"/bookings/?from=2025-03-05T00:00:00Z":                         dateError("from"),
		"/bookings/?end_after=%zz":                                     dateError("end_after"),
		"/bookings/?start_before=%ff":                                  dateError("start_before"),
		"/bookings/?from=0000-01-01":                                   dateError("from"),
		"/bookings/?from=a&vehicle=b&limit=0&after=c":                  `{"from":["` + dateFormat + `"],"vehicle":["A valid integer is required."],"after":["A valid integer is required."],"limit":["Ensure this value is greater than or equal to 1."]}`,
		"/bookings/?limit=1001":                                        `{"limit":["Ensure this value is less than or equal to 1000."]}`,
		"/vehicles/?limit=1.5":                                         `{"limit":["A valid integer is required."]}`,
		"/vehicles/?available_from=x&available_to=2025-03-05":          dateError("available_from"),
		"/vehicles/?available_from=2025-03-05":                         `{"available_to":["This field is required."]}`,
		"/vehicles/?available_to=2025-03-05":                           `{"available_from":["This field is required."]}`,
		"/vehicles/?available_from=2025-03-05&available_to=2025-03-05": `{"non_field_errors":["End date must be after start date."]}`,
	} {
		a := s.send("GET", path, me, nil)
		if a.status != 400 || a.body != want {
			t.Errorf("%s: got %d %s\nwant 400 %s", path, a.status, a.body, want)
		}
	}

	// By following the links, a client gets every row once.
	for _, path := range []string{"/bookings/?limit=4", "/bookings/?limit=1&from=2025-03-02", "/vehicles?limit=2"} {
		var got []string
		for next := path; next != ""; {
			a := s.send("GET", next, me, nil)
			got = append(got, a.ids(t))
			next = a.next(t, next)
		}
		want := map[string]string{
			"/bookings/?limit=4":                 "[[1 2 3 4] [5 6]]",
			"/bookings/?limit=1&from=2025-03-02": "[[1] [2] [3] [6]]",
			"/vehicles?limit=2":                  "[[1 2] [3]]",
		}[path]
		if fmt.Sprint(got) != want {
			t.Errorf("%s: got pages %v, want %s", path, got, want)
		}
	}
	if got := s.send("GET", "/bookings/?limit=6", me, nil).header.Get("Link"); got != "" {
		t.Errorf("the last page has the Link %s", got)
	}
}

// next returns the path of the next page, to which the answer of the path links, or "".
func (a answer) next(t testing.TB, path string) string {
	t.Helper()
	link := a.header.Get("Link")
	query, ok := strings.CutPrefix(strings.TrimSuffix(link, `>; rel="next"`), "<?")
	if link == "" {
		return ""
	}
	if !ok || link != "<?"+query+`>; rel="next"` {
		t.Fatalf("%s: got Link %s", path, link)
	}
	path, _, _ = strings.Cut(path, "?")
	return path + "?" + query
}

// TestPaths sends requests to paths of routes and to other paths.
func TestPaths(t *testing.T) {
	f := newFixture(t)
	for path, want := range map[string]answer{
		"/":                               {status: 200, body: `{"vehicles":"` + f.url + `/vehicles/","bookings":"` + f.url + `/bookings/"}`},
		"/healthz":                        {status: 200, body: `{"status":"ok"}`},
		"/healthz/":                       {status: 200, body: `{"status":"ok"}`},
		"/readyz":                         {status: 200, body: `{"status":"ok"}`},
		"/vehicles/1":                     {status: 200, body: vehicle1},
		"/vehicles/01/":                   {status: 200, body: vehicle1},
		"/vehicles/0/":                    {status: 404, body: noVehicle},
		"/vehicles/-1/":                   {status: 404, body: noVehicle},
		"/vehicles/99/":                   {status: 404, body: noVehicle},
		"/vehicles/3/":                    {status: 404, body: noVehicle},
		"/bookings/2/":                    {status: 404, body: noBooking},
		"/bookings/99999999999999999999/": {status: 404, body: noBooking},
		"/bookings/1":                     {status: 200, body: booking1},
		"/vehicles/abc/":                  {status: 404, body: notFound},
		"/vehicles/1.5/":                  {status: 404, body: notFound},
		"/vehicles/1.0/":                  {status: 404, body: notFound},
		"/vehicles/%201/":                 {status: 404, body: notFound},
		"/vehicles/null/":                 {status: 404, body: notFound},
		"/vehicles/1%00/":                 {status: 404, body: notFound},
		"/vehicles/1%2F/":                 {status: 404, body: notFound},
		"/vehicles//":                     {status: 404, body: notFound},
		"//vehicles/":                     {status: 404, body: notFound},
		"/vehicles/../me/":                {status: 404, body: notFound},
		"/vehicles/1/extra/":              {status: 404, body: notFound},
		"/Vehicles/":                      {status: 404, body: notFound},
		"/api/":                           {status: 404, body: notFound},
		"/api/token/":                     {status: 405, body: `{"detail":"Method \"GET\" not allowed."}`},
		"/favicon.ico":                    {status: 404, body: notFound},
		"/%F0%9F%98%80":                   {status: 404, body: notFound},
	} {
		f.send("GET", path, f.me, nil).want(t, want.status, want.body)
	}
	f.loosely().send("GET", "/bookings/1/?from=2031-01-01", f.me, nil).want(t, 200, booking1)
	// An unknown path is unknown without a token too, and with each method.
	f.send("PUT", "/nowhere/", "", nil).want(t, 404, notFound)
	f.send("OPTIONS", "/nowhere/", "", nil).want(t, 404, notFound)
	req, err := http.NewRequest("OPTIONS", f.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = "*"
	f.do(req).want(t, 404, notFound)
}

func TestClosedRegistration(t *testing.T) {
	s := newShopWith(t, server.Config{RegistrationClosed: true})
	s.send("POST", "/register/", "", `{"username":"a","password":"b"}`).want(t, 403, `{"error":"Registration is closed."}`)
	s.send("GET", "/register/", "", nil).want(t, 405, `{"detail":"Method \"GET\" not allowed."}`)
}

func TestCORS(t *testing.T) {
	// Every header is allowed, in any order and case. If the preflight lists no headers,
	// the answer lists those that every page needs.
	for asked, want := range map[string]string{
		"Content-Type, Authorization":                         "Content-Type, Authorization",
		"authorization,if-match,traceparent,x-requested-with": "authorization,if-match,traceparent,x-requested-with",
		"": "Authorization, Content-Type",
	} {
		headers := []header{{"Origin", "https://a.example"}, {"Access-Control-Request-Method", "POST"}}
		if asked != "" {
			headers = append(headers, header{"Access-Control-Request-Headers", asked})
		}
		for _, path := range []string{"/bookings/", "/nowhere/", "/vehicles//"} {
			a := newShop(t).send("OPTIONS", path, "", nil, headers...)
			a.want(t, 204, "")
			if got := a.header.Get("Access-Control-Allow-Headers"); got != want {
				t.Errorf("%s with %q: got Access-Control-Allow-Headers %q, want %q", path, asked, got, want)
			}
		}
	}
	preflight := []header{
		{"Origin", "https://lahorecarrental.com"},
		{"Access-Control-Request-Method", "PATCH"},
		{"Access-Control-Request-Headers", "authorization,content-type"},
	}
	open := newShop(t)
	limited := newShopWith(t, server.Config{CORSOrigins: []string{"https://lahorecarrental.com"}})
	for _, c := range []struct {
		shop   *shop
		origin string
		want   string
	}{
		{open, "https://lahorecarrental.com", "*"},
		{open, "null", "*"},
		{limited, "https://lahorecarrental.com", "https://lahorecarrental.com"},
		{limited, "https://lahorecarrental.com.evil.example", ""},
		{limited, "http://lahorecarrental.com", ""},
	} {
		preflight[0].value = c.origin
		a := c.shop.send("OPTIONS", "/bookings/1/", "", nil, preflight...)
		a.want(t, 204, "")
		check := func(name, want string) {
			t.Helper()
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: got %s %q, want %q", c.origin, name, got, want)
			}
		}
		check("Allow", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS")
		check("Access-Control-Allow-Origin", c.want)
		if c.want != "" {
			check("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
			check("Access-Control-Allow-Headers", "authorization,content-type")
		}
		credentials := ""
		if c.want == c.origin { // with the origin *, a browser refuses credentials
			credentials = "true"
		}
		check("Access-Control-Allow-Credentials", credentials)
		// A page can read refusals too.
		a = c.shop.send("GET", "/bookings/1/", "", nil, preflight[0])
		a.want(t, 401, noToken)
		check("Access-Control-Allow-Origin", c.want)
		if c.want != "" {
			check("Access-Control-Expose-Headers", "Link, Retry-After, ETag, X-Total-Count, X-Request-Id")
		}
		check("Access-Control-Allow-Credentials", credentials)
		if vary := strings.Join(a.header.Values("Vary"), ", "); !strings.Contains(vary, "Accept-Encoding") || c.shop == limited && !strings.Contains(vary, "Origin") {
			t.Errorf("%s: got Vary %q", c.origin, vary)
		}
	}
}
