package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
)

// Step changes the schema of one version, and the rows to fit, to the next, within
// a transaction. The log takes what became of rows that could not stay as they were.
type Step func(ctx context.Context, tx *sql.Tx, log *slog.Logger) error

// Migration says what Open did to the schema: From is 0 when it created the
// file, and From equals To when there was nothing to do.
type Migration struct{ From, To int }

// migrate brings the schema up to date, through the writing connection. A copy
// of the file as it was is put beside it first.
func (s *Store) migrate(ctx context.Context, created bool, opts Options) (Migration, error) {
	m := Migration{To: s.format.Version()}
	if created {
		return m, nil
	}
	s.writer.mu.Lock() // the connection is not only ours
	defer s.writer.mu.Unlock()
	s.checkpointer.beforeWrite()
	defer s.checkpointer.afterWrite()
	conn := s.writer.conn
	var err error
	if m.From, err = s.version(ctx); err != nil {
		return m, err
	}
	if m.From == m.To || opts.KeepVersion {
		return Migration{m.From, m.From}, nil
	}
	if !opts.Serve { // who serves has the lock already
		if lockFile(s.file) != nil {
			return m, fmt.Errorf("%s is of version %d and being served, or brought up to date, by another onenow: stop that one first", s.path, m.From)
		}
		defer unlockFile(s.file)
		if m.From, err = s.version(ctx); err != nil { // somebody may have been faster
			return m, err
		}
	}
	before := fmt.Sprintf("%s.v%d.bak", s.path, m.From)
	if err := s.writeCopy(ctx, conn, before, true, nil); err != nil {
		return m, fmt.Errorf("copy %s before bringing it up to date: %w", s.path, err)
	}
	s.log.Info("bringing the database up to date", "from", m.From, "to", m.To, "copy of the old one", before)
	for v := m.From; v < m.To; v++ {
		if err := s.step(ctx, conn, v); err != nil {
			return m, fmt.Errorf("bring %s from version %d to %d: %w", s.path, v, v+1, unavailable(err))
		}
	}
	return m, nil
}

// version reads the schema's version, which is one that this onenow knows.
func (s *Store) version(ctx context.Context) (int, error) {
	var v int
	if err := s.writer.conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
		return 0, fmt.Errorf("open %s: %w", s.path, unavailable(err))
	}
	return v, s.format.checkVersion(s.path, v)
}

// checkVersion refuses versions that this onenow does not know.
func (f Format) checkVersion(path string, v int) error {
	switch {
	case v > f.Version():
		return fmt.Errorf("%s is of version %d, from a newer onenow; this one knows version %d at most: use the newer onenow",
			path, v, f.Version())
	case v < 1:
		return fmt.Errorf("%s is not a onenow database: it has no version", path)
	}
	return nil
}

// step brings the schema from version v to the next, or leaves it as it was.
// References are checked at its end and not on the way: a step that replaces a
// table drops the old one, and SQLite would delete the rows that refer to it.
// https://sqlite.org/lang_altertable.html#otheralter
func (s *Store) step(ctx context.Context, conn *sql.Conn, v int) (err error) {
	if _, err := conn.ExecContext(ctx, "PRAGMA foreign_keys = 0"); err != nil { // does nothing in a transaction
		return err
	}
	defer func() {
		_, e := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA foreign_keys = 1")
		err = errors.Join(err, e)
	}()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing once committed
	if err := s.format.Migrations[v-1](ctx, tx, s.log); err != nil {
		return err
	}
	var broken int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM pragma_foreign_key_check").Scan(&broken); err != nil {
		return err
	}
	if broken > 0 {
		return fmt.Errorf("%d rows would refer to nothing", broken)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", v+1)); err != nil {
		return err
	}
	return tx.Commit()
}
