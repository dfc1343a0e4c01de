package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"onenow/db"
	"onenow/db/dbtest"
	"onenow/db/store"
)

// TestGroupCommit holds a transaction open while other writes wait for the next one.
// Some of these writes fail, one panics and one is cancelled; all others are stored.
func TestGroupCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "onenow.db")
	d := dbtest.OpenStore(t, path)
	insert := func(name string) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			_, err := tx.Exec("INSERT INTO users (username, password_hash, created_at) VALUES (?, 'x', 0)", name)
			return err
		}
	}
	refused := errors.New("refused")
	begun, release := make(chan bool), make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		err := d.Write(t.Context(), func(tx *store.Tx) error {
			close(begun)
			<-release
			return insert("first")(tx)
		})
		if err != nil {
			t.Errorf("first: %v", err)
		}
	})
	<-begun
	for i := range 20 {
		wg.Go(func() {
			if err := d.Write(t.Context(), insert(fmt.Sprint("user", i))); err != nil {
				t.Errorf("user%d: %v", i, err)
			}
		})
		wg.Go(func() {
			err := d.Write(t.Context(), func(tx *store.Tx) error { return errors.Join(insert(fmt.Sprint("no", i))(tx), refused) })
			if !errors.Is(err, refused) {
				t.Errorf("got %v, want %v", err, refused)
			}
		})
	}
	wg.Go(func() {
		defer func() {
			if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "oh no") {
				t.Errorf("got panic %v, want oh no", v)
			}
		}()
		_ = d.Write(t.Context(), func(tx *store.Tx) error {
			_ = insert("panic")(tx)
			panic("oh no")
		})
	})
	gone, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		if err := d.Write(gone, insert("gone")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	})
	cancel()
	close(release)
	wg.Wait()
	if got := dbtest.Count(t, path, "users"); got != 21 {
		t.Errorf("got %d users, want 21", got)
	}
	if got := dbtest.Count(t, path, "users WHERE username LIKE 'user%' OR username = 'first'"); got != 21 {
		t.Errorf("got %d of the right users, want 21", got)
	}
}

// TestBusy writes while another program holds the write lock. The waiting writes fail
// together after one timeout, and a later write is stored.
func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "onenow.db")
	d := dbtest.Open(t, path)
	release := dbtest.Lock(t, path)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range 8 {
		wg.Go(func() {
			_, err := d.CreateUser(t.Context(), fmt.Sprint("user", i), "x")
			var refusal *store.Unavailable
			if !errors.As(err, &refusal) || refusal.Code != "storage_busy" {
				t.Errorf("got %v, want storage_busy", err)
			}
		})
	}
	wg.Wait()
	t.Logf("8 writes waited %v in all", time.Since(start))
	release()
	if _, err := d.CreateUser(t.Context(), "late", "x"); err != nil {
		t.Error(err)
	}
}

// TestReadersDoNotWait reads during a write and sees the state before the write.
func TestReadersDoNotWait(t *testing.T) {
	s := dbtest.OpenStore(t, filepath.Join(t.TempDir(), "onenow.db"))
	d := db.New(s)
	if _, err := d.CreateUser(t.Context(), "shop", "old"); err != nil {
		t.Fatal(err)
	}
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Exec("UPDATE users SET password_hash = 'new'"); err != nil {
			return err
		}
		u, err := d.UserByName(t.Context(), "shop")
		if u.PasswordHash != "old" {
			t.Errorf("got %q from within a write, want the state before it", u.PasswordHash)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if u, err := d.UserByName(t.Context(), "shop"); err != nil || u.PasswordHash != "new" {
		t.Errorf("got %q, %v after the write, want the new state", u.PasswordHash, err)
	}
}

// TestWritesAfterClose writes after Close and gets ErrClosed.
func TestWritesAfterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "onenow.db")
	s := dbtest.MustOpen(t, path, store.Options{})
	d := db.New(s)
	if _, err := d.CreateUser(t.Context(), "shop", "x"); err != nil {
		t.Fatal(err)
	}
	dbtest.MustClose(t, s)
	if _, err := d.CreateUser(t.Context(), "late", "x"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("got %v, want %v", err, store.ErrClosed)
	}
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(names) != 1 {
		t.Errorf("got files %v, %v, want the database alone", names, err)
	}
}

// TestFileNames opens databases whose names have special characters.
func TestFileNames(t *testing.T) {
	for _, name := range []string{"a b.db", "a?b=c&mode=ro.db", "a%20b#c.db", "ش.db", "no-ending"} {
		path := filepath.Join(t.TempDir(), name)
		d := dbtest.Open(t, path)
		if _, err := d.CreateUser(t.Context(), "shop", "x"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want a file of mode 0600", name, info, err)
		}
	}
}

// TestRevisionAfterClose calls Revision after Close, as a request may do while the
// server stops.
func TestRevisionAfterClose(t *testing.T) {
	s := dbtest.MustOpen(t, filepath.Join(t.TempDir(), "onenow.db"), store.Options{})
	dbtest.MustClose(t, s)
	s.Revision()
}
