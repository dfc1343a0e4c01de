package cmd

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// checkTimeZone returns an error if the environment variable TZ is not the name of a time
// zone. Go would silently use UTC instead.
func checkTimeZone() error {
	tz := os.Getenv("TZ")
	name := strings.TrimPrefix(tz, ":")
	if name == "" || name == "UTC" || time.Local.String() != "UTC" {
		return nil
	}
	return fmt.Errorf("the environment variable TZ is %q, which is not the name of a time zone: write it like Asia/Karachi, or remove TZ", tz)
}
