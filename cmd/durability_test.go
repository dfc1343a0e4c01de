package cmd_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"onenow/db/dbtest"
)

// record is a booking as a client sent it, with its id from the answer.
type record struct {
	id      int
	vehicle int
	start   string
	end     string
}

// ledger holds the bookings that the clients sent, and those that the server
// answered with 201.
type ledger struct {
	mu       sync.Mutex
	next     map[int]int       // by vehicle: the day of its next booking
	sent     map[string]record // by vehicle and start
	answered []record
	latency  []time.Duration
}

func newLedger() *ledger { return &ledger{next: map[int]int{}, sent: map[string]record{}} }

func (l *ledger) key(vehicle int, start string) string { return fmt.Sprint(vehicle, " ", start) }

// prepare returns the next booking of a vehicle.
func (l *ledger) prepare(vehicle int) record {
	l.mu.Lock()
	defer l.mu.Unlock()
	day := l.next[vehicle]
	l.next[vehicle]++
	date := func(n int) string { return time.Date(2000, 1, 1+n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly) }
	r := record{vehicle: vehicle, start: date(day), end: date(day + 1)}
	l.sent[l.key(vehicle, r.start)] = r
	return r
}

func (l *ledger) answer(r record, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = append(l.answered, r)
	l.latency = append(l.latency, took)
}

// soFar returns the bookings that have been answered until now.
func (l *ledger) soFar() []record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered[:len(l.answered):len(l.answered)]
}

// write books a vehicle again and again, with a pause in between, until ctx is
// cancelled or the server is gone.
func (l *ledger) write(ctx context.Context, p *process, token string, vehicle int, pause time.Duration) {
	client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		r := l.prepare(vehicle)
		body := fmt.Sprintf(`{"vehicle":%d,"start_date":"%s","end_date":"%s"}`, r.vehicle, r.start, r.end)
		req, err := http.NewRequest("POST", p.url+"/bookings/", strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		start := time.Now()
		resp, err := client.Do(req)
		if err != nil {
			return
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return
		}
		if resp.StatusCode != 201 {
			p.t.Errorf("POST /bookings/ %s: got %d %s", body, resp.StatusCode, text)
			return
		}
		var made struct{ ID int }
		if err := json.Unmarshal(text, &made); err != nil {
			p.t.Error(err)
			return
		}
		r.id = made.ID
		l.answer(r, time.Since(start))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// lost opens the file at path without its WAL. It returns an error if a booking of known
// is missing or different, or if the file has a booking that no client sent. It compares
// only the newest bookings one by one and counts the older ones, because ids have no gaps
// if no booking is refused.
func (l *ledger) lost(path string, known []record) error {
	const compared = 20_000
	newest, oldest := 0, 0
	for _, r := range known {
		newest = max(newest, r.id)
	}
	oldest = max(0, newest-compared)
	pool, err := sql.Open("sqlite", "file:"+path+"?immutable=1")
	if err != nil {
		return err
	}
	defer pool.Close()
	var first, older int
	if err := pool.QueryRow("SELECT coalesce(min(id), 0), count(*) FILTER (WHERE id <= ?) FROM bookings WHERE vehicle_id <= ?", oldest, writers).
		Scan(&first, &older); err != nil {
		return err
	}
	if oldest > first && older != oldest-first+1 {
		return fmt.Errorf("the ids %d to %d have %d bookings", first, oldest, older)
	}
	rows, err := pool.Query("SELECT id, vehicle_id, start_date, end_date FROM bookings WHERE id > ? AND vehicle_id <= ?", oldest, writers)
	if err != nil {
		return err
	}
	defer rows.Close()
	stored := map[int]record{}
	for rows.Next() {
		var r record
		if err := rows.Scan(&r.id, &r.vehicle, &r.start, &r.end); err != nil {
			return err
		}
		stored[r.id] = r
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, r := range known {
		if r.id > oldest && stored[r.id] != r {
			return fmt.Errorf("answered %v, stored %v (%d were answered, the newest %d stored are compared)", r, stored[r.id], len(known), len(stored))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range stored {
		if sent := l.sent[l.key(r.vehicle, r.start)]; sent.end != r.end {
			return fmt.Errorf("stored %v, which no client sent", r)
		}
	}
	return nil
}

// writers is the number of clients that write without pause. Each client books a vehicle
// of its own. The vehicles have the ids 1 to writers.
const writers = 8

// fleet starts a server in dir and creates the vehicles of the writers.
func fleet(t *testing.T, dir string) (*process, string) {
	t.Helper()
	p := serve(t, dir, "--log-format", "json")
	p.post("/register/", "", `{"username":"shop","password":"pass123"}`)
	token := p.login("shop", "pass123")
	for i := range writers {
		body := fmt.Sprintf(`{"make":"Kia","model":"Rio","year":2020,"plate":"W%d"}`, i)
		if status, text := p.post("/vehicles/", token, body); status != 201 {
			t.Fatalf("got %d %s", status, text)
		}
	}
	return p, token
}

// pad adds that many past bookings of another vehicle to the file of a server
// that has stopped.
func pad(t *testing.T, path string, bookings int) {
	t.Helper()
	dbtest.Exec(t, path, fmt.Sprintf(`
		INSERT INTO vehicles (id, user_id, make, model, year, plate) VALUES (%d, 1, 'Kia', 'Rio', 2020, 'PAST');
		WITH RECURSIVE day (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM day WHERE n + 1 < %d)
		INSERT INTO bookings (vehicle_id, start_date, end_date)
		SELECT %d, date('0100-01-01', n || ' days'), date('0100-01-01', (n + 1) || ' days') FROM day;`, writers+1, bookings, writers+1))
}

// TestCopies copies the one file while the server writes to it, and opens each
// copy alone: no copy is damaged, and no copy lacks a booking that was answered
// before the copy began. ONENOW_COPIES makes the test longer, and
// ONENOW_COPY_BOOKINGS the file larger.
func TestCopies(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has leases")
	}
	for name, c := range map[string]struct {
		writers int
		pause   time.Duration
		rate    int      // bytes per second; 0 is no limit
		during  []string // a command to run in the middle of each copy
	}{
		"light writes":             {1, 600 * time.Millisecond, 0, nil},
		"full writes":              {writers, 0, 0, nil},
		"slow copier":              {1, 100 * time.Millisecond, 20 << 20, nil},
		"slow copier, full writes": {writers, 0, 20 << 20, nil},
		"during create-user":       {4, 0, 20 << 20, []string{"create-user"}},
		"during migrate":           {4, 0, 20 << 20, []string{"migrate"}},
		"during backup":            {4, 0, 20 << 20, []string{"backup", "--force", "backup.db"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "onenow.db")
			p, token := fleet(t, dir)
			p.stop(os.Interrupt)
			pad(t, path, dbtest.Scale(t, "ONENOW_COPY_BOOKINGS", 20_000))
			p = serve(t, dir, "--log-format", "json")

			ctx, cancel := context.WithCancel(t.Context())
			var clients sync.WaitGroup
			l := newLedger()
			for i := range c.writers {
				clients.Go(func() { l.write(ctx, p, token, 1+i, c.pause) })
			}
			var longest time.Duration
			var during int
			copies := dbtest.Scale(t, "ONENOW_COPIES", 8)
			for i := range copies {
				time.Sleep(rand.N(50 * time.Millisecond))
				known := l.soFar()
				dest := filepath.Join(dir, "copy.db")
				var commands sync.WaitGroup
				if c.during != nil {
					commands.Go(func() {
						time.Sleep(50 * time.Millisecond) // into the middle of the copy
						args := c.during
						if args[0] == "create-user" {
							args = append(args, fmt.Sprint("user", i))
						}
						onenow(t, dir, "pass123\n", 0, args...)
					})
				}
				waited, err := slowCopy(path, dest, c.rate)
				commands.Wait()
				if err != nil {
					t.Fatal(err)
				}
				longest = max(longest, waited)
				during += len(l.soFar()) - len(known)
				if out, _ := onenow(t, dir, "", 0, "check", dest); !strings.Contains(out, "is sound") {
					t.Errorf("copy %d: %s", i, out)
				}
				if err := l.lost(dest, known); err != nil {
					t.Errorf("copy %d: %v", i, err)
				}
			}
			cancel()
			clients.Wait()
			p.stop(os.Interrupt)
			t.Logf("%d copies, %d bookings, %d of them during a copy; the longest open took %v; a booking took %v at the median, %v at the 99th percentile, %v at most",
				copies, len(l.answered), during, longest, percentile(l.latency, 50), percentile(l.latency, 99), percentile(l.latency, 100))
			if err := l.lost(path, l.answered); err != nil {
				t.Error(err)
			}
			if log := p.log.String(); strings.Contains(log, `"level":"WARN"`) || strings.Contains(log, `"level":"ERROR"`) {
				t.Errorf("the log has warnings:\n%s", log)
			}
		})
	}
}

// slowCopy copies a file as cp does, but no faster than rate. It returns the time
// that opening the file took.
func slowCopy(from, to string, rate int) (waited time.Duration, err error) {
	start := time.Now()
	in, err := os.Open(from)
	waited = time.Since(start)
	if err != nil {
		return waited, err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return waited, err
	}
	defer out.Close()
	buf := make([]byte, 128<<10)
	for {
		n, err := in.Read(buf)
		if _, err := out.Write(buf[:n]); err != nil {
			return waited, err
		}
		if err == io.EOF {
			return waited, out.Close()
		}
		if err != nil {
			return waited, err
		}
		if rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
	}
}

// percentile returns the p-th percentile of d, and does not change d.
func percentile(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

// TestKill kills the server with SIGKILL at random moments during concurrent writes. The
// file has every booking that was answered, and no booking that no client sent.
// ONENOW_KILLS makes the test longer.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "onenow.db")
	p, token := fleet(t, dir)
	l := newLedger()
	var slowest time.Duration
	kills := dbtest.Scale(t, "ONENOW_KILLS", 10)
	for range kills {
		var clients sync.WaitGroup
		for i := range writers {
			clients.Go(func() { l.write(t.Context(), p, token, 1+i, 0) })
		}
		time.Sleep(rand.N(400 * time.Millisecond))
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.cmd.Wait() // it says that it was killed
		clients.Wait()
		start := time.Now()
		p = serve(t, dir, "--log-format", "json")
		slowest = max(slowest, time.Since(start))
	}
	p.stop(os.Interrupt)
	if err := l.lost(path, l.answered); err != nil {
		t.Error(err)
	}
	out, _ := onenow(t, dir, "", 0, "check")
	t.Logf("%d kills, %d bookings answered; the slowest start took %v; %s", kills, len(l.answered), slowest, out)
}

// TestKilledWhileQuiet kills a server some time after its last write. The file is complete
// without its WAL.
func TestKilledWhileQuiet(t *testing.T) {
	dir := t.TempDir()
	p, token := fleet(t, dir)
	l := newLedger()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	l.write(ctx, p, token, 1, 0)
	last := time.Now()
	path, wal := filepath.Join(dir, "onenow.db"), filepath.Join(dir, "onenow.db-wal")
	for deadline := last.Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		info, err := os.Stat(path) // os.Open would cause a checkpoint
		if err != nil {
			t.Fatal(err)
		}
		if info.ModTime().After(last) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no checkpoint has changed the file")
		}
	}
	time.Sleep(100 * time.Millisecond) // until the checkpoint is done
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	if err := os.Remove(wal); err != nil {
		t.Fatal(err)
	}
	if err := l.lost(path, l.answered); err != nil {
		t.Error(err)
	}
}
