package store

import (
	"context"
	"database/sql"
	"errors"
)

// Tx runs queries: in the transaction of a Write or a Read, or, from Single, one query
// without a transaction. Only one goroutine may use it at a time.
type Tx struct {
	store   *Store
	ctx     context.Context
	prepare func(query string) (*sql.Stmt, error)
	single  bool
}

// Single returns a Tx for one query, which sees the newest committed state. Two queries
// may see different states; for several queries, use Read. The Tx cannot write.
func (s *Store) Single(ctx context.Context) *Tx {
	return &Tx{store: s, ctx: ctx, prepare: func(query string) (*sql.Stmt, error) { return s.stmt(ctx, query) }, single: true}
}

// Read runs fn on one snapshot of the database: all queries of fn see the same state.
// fn cannot write. An error of the disk, of another process or of a damaged file is an
// *Unavailable.
func (s *Store) Read(ctx context.Context, fn func(*Tx) error) error {
	snapshot, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return s.resultError(err)
	}
	defer snapshot.Rollback() // a read has nothing to commit
	err = fn(&Tx{store: s, ctx: ctx, prepare: func(query string) (*sql.Stmt, error) {
		st, err := s.stmt(ctx, query)
		if err != nil {
			return nil, err
		}
		return snapshot.StmtContext(ctx, st), nil
	}})
	if err != nil {
		return s.resultError(err)
	}
	return s.checkContents()
}

// stmt returns the statement for query on the reading connections. It prepares the
// statement at the first call.
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

// resultError returns err, or an *Unavailable if the file is the cause of err. If the
// file is damaged, resultError stores the error for Ready.
func (s *Store) resultError(err error) error {
	err = unavailable(err)
	var refusal *Unavailable
	if !errors.As(err, &refusal) {
		return err
	}
	if replaced := s.checkContents(); replaced != nil { // the likely cause of every other error
		return replaced
	}
	if refusal.damage {
		s.damaged.CompareAndSwap(nil, refusal)
	}
	return err
}

// resultError returns the error of a query that ended with err. A query of Single may
// succeed and still return an error here, if the file's contents have been replaced.
func (tx *Tx) resultError(err error) error {
	switch {
	case !tx.single: // Read and Write check the error
		return err
	case err != nil:
		return tx.store.resultError(err)
	}
	return tx.store.checkContents()
}

// Row is the result of QueryRow: a row, or an error.
type Row struct {
	tx  *Tx
	err error
	row *sql.Row
}

// Scan copies the row's columns to dest. It returns sql.ErrNoRows if there is no row.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.tx.resultError(r.err)
	}
	err := r.row.Scan(dest...)
	if !errors.Is(err, sql.ErrNoRows) {
		return r.tx.resultError(err)
	}
	if changed := r.tx.resultError(nil); changed != nil {
		return changed
	}
	return err
}

// QueryRow runs a query that returns at most one row. Scan returns its error.
func (tx *Tx) QueryRow(query string, args ...any) Row {
	st, err := tx.prepare(query)
	if err != nil {
		return Row{tx: tx, err: err}
	}
	return Row{tx: tx, row: st.QueryRowContext(tx.ctx, args...)}
}

// List returns the rows of a query. It calls scan for each row, with the row's Scan
// method. If there are no rows, List returns an empty slice, not nil.
func List[T any](tx *Tx, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	st, err := tx.prepare(query)
	if err != nil {
		return nil, tx.resultError(err)
	}
	rows, err := st.QueryContext(tx.ctx, args...)
	if err != nil {
		return nil, tx.resultError(err)
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, tx.resultError(err)
		}
		all = append(all, v)
	}
	return all, tx.resultError(rows.Err())
}

// Exec runs a statement that returns no rows.
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	st, err := tx.prepare(query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(tx.ctx, args...)
}

// ExecOne runs a statement that must change a row. If it changes none, ExecOne returns
// missing.
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
