// Package django brings over the database of the first implementation of this API,
// which was written in Django.
package django

import (
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"onenow/db"
	"onenow/db/store"
)

// Options configure Import.
type Options struct {
	Zone   *time.Location // whose days the bookings' times are turned into
	Skip   string         // a new file for the rows that cannot come over; without one, they stop the import
	DryRun bool           // write nothing

	// UsernameProblem says what is wrong with a name for a new user, as
	// auth.UsernameProblem does. A user with such a name keeps it.
	UsernameProblem func(name string) string

	// CanVerify reports whether a password can be compared with that hash. A
	// user with another hash gets Locked in its place.
	CanVerify func(hash string) bool
	Locked    string
}

// Report is what Import finds in a file.
type Report struct {
	Users, Vehicles, Bookings int // that come over

	Locked int // users who cannot sign in
	Hours  int // bookings that lose their hours
	Longer int // bookings that keep the car until the day after they end there

	Clashes []fmt.Stringer // two bookings that overlap, each, whole
	Refused []string       // rows that cannot come over for another reason, whole
	Left    int            // how many rows do not come over, for either reason
	Notes   []string       // what else is different here
}

// ErrLeft is returned with the report when there are rows that cannot come over,
// and no file to put them into.
var ErrLeft = errors.New("not all rows can come over")

// Import brings the users, vehicles and bookings of the first implementation's
// database, file, over to the one at path, which is created with schema if there is
// none, and must have no users yet. The rows keep their ids. Import brings all rows
// that can come over, or none, in one transaction.
//
// Of two bookings that overlap, the one with the lower id was made first.
func Import(ctx context.Context, file, path, schema string, o Options) (Report, error) {
	format := db.Format(schema)
	if err := checkFiles(ctx, file, path, format, o.Skip); err != nil {
		return Report{}, err
	}
	g, err := readFile(ctx, file, o)
	switch {
	case ctx.Err() != nil:
		return Report{}, ctx.Err()
	case err != nil:
		return Report{}, err
	case len(g.refused) > 0 && o.Skip == "":
		return g.report, ErrLeft
	case o.DryRun:
		return g.report, nil
	}
	return g.report, g.store(ctx, path, format)
}

// checkFiles refuses files that Import cannot read from or write to, without
// touching them.
func checkFiles(ctx context.Context, file, path string, format store.Format, skip string) error {
	source, err := os.Stat(file)
	if err != nil {
		return store.Cannot("open", file, err)
	}
	if source.IsDir() {
		return store.Cannot("open", file, syscall.EISDIR)
	}
	if !source.Mode().IsRegular() {
		return fmt.Errorf("%s is not the first implementation's database: it is no regular file", file)
	}
	if err := checkMagic(file); err != nil {
		return err
	}
	real, err := store.Resolve(path)
	if err != nil {
		return err
	}
	if err := checkSkip(skip, real, file); err != nil {
		return err
	}
	if target, err := os.Stat(real); err == nil && os.SameFile(source, target) {
		return fmt.Errorf("%s is to be read and cannot be written to as well: name another file with --db", path)
	}
	return store.Examine(ctx, path, format, func(pool *sql.DB) error {
		var used bool
		if err := pool.QueryRowContext(ctx, isUsed).Scan(&used); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if used {
			return errUsed(path)
		}
		return nil
	})
}

// checkSkip refuses a file for what is left out that exists, or that SQLite takes
// for a part of one of the databases.
func checkSkip(skip string, databases ...string) error {
	if skip == "" {
		return nil
	}
	if _, err := os.Lstat(skip); err == nil {
		return existsAlready(skip)
	}
	dir, err := store.RealPath(filepath.Dir(skip))
	if err != nil {
		return store.Cannot("create", skip, err)
	}
	for _, path := range databases {
		real, err := store.Resolve(path)
		if err != nil {
			return err
		}
		for _, ending := range []string{"", "-wal", "-shm", "-journal"} {
			if filepath.Join(dir, filepath.Base(skip)) == real+ending {
				return fmt.Errorf("%s cannot be a database, or a part of one, and the file of what is left out: name another", skip)
			}
		}
	}
	return nil
}

func existsAlready(path string) error {
	return fmt.Errorf("%s exists already: name another file", path)
}

// checkMagic refuses a file that is no SQLite database.
func checkMagic(file string) error {
	const magic = "SQLite format 3\x00"
	f, err := os.Open(file)
	if err != nil {
		return store.Cannot("open", file, err)
	}
	defer f.Close()
	header := make([]byte, len(magic))
	if n, _ := f.Read(header); string(header[:n]) != magic {
		return fmt.Errorf("%s is not the first implementation's database: it is not an SQLite file", file)
	}
	return nil
}

const isUsed = "SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM vehicles) OR EXISTS (SELECT 1 FROM bookings)"

func errUsed(path string) error {
	return fmt.Errorf("%s has users already, whose ids others cannot have: name a new file with --db", path)
}

// store writes the rows refused to the file for them, and all others to the
// database at path.
func (g *source) store(ctx context.Context, path string, format store.Format) (err error) {
	stored := false
	if len(g.refused) > 0 {
		if err := g.writeRefused(); err != nil {
			return err
		}
		defer func() {
			if !stored {
				os.Remove(g.opts.Skip)
			}
		}()
	}
	stored, err = store.Populate(ctx, path, format, func(tx *store.Tx) error {
		var used bool
		if err := tx.QueryRow(isUsed).Scan(&used); err != nil {
			return err
		}
		if used {
			return errUsed(path)
		}
		return g.insert(ctx, tx)
	})
	return err
}

// insertUser gives the name's key to the first user that has it: a later one, whose
// name looks the same, is told apart by the exact name.
const insertUser = `
	INSERT INTO users (id, username, password_hash, created_at, name_key)
	VALUES (?1, ?2, ?3, ?4, (SELECT ?5 WHERE ?5 <> '' AND NOT EXISTS (SELECT 1 FROM users WHERE name_key = ?5)))`

func (g *source) insert(ctx context.Context, tx *store.Tx) error {
	put := func(row *row, query string, args ...any) error {
		err := ctx.Err()
		if err == nil {
			_, err = tx.Exec(query, args...)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", row, err)
		}
		return nil
	}
	for _, u := range g.users {
		if err := put(u.row, insertUser, u.id, u.name, u.hash, u.joined, db.NameKey(u.name)); err != nil {
			return err
		}
	}
	for _, v := range g.vehicles {
		if err := put(v.row, "INSERT INTO vehicles (id, user_id, make, model, year, plate, plate_key) VALUES (?, ?, ?, ?, ?, ?, ?)", v.id, v.owner, v.Make, v.Model, v.Year, v.Plate, db.PlateKey(v.Plate)); err != nil {
			return err
		}
	}
	for _, b := range g.bookings {
		if err := put(b.row, "INSERT INTO bookings (id, vehicle_id, start_date, end_date) VALUES (?, ?, ?, ?)", b.id, b.vehicle, b.start, b.end); err != nil {
			return err
		}
	}
	// Ids that were used there are not used again here.
	for table, id := range g.highest {
		if _, err := tx.Exec("INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)", table); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", id, table); err != nil {
			return err
		}
	}
	return nil
}

// writeRefused writes the rows that do not come over, whole, to a new file,
// readable by its owner only, and to the disk: before the others are stored, so
// that there is no moment at which a crash would lose any.
func (g *source) writeRefused() (err error) {
	path := g.opts.Skip
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return existsAlready(path)
	}
	if err != nil {
		return store.Cannot("create", path, err)
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(path)
			err = store.Cannot("write", path, err)
		}
	}()
	header := []string{"table", "why"}
	for _, t := range g.tables {
		for _, c := range t.columns {
			if !slices.Contains(header[2:], c) {
				header = append(header, c)
			}
		}
	}
	w := csv.NewWriter(f)
	_ = w.Write(header) // Error tells
	for _, r := range g.refused {
		line := []string{r.table.name, r.why}
		for _, c := range header[2:] {
			line = append(line, r.get(c))
		}
		_ = w.Write(line)
	}
	w.Flush()
	if err := errors.Join(w.Error(), f.Sync()); err != nil {
		return err
	}
	return store.SyncFolder(filepath.Dir(path))
}
