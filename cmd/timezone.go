package cmd

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// checkTimeZone refuses a TZ in the environment that Go cannot read. Go takes
// UTC then, and says nothing.
func checkTimeZone() error {
	tz := os.Getenv("TZ")
	name := strings.TrimPrefix(tz, ":")
	if name == "" || name == "UTC" || time.Local.String() != "UTC" {
		return nil
	}
	return fmt.Errorf("TZ in the environment is %q, which is not the name of a time zone: write it like Asia/Karachi, or remove TZ", tz)
}
