package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
)

// Step upgrades the schema and its rows from one version to the next, in the
// transaction tx. It logs each row that it has to change or to move.
type Step func(ctx context.Context, tx *sql.Tx, log *slog.Logger) error

// Migration holds the schema's version before and after Open. From is 0 if Open
// created the file, and From equals To if Open changed nothing.
type Migration struct{ From, To int }

// migrate upgrades the schema to the newest version, on the writing connection. It
// first writes a backup of the file next to it.
func (s *Store) migrate(ctx context.Context, created bool, opts Options) (Migration, error) {
	m := Migration{To: s.format.Version()}
	if created {
		return m, nil
	}
	s.writer.mu.Lock() // the checkpointer uses this connection, too
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
	if !opts.Serve { // with Serve, Open has taken the lock
		if lockFile(s.file) != nil {
			return m, fmt.Errorf("%s has the older version %d and is being served or upgraded by another onenow: stop that onenow first", s.path, m.From)
		}
		defer unlockFile(s.file)
		if m.From, err = s.version(ctx); err != nil { // another process may have upgraded the file before the lock
			return m, err
		}
	}
	backup := fmt.Sprintf("%s.v%d.bak", s.path, m.From)
	if err := s.writeCopy(ctx, conn, backup, true, nil); err != nil {
		return m, fmt.Errorf("back up %s before the upgrade: %w", s.path, err)
	}
	s.log.Info("upgrading the database", "from", m.From, "to", m.To, "backup", backup)
	for v := m.From; v < m.To; v++ {
		if err := s.step(ctx, conn, v); err != nil {
			return m, fmt.Errorf("upgrade %s from version %d to %d: %w", s.path, v, v+1, unavailable(err))
		}
	}
	return m, nil
}

// version returns the schema's version. It returns an error for a version that this
// onenow does not know.
func (s *Store) version(ctx context.Context) (int, error) {
	var v int
	if err := s.writer.conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
		return 0, fmt.Errorf("open %s: %w", s.path, unavailable(err))
	}
	return v, s.format.checkVersion(s.path, v)
}

// checkVersion returns an error for a version that this onenow does not know.
func (f Format) checkVersion(path string, v int) error {
	switch {
	case v > f.Version():
		return fmt.Errorf("%s has version %d, from a newer onenow; this onenow knows versions up to %d: use the newer onenow",
			path, v, f.Version())
	case v < 1:
		return fmt.Errorf("%s is not a onenow database: it has no version", path)
	}
	return nil
}

// step upgrades the schema from version v to version v+1. After an error, the file is
// unchanged. Foreign keys are off during the step and checked at its end: a step that
// replaces a table drops the old one, and with foreign keys on, SQLite would delete the
// rows that refer to it. See https://sqlite.org/lang_altertable.html#otheralter
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
	defer tx.Rollback() // has no effect after the commit
	if err := s.format.Migrations[v-1](ctx, tx, s.log); err != nil {
		return err
	}
	var broken int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM pragma_foreign_key_check").Scan(&broken); err != nil {
		return err
	}
	if broken > 0 {
		return fmt.Errorf("%d rows would refer to rows that do not exist", broken)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", v+1)); err != nil {
		return err
	}
	return tx.Commit()
}
