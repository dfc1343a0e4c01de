package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Certificate returns the data stored under a name, or ErrNotFound.
func (d *DB) Certificate(ctx context.Context, name string) ([]byte, error) {
	var data []byte
	err := d.single(ctx).QueryRow("SELECT data FROM certificates WHERE name = ?", name).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound("Certificate")
	}
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return data, nil
}

// PutCertificate stores data under a name, and replaces the data stored there before.
func (d *DB) PutCertificate(ctx context.Context, name string, data []byte) error {
	return d.write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("INSERT OR REPLACE INTO certificates (name, data, updated_at) VALUES (?, ?, ?)", name, data, tx.now.Unix())
		return err
	})
}

// DeleteCertificate deletes the data stored under a name. It returns no error if there
// is none.
func (d *DB) DeleteCertificate(ctx context.Context, name string) error {
	return d.write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("DELETE FROM certificates WHERE name = ?", name)
		return err
	})
}
