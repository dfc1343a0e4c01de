package db

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
)

// ImportOptions are how ImportDjango is to go about it.
type ImportOptions struct {
	Zone   *time.Location // whose days the bookings' times are turned into
	Skip   string         // a new file for the rows that cannot come over; without one, nothing does then
	DryRun bool           // write nothing

	// What users may be called, as auth.UsernameProblem says it; who has another
	// name keeps it.
	UsernameProblem func(name string) string

	// CanVerify reports whether a password can be compared with that hash. A
	// user of whom it cannot gets Locked for theirs.
	CanVerify func(hash string) bool
	Locked    string
}

// Import is what ImportDjango finds in a file.
type Import struct {
	Users, Vehicles, Bookings int // that come over

	Locked int // users who cannot sign in
	Hours  int // bookings that lose their hours
	Longer int // bookings that keep the car until the day after they end there

	Clashes []fmt.Stringer // two bookings that overlap, each, whole
	Refused []string       // rows that cannot come over for another reason, whole
	Left    int            // how many rows do not come over, for either reason
	Notes   []string       // what else is not as it was
}

// ErrLeft is returned with what was found when there are rows that cannot come
// over, and nowhere to put them.
var ErrLeft = errors.New("not all rows can come over")

// ImportDjango brings the users, vehicles and bookings of the first
// implementation's database over to the one at path, which is created with
// schema if there is none, and may have none of its own. They keep their ids. It
// brings all that can come over or nothing, in one transaction.
//
// Of two bookings that overlap, the one with the lower id was there first.
func ImportDjango(ctx context.Context, file, path, schema string, o ImportOptions) (Import, error) {
	if err := checkFiles(ctx, file, path, o.Skip); err != nil {
		return Import{}, err
	}
	g, err := readDjango(ctx, file, o)
	switch {
	case ctx.Err() != nil:
		return Import{}, ctx.Err()
	case err != nil:
		return Import{}, err
	case len(g.refused) > 0 && o.Skip == "":
		return g.report, ErrLeft
	case o.DryRun:
		return g.report, nil
	}
	return g.report, g.store(ctx, path, schema)
}

// checkFiles refuses what ImportDjango cannot read from or write to, without
// touching it.
func checkFiles(ctx context.Context, file, path, skip string) error {
	source, err := os.Stat(file)
	if err != nil {
		return cannot("open", file, err)
	}
	if source.IsDir() {
		return cannot("open", file, syscall.EISDIR)
	}
	if !source.Mode().IsRegular() {
		return fmt.Errorf("%s is not the first implementation's database: it is no regular file", file)
	}
	if err := checkMagic(file); err != nil {
		return err
	}
	real, err := resolve(path)
	if err != nil {
		return err
	}
	if err := checkSkip(skip, real, file); err != nil {
		return err
	}
	if target, err := os.Stat(real); err == nil && os.SameFile(source, target) {
		return fmt.Errorf("%s is to be read and cannot be written to as well: name another file with --db", path)
	}
	if missing, _, err := isMissing(real); err != nil || missing {
		return err
	}
	return checkUnused(ctx, path)
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
	dir, err := realPath(filepath.Dir(skip))
	if err != nil {
		return cannot("create", skip, err)
	}
	for _, path := range databases {
		real, err := resolve(path)
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
		return cannot("open", file, err)
	}
	defer f.Close()
	header := make([]byte, len(magic))
	if n, _ := f.Read(header); string(header[:n]) != magic {
		return fmt.Errorf("%s is not the first implementation's database: it is not an SQLite file", file)
	}
	return nil
}

// checkUnused refuses a database that is being served or has data, of which it
// looks at a copy.
func checkUnused(ctx context.Context, path string) error {
	f, err := openFile(path, os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close() // which unlocks it
	if err := lockToServe(f, path); err != nil {
		return err
	}
	return withSnapshot(ctx, path, func(pool *sql.DB) error {
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

const isUsed = "SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM vehicles) OR EXISTS (SELECT 1 FROM bookings)"

func errUsed(path string) error {
	return fmt.Errorf("%s has users already, whose ids others cannot have: name a new file with --db", path)
}

// store writes the rows refused to the file for them, and all others to the
// database at path.
func (g *django) store(ctx context.Context, path, schema string) (err error) {
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
	real, err := resolve(path)
	if err != nil {
		return err
	}
	stored, err = createFile(ctx, real, schema, func(tmp string) error {
		if _, err := g.insertInto(ctx, tmp, schema); err != nil {
			return err
		}
		if log, err := os.Stat(tmp + "-wal"); err == nil && log.Size() > 0 {
			return errLogStays // somebody looks at it, before it has its name
		}
		return nil
	})
	if err != nil || stored {
		return err
	}
	stored, err = g.insertInto(ctx, path, schema)
	return err
}

// insertInto writes all rows to the database file at path, or none, and reports
// which. It does not to one that is being served: others' writes would wait for
// too long.
func (g *django) insertInto(ctx context.Context, path, schema string) (stored bool, err error) {
	d, err := Open(ctx, path, schema, Options{Serve: true, MustExist: true})
	if err != nil {
		return false, err
	}
	err = d.write(ctx, func(tx *Tx) error {
		var used bool
		if err := tx.queryRow(isUsed).Scan(&used); err != nil {
			return err
		}
		if used {
			return errUsed(path)
		}
		return g.insert(ctx, tx)
	})
	return err == nil, errors.Join(err, d.Close())
}

func (g *django) insert(ctx context.Context, tx *Tx) error {
	put := func(row *djangoRow, query string, args ...any) error {
		err := ctx.Err()
		if err == nil {
			_, err = tx.exec(query, args...)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", row, err)
		}
		return nil
	}
	for _, u := range g.users {
		if err := put(u.djangoRow, "INSERT INTO users (id, username, password_hash, created_at) VALUES (?, ?, ?, ?)", u.id, u.name, u.hash, u.joined); err != nil {
			return err
		}
	}
	for _, v := range g.vehicles {
		if err := put(v.djangoRow, "INSERT INTO vehicles (id, user_id, make, model, year, plate) VALUES (?, ?, ?, ?, ?, ?)", v.id, v.owner, v.Make, v.Model, v.Year, v.Plate); err != nil {
			return err
		}
	}
	for _, b := range g.bookings {
		if err := put(b.djangoRow, "INSERT INTO bookings (id, vehicle_id, start_date, end_date) VALUES (?, ?, ?, ?)", b.id, b.vehicle, b.start, b.end); err != nil {
			return err
		}
	}
	// Ids that were used there are not used again here.
	for table, id := range g.highest {
		if _, err := tx.exec("INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)", table); err != nil {
			return err
		}
		if _, err := tx.exec("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", id, table); err != nil {
			return err
		}
	}
	return nil
}

// writeRefused writes the rows that do not come over, whole, to a new file,
// readable by its owner only, and to the disk: before the others are stored, so
// that there is no moment at which a crash would lose any.
func (g *django) writeRefused() (err error) {
	path := g.opts.Skip
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return existsAlready(path)
	}
	if err != nil {
		return cannot("create", path, err)
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(path)
			err = cannot("write", path, err)
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
	return syncFolder(filepath.Dir(path))
}
