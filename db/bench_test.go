package db_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"onenow/db"
	"onenow/db/dbtest"
)

// BenchmarkCreateBooking stores bookings for 1 to 64 concurrent clients. Each client waits
// until its booking is on disk before it sends the next one. The benchmark shows how much
// is gained when writes share a sync.
func BenchmarkCreateBooking(b *testing.B) {
	for _, clients := range []int{1, 8, 32, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			d := dbtest.New(b)
			id, err := d.CreateUser(b.Context(), "shop", "x")
			if err != nil {
				b.Fatal(err)
			}
			owner := db.Principal{User: id}
			cars := make([]db.VehicleID, clients)
			for i := range cars {
				v, err := d.CreateVehicle(b.Context(), owner, db.Vehicle{Make: "Kia", Model: "Rio", Year: 2020, Plate: fmt.Sprint(i)})
				if err != nil {
					b.Fatal(err)
				}
				cars[i] = v.ID
			}
			day := func(n int64) db.Date {
				return db.Date(time.Date(2000, 1, 1+int(n), 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
			}
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for _, car := range cars {
				wg.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						if _, err := d.CreateBooking(b.Context(), owner, db.Booking{Vehicle: car, Start: day(n), End: day(n + 1)}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
