package django

// The tests need these unexported functions.
var (
	Days      = days
	ParseTime = parseTime
)
