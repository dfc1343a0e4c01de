package django

// What the tests look at from inside.
var (
	Days      = days
	ParseTime = parseTime
)
