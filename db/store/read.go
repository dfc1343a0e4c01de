package store

import (
	"context"
	"database/sql"
	"errors"
)

// Tx is what queries run in: the transaction of a Write or a Read, or, from
// Single, nothing. It is for one goroutine.
type Tx struct {
	store   *Store
	ctx     context.Context
	prepare func(query string) (*sql.Stmt, error)
	single  bool
}

// Single returns a Tx for one query, which sees the newest committed state.
// Several queries may each see another one: use Read for those. It cannot write.
func (s *Store) Single(ctx context.Context) *Tx {
	return &Tx{store: s, ctx: ctx, prepare: func(query string) (*sql.Stmt, error) { return s.stmt(ctx, query) }, single: true}
}

// Read runs fn on one snapshot of the database: all its queries see the same
// state. It cannot write.
func (s *Store) Read(ctx context.Context, fn func(*Tx) error) error {
	snapshot, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return s.outcome(err)
	}
	defer snapshot.Rollback() // it has nothing to commit
	err = fn(&Tx{store: s, ctx: ctx, prepare: func(query string) (*sql.Stmt, error) {
		st, err := s.stmt(ctx, query)
		if err != nil {
			return nil, err
		}
		return snapshot.StmtContext(ctx, st), nil
	}})
	if err != nil {
		return s.outcome(err)
	}
	return s.checkContents()
}

// stmt returns the reading statement for query, prepared at its first use.
func (s *Store) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := s.stmts.Load(query); ok {
		return st.(*sql.Stmt), nil
	}
	st, err := s.reads.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, loaded := s.stmts.LoadOrStore(query, st); loaded {
		st.Close()
		return first.(*sql.Stmt), nil
	}
	return st, nil
}

// outcome returns err as an *Unavailable if the file is the reason for it, and keeps
// damage in mind.
func (s *Store) outcome(err error) error {
	err = unavailable(err)
	var refusal *Unavailable
	if !errors.As(err, &refusal) {
		return err
	}
	if lost := s.checkContents(); lost != nil { // which explains every other failure
		return lost
	}
	if refusal.damage {
		s.damaged.CompareAndSwap(nil, refusal)
	}
	return err
}

// done returns what a query of tx ended with.
func (tx *Tx) done(err error) error {
	switch {
	case !tx.single: // Read and Write look at it
		return err
	case err != nil:
		return tx.store.outcome(err)
	}
	return tx.store.checkContents()
}

// Row is the one row of a query, or the error that kept it from running.
type Row struct {
	tx  *Tx
	err error
	row *sql.Row
}

// Scan copies the row's columns. It returns sql.ErrNoRows if there is no row.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.tx.done(r.err)
	}
	err := r.row.Scan(dest...)
	if !errors.Is(err, sql.ErrNoRows) {
		return r.tx.done(err)
	}
	if changed := r.tx.done(nil); changed != nil {
		return changed
	}
	return err
}

// QueryRow reads one row.
func (tx *Tx) QueryRow(query string, args ...any) Row {
	st, err := tx.prepare(query)
	if err != nil {
		return Row{tx: tx, err: err}
	}
	return Row{tx: tx, row: st.QueryRowContext(tx.ctx, args...)}
}

// List reads all rows of a query, each through scan, which is given the row's
// Scan. It returns an empty list, not nil, if there are none.
func List[T any](tx *Tx, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	st, err := tx.prepare(query)
	if err != nil {
		return nil, tx.done(err)
	}
	rows, err := st.QueryContext(tx.ctx, args...)
	if err != nil {
		return nil, tx.done(err)
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, tx.done(err)
		}
		all = append(all, v)
	}
	return all, tx.done(rows.Err())
}

// Exec runs a statement that returns no rows.
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	st, err := tx.prepare(query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(tx.ctx, args...)
}

// ExecOne runs a statement that is to change one row, and returns missing
// if it changed none.
func (tx *Tx) ExecOne(missing error, query string, args ...any) error {
	res, err := tx.Exec(query, args...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, missing)
	}
	return nil
}

// Insert runs an INSERT and returns the new row's id.
func (tx *Tx) Insert(query string, args ...any) (int64, error) {
	res, err := tx.Exec(query, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}
