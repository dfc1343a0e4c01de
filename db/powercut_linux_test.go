package db_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"onenow/db"
	"onenow/db/dbtest"
	"onenow/db/store"
)

// event is an operation of SQLite on a file, or an answer to a client.
type event struct {
	kind   byte   // 'w'rite, 't'runcate, 's'ync, 'a'nswer
	path   string // of the file
	offset int64  // of a write; the new size of a truncation
	data   []byte
	id     db.BookingID // of an answer: the new booking
}

// recorder records, in order, SQLite's operations on the files whose names begin with
// prefix.
var recorder struct {
	sync.Mutex
	prefix string
	events []event

	write    func(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32
	truncate func(tls *libc.TLS, file uintptr, size int64) int32
	sync     func(tls *libc.TLS, file uintptr, flags int32) int32
}

func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

func note(e event, file uintptr) {
	e.path = libc.GoString(at[sqlite3.TunixFile](file).FzPath)
	recorder.Lock()
	defer recorder.Unlock()
	if recorder.prefix != "" && len(e.path) >= len(recorder.prefix) && e.path[:len(recorder.prefix)] == recorder.prefix {
		recorder.events = append(recorder.events, e)
	}
}

func recordWrite(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32 {
	note(event{kind: 'w', offset: offset, data: slices.Clone(unsafe.Slice(at[byte](buf), n))}, file)
	return recorder.write(tls, file, buf, n, offset)
}

func recordTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	note(event{kind: 't', offset: size}, file)
	return recorder.truncate(tls, file, size)
}

func recordSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	rc := recorder.sync(tls, file, flags)
	note(event{kind: 's'}, file) // after the sync
	return rc
}

// record starts to record the operations on the database at path. The first call replaces
// the methods of SQLite's files for the whole process.
func record(t *testing.T, path string) {
	t.Helper()
	recorder.Lock()
	recorder.prefix = path
	recorder.Unlock()
	if recorder.write != nil {
		return
	}
	tls := libc.NewTLS()
	defer tls.Close()
	name, err := libc.CString(filepath.Join(t.TempDir(), "any.db"))
	if err != nil {
		t.Fatal(err)
	}
	main, err := libc.CString("main")
	if err != nil {
		t.Fatal(err)
	}
	slot := tls.Alloc(16)
	defer tls.Free(16)
	if rc := sqlite3.Xsqlite3_open(tls, name, slot); rc != sqlite3.SQLITE_OK {
		t.Fatalf("open: %d", rc)
	}
	handle := *at[uintptr](slot)
	defer sqlite3.Xsqlite3_close(tls, handle)
	wal, err := libc.CString("PRAGMA journal_mode = WAL; CREATE TABLE t (x)")
	if err != nil {
		t.Fatal(err)
	}
	if rc := sqlite3.Xsqlite3_exec(tls, handle, wal, 0, 0, 0); rc != sqlite3.SQLITE_OK {
		t.Fatalf("exec: %d", rc)
	}
	for _, file := range []int32{sqlite3.SQLITE_FCNTL_FILE_POINTER, sqlite3.SQLITE_FCNTL_JOURNAL_POINTER} { // the second is the WAL
		if rc := sqlite3.Xsqlite3_file_control(tls, handle, main, file, slot); rc != sqlite3.SQLITE_OK {
			t.Fatalf("file control: %d", rc)
		}
		methods := at[sqlite3.Tsqlite3_io_methods](at[sqlite3.TunixFile](*at[uintptr](slot)).FpMethod)
		swap(&methods.FxWrite, &recorder.write, recordWrite)
		swap(&methods.FxTruncate, &recorder.truncate, recordTruncate)
		swap(&methods.FxSync, &recorder.sync, recordSync)
	}
}

// swap stores the function that pointer points to in original, and makes pointer point to
// replacement.
func swap[F any](pointer *uintptr, original *F, replacement F) {
	*original = *(*F)(unsafe.Pointer(pointer))
	*(*F)(unsafe.Pointer(pointer)) = replacement
}

// TestPowerCut records the operations of a busy database on its files, and simulates power
// cuts at random moments. After a cut, each operation that was synced is on the disk, and
// each other operation is there, partly there, or missing. No booking that was answered
// before the cut is lost. ONENOW_CUTS is the number of cuts.
func TestPowerCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "onenow.db")
	s := dbtest.MustOpen(t, path, store.Options{})
	d := db.New(s)
	id, err := d.CreateUser(t.Context(), "shop", "x")
	if err != nil {
		t.Fatal(err)
	}
	owner := db.Principal{User: id}
	dbtest.MustClose(t, s)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	record(t, path)
	d = dbtest.Open(t, path)
	const clients = 8
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			car, err := d.CreateVehicle(t.Context(), owner, db.Vehicle{Make: "Kia", Model: "Rio", Year: 2020, Plate: fmt.Sprint(c)})
			if err != nil {
				t.Error(err)
				return
			}
			for n := range 150 {
				day := func(n int) db.Date {
					return db.Date(time.Date(2025, 1, 1+n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
				}
				b, err := d.CreateBooking(t.Context(), owner, db.Booking{Vehicle: car.ID, Start: day(n), End: day(n + 1)})
				if err != nil {
					t.Error(err)
					return
				}
				recorder.Lock()
				recorder.events = append(recorder.events, event{kind: 'a', id: b.ID})
				recorder.Unlock()
				if n%30 == 29 {
					time.Sleep(150 * time.Millisecond) // until a checkpoint has emptied the WAL
				}
			}
		})
	}
	wg.Wait()
	recorder.Lock()
	events := recorder.events
	recorder.prefix = ""
	recorder.Unlock()

	cuts := dbtest.Scale(t, "ONENOW_CUTS", 50)
	answeredInAll := 0
	for i := range cuts {
		cut := rand.N(len(events) + 1)
		dir := t.TempDir()
		for name, text := range afterCut(events[:cut], path, before) {
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		copied := filepath.Join(dir, "onenow.db")
		reopened, err := store.Open(t.Context(), copied, dbtest.Format(t), store.Options{})
		if err != nil {
			t.Fatalf("cut %d, after event %d of %d: %v", i, cut, len(events), err)
		}
		for _, e := range events[:cut] {
			if e.kind == 'a' {
				answeredInAll++
				if _, err := db.New(reopened).Booking(t.Context(), owner, e.id); err != nil {
					t.Fatalf("cut %d, after event %d of %d: booking %d was answered: %v", i, cut, len(events), e.id, err)
				}
			}
		}
		if err := reopened.Close(); err != nil {
			t.Error(err)
		}
		r, err := db.Check(t.Context(), copied, dbtest.Schema(t))
		if err != nil || len(r.Problems) > 0 {
			t.Fatalf("cut %d, after event %d of %d: %v %v", i, cut, len(events), r.Problems, err)
		}
	}
	counts := map[string]int{}
	for _, e := range events {
		counts[string(e.kind)+" "+filepath.Ext(e.path)]++
	}
	t.Logf("%d cuts of %d events %v, %d answered bookings checked", cuts, len(events), counts, answeredInAll)
	if counts["s .db-wal"] == 0 || counts["w .db"] == 0 || counts["s .db"] == 0 {
		t.Error("no sync of the WAL, or no checkpoint, was recorded")
	}
}

// afterCut returns one possible state of the files after the events and a power cut.
// before is the database before the events.
func afterCut(events []event, path string, before []byte) map[string][]byte {
	files := map[string][]byte{path: slices.Clone(before)}
	synced := map[string]int{} // the last sync of each file
	for i, e := range events {
		if e.kind == 's' {
			synced[e.path] = i
		}
	}
	for i, e := range events {
		last, ok := synced[e.path]
		durable := ok && i < last
		switch {
		case e.kind == 'w' && (durable || rand.N(2) == 0):
			data := e.data
			if !durable && rand.N(3) == 0 {
				data = data[:len(data)/512/2*512] // torn at a sector
			}
			text := files[e.path]
			if end := int(e.offset) + len(data); end > len(text) {
				text = append(text, make([]byte, end-len(text))...)
			}
			copy(text[e.offset:], data)
			files[e.path] = text
		case e.kind == 't' && (durable || rand.N(2) == 0):
			text := files[e.path]
			files[e.path] = slices.Clone(text[:min(int(e.offset), len(text))])
		}
	}
	maps.DeleteFunc(files, func(name string, text []byte) bool { return len(text) == 0 })
	return files
}
