package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Certificate returns what is kept under that name, or ErrNotFound.
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

// PutCertificate keeps data under that name, in place of what was there.
func (d *DB) PutCertificate(ctx context.Context, name string, data []byte) error {
	return d.write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("INSERT OR REPLACE INTO certificates (name, data, updated_at) VALUES (?, ?, ?)", name, data, tx.now.Unix())
		return err
	})
}

// DeleteCertificate forgets what is kept under that name, if anything.
func (d *DB) DeleteCertificate(ctx context.Context, name string) error {
	return d.write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("DELETE FROM certificates WHERE name = ?", name)
		return err
	})
}
