// Package django imports the database of the first implementation of this API, which was
// written in Django.
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
	Zone     *time.Location // the time zone in which times are converted to days
	SkipFile string         // the name of a new CSV file for the rows that cannot be imported; if empty, such rows stop the import
	DryRun   bool           // return the report and write nothing

	// UsernameProblem returns a sentence if no new user can have that name, and "" if
	// one can; see auth.UsernameProblem. Import keeps such names and notes them in the
	// report.
	UsernameProblem func(name string) string

	// CanVerify reports whether onenow can compare a password with that hash. If it
	// cannot, the user gets the hash Locked instead.
	CanVerify func(hash string) bool
	Locked    string
}

// Report describes what Import imports from a file, and what it does not.
type Report struct {
	Users, Vehicles, Bookings int // the numbers of imported rows

	Locked int // the number of users who cannot sign in
	Hours  int // the number of bookings that lose their time of day
	Longer int // the number of bookings that get one day longer, see days

	Clashes  []fmt.Stringer // pairs of bookings that overlap, with all their columns
	Rejected []string       // rows that cannot be imported for another reason, with all their columns
	Skipped  int            // the number of all rows that cannot be imported
	Notes    []string       // other differences between a row and the imported row
}

// ErrRejected is returned with the report if some rows cannot be imported and
// Options.SkipFile is empty.
var ErrRejected = errors.New("some rows cannot be imported")

// Import copies the users, vehicles and bookings of file, the first implementation's
// database, to the database at path. It creates the database with schema if it does not
// exist; an existing one must have no rows yet. The rows keep their ids. Import writes all
// rows in one transaction: after an error, none of them is stored.
//
// Of two bookings that overlap, Import keeps the one with the lower id, which was made
// first.
func Import(ctx context.Context, file, path, schema string, o Options) (Report, error) {
	format := db.Format(schema)
	if err := checkFiles(ctx, file, path, format, o.SkipFile); err != nil {
		return Report{}, err
	}
	g, err := readFile(ctx, file, o)
	switch {
	case ctx.Err() != nil:
		return Report{}, ctx.Err()
	case err != nil:
		return Report{}, err
	case len(g.rejected) > 0 && o.SkipFile == "":
		return g.report, ErrRejected
	case o.DryRun:
		return g.report, nil
	}
	return g.report, g.store(ctx, path, format)
}

// checkFiles returns an error for a file that Import cannot read or must not write. It
// changes no file.
func checkFiles(ctx context.Context, file, path string, format store.Format, skipFile string) error {
	source, err := os.Stat(file)
	if err != nil {
		return store.Cannot("open", file, err)
	}
	if source.IsDir() {
		return store.Cannot("open", file, syscall.EISDIR)
	}
	if !source.Mode().IsRegular() {
		return fmt.Errorf("%s is not the first implementation's database: it is not a regular file", file)
	}
	if err := checkMagic(file); err != nil {
		return err
	}
	real, err := store.Resolve(path)
	if err != nil {
		return err
	}
	if err := checkSkipFile(skipFile, real, file); err != nil {
		return err
	}
	if target, err := os.Stat(real); err == nil && os.SameFile(source, target) {
		return fmt.Errorf("%s is the file to import and cannot be the new database: name another file with --db", path)
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

// checkSkipFile returns an error if the file already exists, or if it has the name of one
// of the databases or of its -wal, -shm or -journal file.
func checkSkipFile(skipFile string, databases ...string) error {
	if skipFile == "" {
		return nil
	}
	if _, err := os.Lstat(skipFile); err == nil {
		return errExists(skipFile)
	}
	dir, err := store.RealPath(filepath.Dir(skipFile))
	if err != nil {
		return store.Cannot("create", skipFile, err)
	}
	for _, path := range databases {
		real, err := store.Resolve(path)
		if err != nil {
			return err
		}
		for _, ending := range []string{"", "-wal", "-shm", "-journal"} {
			if filepath.Join(dir, filepath.Base(skipFile)) == real+ending {
				return fmt.Errorf("%s is the name of a database or of a part of one, and cannot be the file for the rows that are not imported: name another file with --skip-conflicts", skipFile)
			}
		}
	}
	return nil
}

func errExists(path string) error {
	return fmt.Errorf("%s already exists: name another file", path)
}

// checkMagic returns an error for a file that is not an SQLite database.
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
	return fmt.Errorf("%s already has users, and an import needs a database without users: name a new file with --db", path)
}

// store writes the rejected rows to the skip file, and all other rows to the database at
// path.
func (g *source) store(ctx context.Context, path string, format store.Format) (err error) {
	stored := false
	if len(g.rejected) > 0 {
		if err := g.writeRejected(); err != nil {
			return err
		}
		defer func() {
			if !stored {
				os.Remove(g.opts.SkipFile)
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

// insertUser stores the NameKey of the name, unless an earlier user already has it: then
// name_key is NULL, and only the exact name finds the user.
const insertUser = `
	INSERT INTO users (id, username, password_hash, created_at, name_key)
	VALUES (?1, ?2, ?3, ?4, (SELECT ?5 WHERE ?5 <> '' AND NOT EXISTS (SELECT 1 FROM users WHERE name_key = ?5)))`

// insert writes the users, vehicles and bookings in tx.
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
	// The ids of deleted rows are never used again.
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

// writeRejected writes all columns of the rejected rows to a new CSV file, readable by its
// owner only, and syncs it to disk. It must be called before the other rows are stored, so
// that a crash between the two loses no row.
func (g *source) writeRejected() (err error) {
	path := g.opts.SkipFile
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return errExists(path)
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
	_ = w.Write(header) // w.Error returns the error below
	for _, r := range g.rejected {
		line := []string{r.table.name, r.reason}
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
