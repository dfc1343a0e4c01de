package cmd_test

import (
	"strings"
	"testing"
)

// TestImportOnFullDisk imports to a disk without enough space. The import leaves no files
// there.
func TestImportOnFullDisk(t *testing.T) {
	d := newDjango(t, t.TempDir())
	d.shop()
	d.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
		INSERT INTO backend_api_booking (start_date, end_date, vehicle_id)
		SELECT date('2030-01-01', i || ' days') || ' 10:00:00', date('2030-01-01', (i + 1) || ' days') || ' 10:00:00', 1 FROM n`)
	d.booking(1, "2030-01-05 10:00:00", "2030-01-07 10:00:00")
	d.pool.Close()
	dir := smallDisk(t, 2<<20)
	_, stderr := onenow(t, dir, "", 1, "import-django", d.path, "--skip-conflicts", "left.csv")
	sentence(t, stderr, "The disk is full")
	if got := files(t, dir); got != "" {
		t.Errorf("got files %s, want none", got)
	}
	onenow(t, dir, "", 0, "migrate")
	_, stderr = onenow(t, dir, "", 1, "import-django", d.path, "--skip-conflicts", "left.csv")
	sentence(t, stderr, "The disk is full")
	if got := files(t, dir); got != "onenow.db" {
		t.Errorf("got files %s, want onenow.db alone", got)
	}
	if out, _ := onenow(t, dir, "", 0, "check"); !strings.Contains(out, "users: 0, vehicles: 0, bookings: 0\n") {
		t.Errorf("got %s", out)
	}
}
