package store_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"onenow/db/dbtest"
	"onenow/db/store"
)

// TestSnapshotWhileWritten copies a file while another connection writes to it, in each
// journal mode of SQLite. WithSnapshot either copies a state between two transactions or
// returns an error.
func TestSnapshotWhileWritten(t *testing.T) {
	for _, mode := range []string{"DELETE", "TRUNCATE", "PERSIST", "WAL"} {
		path := filepath.Join(t.TempDir(), "x.db")
		dbtest.Exec(t, path, "PRAGMA journal_mode = "+mode+`;
			CREATE TABLE a (n INTEGER, pad TEXT);
			CREATE TABLE b (n INTEGER, pad TEXT);`)
		shell, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		shell.SetMaxOpenConns(1)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			defer shell.Close()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := shell.Exec(`
					PRAGMA synchronous = OFF; PRAGMA journal_mode = ` + mode + `; PRAGMA wal_autocheckpoint = 20;
					BEGIN; INSERT INTO a VALUES (1, hex(randomblob(20000))); INSERT INTO b VALUES (1, hex(randomblob(20000))); COMMIT`)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Duration(i%8) * time.Millisecond)
			}
		}()
		copies, refusals := 0, 0
		for range 60 {
			err := store.WithSnapshot(t.Context(), path, func(pool *sql.DB) error {
				var sound string
				var a, b int
				if err := pool.QueryRow("PRAGMA integrity_check").Scan(&sound); err != nil {
					return err
				}
				if err := pool.QueryRow("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)").Scan(&a, &b); err != nil {
					return err
				}
				if sound != "ok" || a != b {
					t.Errorf("%s: got a copy that is %s, with %d and %d rows", mode, sound, a, b)
				}
				return nil
			})
			if err == nil {
				copies++
			} else if strings.Contains(err.Error(), "is being written to") {
				refusals++
			} else {
				t.Errorf("%s: %v", mode, err)
			}
		}
		close(stop)
		<-stopped
		t.Logf("%s: %d copies, %d refusals", mode, copies, refusals)
		if copies == 0 {
			t.Errorf("%s: got no copy", mode)
		}
	}
}
