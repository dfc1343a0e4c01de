package server_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"onenow/db"
	"onenow/db/dbtest"
	"onenow/db/store"
	"onenow/server"
)

// The benchmarks compare the server with a bare net/http handler that sends the same
// bytes to the same clients. The ratio of the two means the same on every machine. The
// clients use as little time as possible. They send requests to both in turns, over TCP.

const (
	benchClients = 32
	benchRound   = 4096 // requests to one of the two before the turn of the other one
	fleet        = 20   // vehicles of the only owner
	past         = 20_000
	longPast     = 2_000_000

	month = "/bookings/?from=2025-07-01&to=2025-08-01" // of 200 bookings
)

// target is a server and the requests that clients send to it.
type target struct {
	addr    string
	request func() []byte // returns the next request; called by many clients at once
	status  int           // of the answers
}

// benchShop is a shop with many old bookings. Its owner has 20 vehicles. Each is booked
// for three days, then free for three, from 2020-01-01 on, so that a month has 200
// bookings.
type benchShop struct {
	path  string
	addr  string
	token string
	next  atomic.Int64 // the number of the next booking
}

func newBenchShop(b *testing.B, bookings int) *benchShop {
	b.Helper()
	path := benchFile(b, bookings)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { null.Close() })
	s := &shop{t: b, db: dbtest.Open(b, path)}
	s.url = start(b, server.Config{DB: s.db, Logger: slog.New(slog.NewTextHandler(null, nil))})
	shop := &benchShop{path: path, addr: s.url[len("http://"):], token: s.login("shop", "pass123").Access}
	shop.next.Store(int64(bookings))
	return shop
}

// benchFile creates the file of a benchShop.
func benchFile(b *testing.B, bookings int) (path string) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "onenow.db")
	made := dbtest.MustOpen(b, path, store.Options{})
	if _, err := db.New(made).CreateUser(b.Context(), "shop", hashOf(b, "pass123")); err != nil {
		b.Fatal(err)
	}
	dbtest.MustClose(b, made)
	dbtest.Exec(b, path, fmt.Sprintf(`
		PRAGMA synchronous = OFF;
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d)
		INSERT INTO vehicles (user_id, make, model, year, plate)
		SELECT 1, 'Toyota', 'Corolla', 2020, 'LEA-' || (1000 + i) FROM n;
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d)
		INSERT INTO bookings (vehicle_id, start_date, end_date)
		SELECT 1 + i %% %[1]d, date('2020-01-01', (3 * (i / %[1]d)) || ' days'), date('2020-01-01', (3 * (i / %[1]d) + 3) || ' days') FROM n;
		PRAGMA wal_checkpoint(TRUNCATE)`, fleet, bookings))
	return path
}

// get returns a target for GET path with the headers of a browser's fetch.
func (s *benchShop) get(path string) target {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + s.addr + "\r\nAccept: */*\r\nAuthorization: Bearer " + s.token + "\r\n\r\n")
	return target{s.addr, func() []byte { return request }, 200}
}

// fresh is get with a new value of an unknown parameter in each request. Lists ignore the
// parameter, but no answer is in the cache.
func (s *benchShop) fresh(path string) target {
	between := "?"
	if strings.Contains(path, "?") {
		between = "&"
	}
	var n atomic.Int64
	return target{s.addr, func() []byte { return s.get(path + between + "n=" + strconv.FormatInt(n.Add(1), 10)).request() }, 200}
}

// slot returns the vehicle and the days of the nth booking.
func slot(n int) (vehicle int, start, end string) {
	day := time.Date(2020, 1, 1+3*(n/fleet), 0, 0, 0, 0, time.UTC)
	return 1 + n%fleet, day.Format(time.DateOnly), day.AddDate(0, 0, 3).Format(time.DateOnly)
}

// post returns a target for POST /bookings/. Each request books other free days.
func (s *benchShop) post() target {
	return target{s.addr, func() []byte {
		vehicle, start, end := slot(int(s.next.Add(1) - 1))
		body := fmt.Sprintf(`{"vehicle":%d,"start_date":%q,"end_date":%q}`, vehicle, start, end)
		return fmt.Appendf(nil, "POST /bookings/ HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", s.addr, s.token, len(body), body)
	}, 201}
}

// bare starts a server that answers every request with the bytes of t's answer.
func bare(b *testing.B, t target) target {
	b.Helper()
	c := dial(b, t.addr)
	defer c.conn.Close()
	body, err := c.do(t)
	if err != nil {
		b.Fatal(err)
	}
	length := strconv.Itoa(len(body))
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if _, err := io.ReadAll(r.Body); err != nil {
				b.Error(err)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", length)
		w.WriteHeader(t.status)
		_, _ = w.Write(body)
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	b.Cleanup(func() { srv.Close() })
	t.addr = l.Addr().String()
	return t
}

// client is a kept-alive connection to a server.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte
	took times
}

func dial(b *testing.B, addr string) *client {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}
}

// do sends the next request of t and returns the body of the answer, which is valid
// until the next do.
func (c *client) do(t target) ([]byte, error) {
	if _, err := c.conn.Write(t.request()); err != nil {
		return nil, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if got, _ := strconv.Atoi(string(line[9:12])); got != t.status {
		return nil, fmt.Errorf("got %s, want status %d", line, t.status)
	}
	length := -1
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return nil, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return nil, err
			}
		}
	}
	c.body = c.body[:0]
	if length >= 0 {
		err = c.read(length)
		return c.body, err
	}
	for { // chunks
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return nil, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return nil, err
		}
		if err := c.read(int(size)); err != nil {
			return nil, err
		}
		if _, err := c.in.Discard(2); err != nil || size == 0 {
			return c.body, err
		}
	}
}

// read reads another n bytes of the body.
func (c *client) read(n int) error {
	had := len(c.body)
	c.body = slices.Grow(c.body, n)[:had+n]
	_, err := io.ReadFull(c.in, c.body[had:])
	return err
}

// swarm is many clients that send requests to one target at once.
type swarm struct {
	target  target
	timed   bool // whether to record the time of each request
	clients []*client
}

func newSwarm(b *testing.B, t target, clients int) *swarm {
	b.Helper()
	s := &swarm{target: t}
	for range clients {
		c := dial(b, t.addr)
		b.Cleanup(func() { c.conn.Close() })
		s.clients = append(s.clients, c)
	}
	return s
}

// run sends n requests, or fewer if ctx ends, and returns the time that they took.
func (s *swarm) run(ctx context.Context, b *testing.B, n int) time.Duration {
	b.Helper()
	var sent atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for _, c := range s.clients {
		wg.Go(func() {
			for sent.Add(1) <= int64(n) && ctx.Err() == nil {
				began := time.Now()
				if _, err := c.do(s.target); err != nil {
					b.Error(err)
					return
				}
				if s.timed {
					c.took = append(c.took, time.Since(began))
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// compare sends b.N requests to each of two targets, in turns, and reports the time of
// other divided by the time of ours: 0.5 means that ours takes twice as long. The time
// per request is that of ours and the client together.
func compare(b *testing.B, clients int, ours, other target) {
	b.Helper()
	us, them := newSwarm(b, ours, clients), newSwarm(b, other, clients)
	us.run(b.Context(), b, clients)
	them.run(b.Context(), b, clients)
	var our, their time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= benchRound {
		n := min(left, benchRound)
		b.StartTimer()
		our += us.run(b.Context(), b, n)
		b.StopTimer()
		their += them.run(b.Context(), b, n)
	}
	b.ReportMetric(float64(their)/float64(our), "ratio")
}

// BenchmarkRead sends the same request again and again, which the cache answers, and then
// a new request each time ("fresh").
func BenchmarkRead(b *testing.B) {
	s := newBenchShop(b, past)
	for _, bench := range []struct{ name, path string }{
		{"vehicle", "/vehicles/1/"},
		{"vehicles", "/vehicles/"},
		{"month", month},
	} {
		b.Run(bench.name, func(b *testing.B) {
			t := s.get(bench.path)
			compare(b, benchClients, t, bare(b, t))
		})
		b.Run(bench.name+"/fresh", func(b *testing.B) {
			t := s.fresh(bench.path)
			compare(b, benchClients, t, bare(b, t))
		})
	}
}

// BenchmarkReadAll reads all bookings.
func BenchmarkReadAll(b *testing.B) {
	s := newBenchShop(b, past)
	t := s.get("/bookings/")
	compare(b, benchClients, t, bare(b, t))
}

// BenchmarkPost creates bookings. Each is on the disk before the answer.
func BenchmarkPost(b *testing.B) {
	s := newBenchShop(b, past)
	t := s.post()
	compare(b, benchClients, t, bare(b, t))
}

// BenchmarkPostLatency compares one client's booking, from request to answer, with the
// answer of a bare handler followed by a commit of the row with prepared statements,
// and with that commit alone. It compares medians, because the times of a disk vary.
func BenchmarkPostLatency(b *testing.B) {
	s := newBenchShop(b, past)
	one, post := dial(b, s.addr), s.post()
	defer one.conn.Close()
	commit, checkpoint := committer(b, benchFile(b, past))
	handler := bare(b, post)
	other := dial(b, handler.addr)
	defer other.conn.Close()
	do := func(c *client, t target) func() {
		return func() {
			if _, err := c.do(t); err != nil {
				b.Fatal(err)
			}
		}
	}
	var ours, sent, commits times
	b.ResetTimer()
	for n := range b.N {
		b.StartTimer()
		ours.add(do(one, post))
		b.StopTimer()
		commits.add(commit)
		sent.add(do(other, handler))
		if n%64 == 63 {
			checkpoint()
		}
	}
	b.ReportMetric(float64(commits.percentile(50)+sent.percentile(50))/float64(ours.percentile(50)), "ratio")
	b.ReportMetric(float64(commits.percentile(50))/float64(ours.percentile(50)), "commit-ratio")
	b.ReportMetric(float64(commits.percentile(50).Microseconds()), "commit-µs")
}

// times has the durations of many runs.
type times []time.Duration

func (t *times) add(do func()) {
	began := time.Now()
	do()
	*t = append(*t, time.Since(began))
}

func (t times) percentile(p int) time.Duration {
	slices.Sort(t)
	return t[len(t)*p/100]
}

// committer opens the file at path as onenow does. commit stores a booking without
// onenow, and checkpoint copies the WAL into the file.
func committer(b *testing.B, path string) (commit, checkpoint func()) {
	b.Helper()
	file, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(0)&_pragma=foreign_keys(1)&_pragma=cache_size(-4000)")
	if err != nil {
		b.Fatal(err)
	}
	file.SetMaxOpenConns(1)
	b.Cleanup(func() { file.Close() })
	prepare := func(query string) func(...any) {
		st, err := file.PrepareContext(b.Context(), query)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { st.Close() })
		return func(args ...any) {
			if _, err := st.Exec(args...); err != nil {
				b.Fatal(err)
			}
		}
	}
	begin, end := prepare("BEGIN IMMEDIATE"), prepare("COMMIT")
	insert := prepare("INSERT INTO bookings (vehicle_id, start_date, end_date) VALUES (?, ?, ?)")
	move := prepare("PRAGMA wal_checkpoint(PASSIVE)")
	n := past
	return func() {
		vehicle, from, to := slot(n)
		n++
		begin()
		insert(vehicle, from, to)
		end()
	}, func() { move() }
}

// BenchmarkLongPast compares a shop with very many old bookings with one that has
// fewer: the ratio is below 1 if the time grows with their number.
func BenchmarkLongPast(b *testing.B) {
	short, long := newBenchShop(b, past), newBenchShop(b, longPast)
	b.Run("month", func(b *testing.B) { compare(b, benchClients, long.fresh(month), short.fresh(month)) })
	b.Run("post", func(b *testing.B) { compare(b, benchClients, long.post(), short.post()) })
}

// BenchmarkReadWhileWriting compares the 99th percentile of the times of 32 readers without
// writers and with benchClients writers.
func BenchmarkReadWhileWriting(b *testing.B) {
	s := newBenchShop(b, past)
	for _, bench := range []struct{ name, path string }{
		{"vehicle", "/vehicles/1/"},
		{"month", month},
	} {
		b.Run(bench.name, func(b *testing.B) {
			alone, busy := newSwarm(b, s.get(bench.path), 32), newSwarm(b, s.get(bench.path), 32)
			alone.timed, busy.timed = true, true
			writers := newSwarm(b, s.post(), benchClients)
			b.ResetTimer()
			for left := b.N; left > 0; left -= benchRound {
				n := min(left, benchRound)
				alone.run(b.Context(), b, n)
				ctx, cancel := context.WithCancel(b.Context())
				stopped := make(chan struct{})
				go func() {
					defer close(stopped)
					writers.run(ctx, b, math.MaxInt)
				}()
				busy.run(b.Context(), b, n)
				cancel()
				<-stopped
			}
			b.ReportMetric(float64(alone.percentile(99))/float64(busy.percentile(99)), "ratio")
			b.ReportMetric(float64(alone.percentile(99).Microseconds()), "alone-µs")
			b.ReportMetric(float64(busy.percentile(99).Microseconds()), "busy-µs")
		})
	}
}

// percentile returns that percentile of the times of all clients.
func (s *swarm) percentile(p int) time.Duration {
	var all times
	for _, c := range s.clients {
		all = append(all, c.took...)
	}
	return all.percentile(p)
}

// BenchmarkProcess runs the program on the file of a shop with very many old bookings.
// It reports the size of the program, the time until it listens, also compared with fewer
// bookings, and its resident memory at rest and at its peak, under the load of all
// benchmarks above.
func BenchmarkProcess(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "onenow")
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", binary, "onenow")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	short, long := benchFile(b, past), benchFile(b, longPast)
	var startShort, startLong times
	var idle, peak int
	booked := longPast
	for b.Loop() {
		p := runProcess(b, binary, short)
		startShort = append(startShort, p.start)
		p.stop()
		p = runProcess(b, binary, long)
		startLong = append(startLong, p.start)
		s := &benchShop{addr: p.addr, token: (&shop{t: b, url: "http://" + p.addr}).login("shop", "pass123").Access}
		time.Sleep(7 * time.Second)
		idle = p.memory("VmRSS")
		s.next.Store(int64(booked))
		var all sync.WaitGroup
		for _, load := range []struct {
			target
			requests int
		}{
			{s.get("/vehicles/1/"), 10_000},
			{s.fresh("/vehicles/"), 10_000},
			{s.fresh(month), 10_000},
			{s.get(fmt.Sprintf("/bookings/?after=%d", longPast-past)), 2 * benchClients},
			{s.post(), 10_000},
		} {
			swarm := newSwarm(b, load.target, benchClients)
			all.Go(func() { swarm.run(b.Context(), b, load.requests) })
		}
		all.Wait()
		booked = int(s.next.Load())
		peak = p.memory("VmHWM")
		p.stop()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(info.Size())/(1<<20), "binary-MiB")
	b.ReportMetric(float64(startLong.percentile(50).Microseconds())/1000, "start-ms")
	b.ReportMetric(float64(startShort.percentile(50))/float64(startLong.percentile(50)), "start-ratio")
	b.ReportMetric(float64(idle)/1024, "idle-MiB")
	b.ReportMetric(float64(peak)/1024, "peak-MiB")
}

// process is a running server.
type process struct {
	b     *testing.B
	cmd   *exec.Cmd
	addr  string
	start time.Duration // until it listened
}

func runProcess(b *testing.B, binary, path string) *process {
	b.Helper()
	p := &process{b: b, cmd: exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--db", path)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n') // "onenow serves onenow.db at http://127.0.0.1:8080/"
	p.start = time.Since(began)
	_, p.addr, _ = strings.Cut(strings.TrimSuffix(line, "/\n"), "http://")
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// memory returns a figure in kB from /proc/PID/status.
func (p *process) memory(name string) int {
	p.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.b.Skip("needs /proc, which has the memory of a process")
	}
	_, rest, _ := strings.Cut(string(text), name+":")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		p.b.Fatal(err)
	}
	return kb
}

func (p *process) stop() {
	p.b.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.b.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.b.Fatal(err)
	}
}
