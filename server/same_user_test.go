package server

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"onenow/auth"
	"onenow/db"
	"onenow/db/dbtest"
)

// sameUser is a server with one user, for whom clients send several requests at once.
type sameUser struct {
	*testing.T
	*Server
	path string
}

func newSameUser(t *testing.T, hash string) *sameUser {
	t.Helper()
	path := filepath.Join(t.TempDir(), "onenow.db")
	d := dbtest.Open(t, path)
	if _, err := d.CreateUser(t.Context(), "shop", hash); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Config{DB: d})
	if err != nil {
		t.Fatal(err)
	}
	return &sameUser{t, s, path}
}

func (s *sameUser) post(path, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

const (
	rightLogin = `{"username":"shop","password":"pass123"}`
	oldWrong   = `{"old_password":["Your old password was entered incorrectly. Please enter it again."]}`
)

// accessToken signs the user in.
func (s *sameUser) accessToken() string {
	s.Helper()
	w := s.post("/login/", "", rightLogin)
	_, rest, _ := strings.Cut(w.Body.String(), `{"access":"`)
	token, _, ok := strings.Cut(rest, `"`)
	if !ok {
		s.Fatalf("got %d %s", w.Code, w.Body)
	}
	return token
}

// atOnce sends n requests that all wait for the user's lock, and then lets them
// go on. It returns the number of times that each answer came.
func (s *sameUser) atOnce(n int, post func() *httptest.ResponseRecorder) map[string]int {
	s.Helper()
	unlock, err := s.guard.Lock(s.Context(), "shop")
	if err != nil {
		s.Fatal(err)
	}
	answers := map[string]int{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			w := post()
			mu.Lock()
			defer mu.Unlock()
			if w.Code == 200 {
				answers["200"]++
			} else {
				answers[w.Body.String()]++
			}
		})
	}
	time.Sleep(300 * time.Millisecond) // for all of them to arrive
	unlock()
	group.Wait()
	return answers
}

// TestSameUserSignsInAtOnce lets an imported user sign in several times at once:
// the first sign-in replaces the hash, and the others use the new one.
func TestSameUserSignsInAtOnce(t *testing.T) {
	s := newSameUser(t, dbtest.DjangoHash(t, "pass123", 1000))
	got := s.atOnce(6, func() *httptest.ResponseRecorder { return s.post("/login/", "", rightLogin) })
	if got["200"] != 6 {
		t.Errorf("got %v, want six 200", got)
	}
}

// TestSamePasswordIsChangedAtOnce lets several requests replace one password: one of
// them succeeds, and for the others the old password is wrong.
func TestSamePasswordIsChangedAtOnce(t *testing.T) {
	s := newSameUser(t, auth.Hash("pass123"))
	token := s.accessToken()
	got := s.atOnce(4, func() *httptest.ResponseRecorder {
		return s.post("/password/change/", token, `{"old_password":"pass123","new_password":"new"}`)
	})
	if got["200"] != 1 || got[oldWrong] != 3 {
		t.Errorf("got %v, want one 200 and three 400", got)
	}
}

// TestHashReplacedElsewhere lets another process replace the user's hash after a
// request has read it, and before the request verifies its password.
func TestHashReplacedElsewhere(t *testing.T) {
	const change = `{"old_password":"pass123","new_password":"new"}`
	for name, c := range map[string]struct {
		path, body, password string // the password of the other process's hash
		status               int
		want                 string // "" for any
	}{
		"sign-in, the same password":  {"/login/", rightLogin, "pass123", 200, ""},
		"sign-in, another password":   {"/login/", rightLogin, "other", 401, `{"detail":"No active account found with the given credentials"}`},
		"change, the same password":   {"/password/change/", change, "pass123", 200, `{"message":"Password changed successfully."}`},
		"change, to another password": {"/password/change/", change, "other", 400, oldWrong},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSameUser(t, auth.Hash("pass123"))
			token := s.accessToken()
			hash := auth.Hash(c.password)
			var turns []func() // all of them
			for range runtime.GOMAXPROCS(0) {
				done, err := s.turns.Take(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				turns = append(turns, done)
			}
			time.AfterFunc(300*time.Millisecond, func() { // the request waits for its turn
				dbtest.Exec(t, s.path, "UPDATE users SET password_hash = '"+hash+"'")
				for _, done := range turns {
					done()
				}
			})
			if w := s.post(c.path, token, c.body); w.Code != c.status || c.want != "" && w.Body.String() != c.want {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, c.status, c.want)
			}
		})
	}
}

// TestAlwaysReplaced checks that the server gives up if another process never stops
// replacing the hash.
func TestAlwaysReplaced(t *testing.T) {
	tries := 0
	err := retryChanged(func() error { tries++; return &db.Error{Kind: db.ErrConflict} })
	if !errors.Is(err, db.ErrConflict) || tries != 3 {
		t.Errorf("got %v after %d tries, want a conflict after 3", err, tries)
	}
}

// TestClientLeavesTheQueue lets a client go away while it waits for the sign-in of another
// client.
func TestClientLeavesTheQueue(t *testing.T) {
	s := newSameUser(t, auth.Hash("pass123"))
	unlock, err := s.guard.Lock(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	r := httptest.NewRequestWithContext(ctx, "POST", "/login/", strings.NewReader(rightLogin))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	answered := make(chan struct{})
	go func() { s.ServeHTTP(w, r); close(answered) }()
	select {
	case <-answered:
	case <-time.After(20 * time.Second):
		t.Fatal("the request still waits")
	}
	if w.Code != statusClientGone {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
