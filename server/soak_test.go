package server_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSoak keeps a server under mixed load, with clients that go away in the middle of
// a request. The numbers of goroutines and open files, and the heap, must not grow. The
// test takes a second, or the duration in ONENOW_SOAK.
func TestSoak(t *testing.T) {
	length := time.Second
	if text := os.Getenv("ONENOW_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	f := newFixture(t)
	refresh := f.login("shop", "pass123").Refresh
	var done atomic.Int64
	load := func(length time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), length)
		defer cancel()
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
		defer client.CloseIdleConnections()
		call := func(ctx context.Context, method, path, body string) {
			req, err := http.NewRequestWithContext(ctx, method, f.url+path, strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+f.me)
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				return // this client has cut it off
			}
			if resp.StatusCode >= 500 {
				t.Errorf("%s %s: got %d", method, path, resp.StatusCode)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			done.Add(1)
		}
		var clients sync.WaitGroup
		for c := range 8 {
			clients.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					day := time.Date(2030, 1, 1+(n*8+c)%1000, 0, 0, 0, 0, time.UTC)
					from, to := day.Format(time.DateOnly), day.AddDate(0, 0, 1).Format(time.DateOnly)
					switch n % 8 {
					case 0, 1:
						call(ctx, "POST", "/bookings/", fmt.Sprintf(`{"vehicle":2,"start_date":"%s","end_date":"%s"}`, from, to))
					case 2:
						call(ctx, "GET", "/bookings/?end_after="+from+"&start_before="+to, "")
					case 3:
						call(ctx, "DELETE", fmt.Sprintf("/bookings/%d/", 3+rand.N(1+n)), "")
					case 4:
						call(ctx, "GET", "/vehicles/", "")
					case 5:
						call(ctx, "POST", "/bookings/", `{"vehicle":`)
					case 6:
						gone, cancel := context.WithTimeout(ctx, rand.N(2*time.Millisecond))
						call(gone, "GET", "/bookings/", "")
						cancel()
					case 7:
						if n%64 == 7 {
							call(ctx, "POST", "/api/token/refresh/", `{"refresh":"`+refresh+`"}`)
						} else {
							call(ctx, "GET", "/me/", "")
						}
					}
				}
			})
		}
		clients.Wait()
	}
	type use struct {
		goroutines, files int
		heap              uint64
	}
	measure := func() use {
		time.Sleep(200 * time.Millisecond) // for connections and goroutines to end
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		entries, _ := os.ReadDir("/proc/self/fd") // only Linux has it
		return use{runtime.NumGoroutine(), len(entries), m.HeapAlloc}
	}
	load(length / 10)
	before := measure()
	load(length)
	after := measure()
	t.Logf("%d requests; goroutines %d, then %d; open files %d, then %d; heap %d KiB, then %d KiB",
		done.Load(), before.goroutines, after.goroutines, before.files, after.files, before.heap>>10, after.heap>>10)
	if after.goroutines > before.goroutines+10 || after.files > before.files+10 || after.heap > before.heap*2+4<<20 {
		t.Errorf("something grows: %+v, then %+v", before, after)
	}
}
