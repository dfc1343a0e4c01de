package server_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"onenow/db/dbtest"
	"onenow/server"
)

// TestAuthorizationHeader sends headers of every shape.
func TestAuthorizationHeader(t *testing.T) {
	f := newFixture(t)
	good := `{"id":1,"username":"shop"}`
	for name, c := range map[string]struct {
		values []string
		status int
		want   string
	}{
		"none":                   {nil, 401, noToken},
		"empty":                  {[]string{""}, 401, noToken},
		"another scheme":         {[]string{"Basic " + f.me}, 401, noToken},
		"a token alone":          {[]string{f.me}, 401, noToken},
		"no token":               {[]string{"Bearer"}, 401, badHeader},
		"two tokens":             {[]string{"Bearer " + f.me + " " + f.me}, 401, badHeader},
		"two headers":            {[]string{"Bearer " + f.me, "Bearer " + f.me}, 401, badHeader},
		"garbage":                {[]string{"Bearer x"}, 401, badToken("Token is invalid")},
		"the scheme in any case": {[]string{"bEARER " + f.me}, 200, good},
		"white space":            {[]string{"Bearer  \t" + f.me}, 200, good},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []header
			for _, v := range c.values {
				headers = append(headers, header{"Authorization", v})
			}
			f.as(t).send("GET", "/me/", "", nil, headers...).want(t, c.status, c.want)
		})
	}
	// Routes for anyone ignore the header.
	bad := header{"Authorization", "Bearer x"}
	f.send("POST", "/login/", "", `{"username":"shop","password":"pass123"}`, bad).want(t, 200, "")
	f.send("POST", "/register/", "", `{"username":"new","password":"pass123"}`, bad).want(t, 201, "")
	f.send("POST", "/api/token/refresh/", "", map[string]string{"refresh": f.login("shop", "pass123").Refresh}, bad).want(t, 200, "")
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func claimsOf(t testing.TB, token string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// TestTokenFormat reads the tokens of a login as any JWT library does.
func TestTokenFormat(t *testing.T) {
	s := newShop(t)
	id := s.user("shop")
	tk := s.login("shop", "pass123")
	for _, c := range []struct {
		token, kind string
		lifetime    time.Duration
	}{{tk.Access, "access", time.Hour}, {tk.Refresh, "refresh", 24 * time.Hour}} {
		if head, _ := base64.RawURLEncoding.DecodeString(strings.Split(c.token, ".")[0]); string(head) != `{"alg":"HS256","typ":"JWT"}` {
			t.Errorf("got header %s", head)
		}
		claims := claimsOf(t, c.token)
		iat := time.Unix(int64(claims["iat"].(float64)), 0)
		exp := time.Unix(int64(claims["exp"].(float64)), 0)
		jti, err := hex.DecodeString(claims["jti"].(string))
		if claims["token_type"] != c.kind || claims["user_id"] != float64(id) || exp.Sub(iat) != c.lifetime ||
			err != nil || len(jti) != 16 || s.clock.now().Sub(iat) > time.Minute {
			t.Errorf("got claims %v", claims)
		}
	}
}

// TestForgedTokens sends tokens that are forged in many ways.
func TestForgedTokens(t *testing.T) {
	f := newFixture(t)
	key, err := f.db.SigningKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sign := func(key []byte, head, payload string) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(b64(head) + "." + b64(payload)))
		return b64(head) + "." + b64(payload) + "." + b64(string(mac.Sum(nil)))
	}
	sign512 := func(key []byte, head, payload string) string {
		mac := hmac.New(sha512.New, key)
		mac.Write([]byte(b64(head) + "." + b64(payload)))
		return b64(head) + "." + b64(payload) + "." + b64(string(mac.Sum(nil)))
	}
	const hs256 = `{"alg":"HS256","typ":"JWT"}`
	payload := func(change func(map[string]any)) string {
		claims := claimsOf(t, f.me)
		for k, v := range claims { // whole numbers stay whole numbers
			if n, ok := v.(float64); ok {
				claims[k] = int64(n)
			}
		}
		change(claims)
		text, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	same := payload(func(map[string]any) {})
	f.send("GET", "/me/", sign(key, hs256, same), nil).want(t, 200, "") // the forger does not have the key

	part := strings.Split(f.me, ".")
	refresh := f.login("shop", "pass123").Refresh
	const b64digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(b64digits, f.me[len(f.me)-1])
	set := func(name string, value any) func(map[string]any) {
		return func(m map[string]any) { m[name] = value }
	}
	without := func(name string) func(map[string]any) {
		return func(m map[string]any) { delete(m, name) }
	}
	const invalid, expired, wrongType = "Token is invalid", "Token is expired", "Token has wrong type"
	for name, c := range map[string]struct{ token, message string }{
		"alg none":                          {b64(`{"alg":"none","typ":"JWT"}`) + "." + part[1] + ".", invalid},
		"alg none with a signature":         {b64(`{"alg":"none","typ":"JWT"}`) + "." + part[1] + "." + part[2], invalid},
		"another algorithm, our key":        {sign512(key, `{"alg":"HS512","typ":"JWT"}`, same), invalid},
		"a lie about the algorithm":         {sign(key, `{"alg":"RS256","typ":"JWT"}`, same), invalid},
		"another key":                       {sign(make([]byte, 32), hs256, same), invalid},
		"no key":                            {sign(nil, hs256, same), invalid},
		"another payload":                   {part[0] + "." + b64(payload(set("user_id", 2))) + "." + part[2], invalid},
		"no signature":                      {part[0] + "." + part[1] + ".", invalid},
		"two parts":                         {part[0] + "." + part[1], invalid},
		"four parts":                        {f.me + ".x", invalid},
		"another spelling of the signature": {f.me[:len(f.me)-1] + string(b64digits[last^1]), invalid},
		"padding":                           {f.me + "=", invalid},
		"expired":                           {sign(key, hs256, payload(set("exp", f.clock.now().Unix()))), expired},
		"expired long ago":                  {sign(key, hs256, payload(set("exp", 1))), expired},
		"no expiry":                         {sign(key, hs256, payload(without("exp"))), invalid},
		"expiry as text":                    {sign(key, hs256, payload(set("exp", "tomorrow"))), invalid},
		"a refresh token":                   {refresh, wrongType},
		"no type":                           {sign(key, hs256, payload(without("token_type"))), wrongType},
		"another user's id":                 {sign(key, hs256, payload(set("user_id", 2))), invalid},
		"a user id as text":                 {sign(key, hs256, payload(set("user_id", "1"))), invalid},
		"another sign-in":                   {sign(key, hs256, payload(set("sign_in_id", 2))), invalid},
		"no sign-in":                        {sign(key, hs256, payload(without("sign_in_id"))), invalid},
		"a payload that is no object":       {sign(key, hs256, `[]`), invalid},
		"a payload that is no JSON":         {sign(key, hs256, `{`), invalid},
	} {
		t.Run(name, func(t *testing.T) {
			f.as(t).send("GET", "/vehicles/", c.token, nil).want(t, 401, badToken(c.message))
		})
	}
	f.send("GET", "/me/", sign(key, hs256, payload(set("user_id", 99))), nil).want(t, 401, `{"detail":"User not found","code":"user_not_found"}`)
}

// TestTokensExpire moves the clock past the lifetimes of tokens.
func TestTokensExpire(t *testing.T) {
	s := newShop(t)
	s.user("shop")
	tk := s.login("shop", "pass123")
	s.send("GET", "/me/", tk.Access, nil).want(t, 200, "")
	s.clock.advance(59 * time.Minute)
	s.send("GET", "/me/", tk.Access, nil).want(t, 200, "")
	s.clock.advance(time.Minute)
	s.send("GET", "/me/", tk.Access, nil).want(t, 401, badToken("Token is expired"))
	s.clock.advance(22*time.Hour + 59*time.Minute)
	a := s.send("POST", "/api/token/refresh/", "", map[string]string{"refresh": tk.Refresh})
	a.want(t, 200, "")
	s.clock.advance(time.Minute)
	s.send("POST", "/api/token/refresh/", "", map[string]string{"refresh": tk.Refresh}).
		want(t, 401, `{"detail":"Token is expired","code":"token_not_valid"}`)
	var next tokens
	a.in(t, &next)
	s.send("GET", "/me/", next.Access, nil).want(t, 200, "") // the sign-in still holds
}

const (
	refreshInvalid     = `{"detail":"Token is invalid","code":"token_not_valid"}`
	refreshBlacklisted = `{"detail":"Token is blacklisted","code":"token_not_valid"}`
)

// exchange exchanges a refresh token for new tokens.
func (s *shop) exchange(refresh string) answer {
	s.t.Helper()
	return s.send("POST", "/api/token/refresh/", "", map[string]string{"refresh": refresh})
}

// TestRefreshRotates exchanges a refresh token once, again within the grace time, and
// after it.
func TestRefreshRotates(t *testing.T) {
	s := newShop(t)
	s.user("shop")
	elsewhere := s.login("shop", "pass123")
	first := s.login("shop", "pass123")
	var second, twin, third tokens
	a := s.exchange(first.Refresh)
	a.in(t, &second)
	a.want(t, 200, fmt.Sprintf(`{"access":"%s","refresh":"%s"}`, second.Access, second.Refresh))
	if second.Refresh == first.Refresh || second.Access == first.Access {
		t.Error("got the same token again")
	}
	s.send("GET", "/me/", first.Access, nil).want(t, 200, "")
	s.send("GET", "/me/", second.Access, nil).want(t, 200, "")

	s.clock.advance(29 * time.Second) // another tab
	s.exchange(first.Refresh).in(t, &twin)
	s.send("GET", "/me/", twin.Access, nil).want(t, 200, "")
	s.clock.advance(time.Minute)
	s.exchange(second.Refresh).in(t, &third)
	s.exchange(twin.Refresh).want(t, 200, "")

	// The grace time begins with the first use. After it, somebody else may have the
	// token, and the whole sign-in ends.
	s.exchange(first.Refresh).want(t, 401, refreshBlacklisted)
	s.exchange(third.Refresh).want(t, 401, refreshInvalid)
	for _, tk := range []tokens{first, second, twin, third} {
		s.send("GET", "/me/", tk.Access, nil).want(t, 401, badToken("Token is invalid"))
	}
	s.send("GET", "/me/", elsewhere.Access, nil).want(t, 200, "")
}

func TestLogout(t *testing.T) {
	s := newShop(t)
	s.user("shop")
	here, there := s.login("shop", "pass123"), s.login("shop", "pass123")
	other := s.owner("other")
	logout := func(access, refresh string) answer {
		return s.send("POST", "/logout/", access, map[string]string{"refresh": refresh})
	}
	logout(other, s.login("shop", "pass123").Refresh).want(t, 200, `{"message":"Logged out."}`) // the refresh token says whose
	logout(here.Access, here.Access).want(t, 401, `{"detail":"Token has wrong type","code":"token_not_valid"}`)
	s.send("GET", "/me/", here.Access, nil).want(t, 200, "")
	for range 2 { // a second time changes nothing
		logout(there.Access, here.Refresh).want(t, 200, `{"message":"Logged out."}`)
		s.send("GET", "/me/", here.Access, nil).want(t, 401, badToken("Token is invalid"))
		s.exchange(here.Refresh).want(t, 401, refreshInvalid)
	}
	logout(there.Access, there.Refresh).want(t, 200, `{"message":"Logged out."}`)
	s.send("GET", "/me/", there.Access, nil).want(t, 401, badToken("Token is invalid"))
	s.send("GET", "/me/", other, nil).want(t, 200, "")

	s.clock.advance(time.Minute)
	old := s.login("shop", "pass123")
	s.clock.advance(24 * time.Hour)
	now := s.login("shop", "pass123").Access
	logout(now, old.Refresh).want(t, 200, `{"message":"Logged out."}`)
	logout(now, old.Access).want(t, 401, `{"detail":"Token is expired","code":"token_not_valid"}`)
}

// TestLogoutWithoutAccess signs out with the refresh token alone: the access token may
// have expired.
func TestLogoutWithoutAccess(t *testing.T) {
	s := newShop(t)
	s.user("shop")
	for name, headers := range map[string][]header{
		"no header":        nil,
		"garbage":          {{"Authorization", "Bearer x"}},
		"another scheme":   {{"Authorization", "Basic eDp5"}},
		"a malformed one":  {{"Authorization", "Bearer a b"}},
		"an expired token": {{"Authorization", "Bearer " + s.login("shop", "pass123").Access}},
	} {
		tk := s.login("shop", "pass123")
		if name == "an expired token" {
			s.clock.advance(2 * time.Hour)
		}
		for range 2 {
			s.send("POST", "/logout/", "", map[string]string{"refresh": tk.Refresh}, headers...).want(t, 200, `{"message":"Logged out."}`)
		}
		s.exchange(tk.Refresh).want(t, 401, refreshInvalid)
		s.send("POST", "/logout/", "", `{"refresh":"x"}`, headers...).want(t, 401, refreshInvalid)
		s.send("POST", "/logout/", "", `{}`, headers...).want(t, 400, `{"refresh":["This field is required."]}`)
	}
}

// TestObtainTokens checks that the path of SimpleJWT gives the answers of /login/.
func TestObtainTokens(t *testing.T) {
	s := newShop(t)
	s.user("shop")
	for _, body := range []string{
		`{"username":"shop","password":"wrong"}`, `{"username":"nobody","password":"pass123"}`, `{"username":"","password":null}`, `{}`, `[]`, `{`,
	} {
		login := s.send("POST", "/login/", "", body)
		s.send("POST", "/api/token/", "", body).want(t, login.status, login.body)
	}
	a := s.send("POST", "/api/token/", "", `{"username":"shop","password":"pass123"}`, header{"Authorization", "Bearer x"})
	var tk tokens
	a.in(t, &tk)
	a.want(t, 200, fmt.Sprintf(`{"access":"%s","refresh":"%s"}`, tk.Access, tk.Refresh))
	s.send("GET", "/me/", tk.Access, nil).want(t, 200, "")
	s.exchange(tk.Refresh).want(t, 200, "")
}

// verify sends a token to /api/token/verify/.
func (s *shop) verify(token string) answer {
	s.t.Helper()
	return s.send("POST", "/api/token/verify/", "", map[string]string{"token": token}, header{"Authorization", "Bearer x"})
}

// TestVerifyToken verifies tokens of both kinds in each state.
func TestVerifyToken(t *testing.T) {
	const expired = `{"detail":"Token is expired","code":"token_not_valid"}`
	s := newShop(t)
	s.user("shop")
	first, out := s.login("shop", "pass123"), s.login("shop", "pass123")
	for _, token := range []string{first.Access, first.Refresh, out.Access, out.Refresh} {
		s.verify(token).want(t, 200, `{}`)
	}
	forged := first.Access[:strings.LastIndex(first.Access, ".")+1] + b64("signature")
	for _, token := range []string{"x", "a.b.c", forged} {
		s.verify(token).want(t, 401, refreshInvalid)
	}
	for body, want := range map[string]string{
		`{}`:             `{"token":["This field is required."]}`,
		`{"token":null}`: `{"token":["This field may not be null."]}`,
		`{"token":" "}`:  `{"token":["This field may not be blank."]}`,
		`{"token":[]}`:   `{"token":["Not a valid string."]}`,
	} {
		s.send("POST", "/api/token/verify/", "", body).want(t, 400, want)
	}

	s.send("POST", "/logout/", "", map[string]string{"refresh": out.Refresh}).want(t, 200, "")
	s.verify(out.Access).want(t, 401, refreshInvalid)
	s.verify(out.Refresh).want(t, 401, refreshInvalid)

	var second tokens
	s.exchange(first.Refresh).in(t, &second)
	s.clock.advance(30 * time.Second)
	s.verify(first.Refresh).want(t, 200, `{}`) // within the grace time
	s.clock.advance(time.Second)
	for range 2 { // verifying a token does not end the sign-in
		s.verify(first.Refresh).want(t, 401, refreshBlacklisted)
	}
	s.verify(second.Refresh).want(t, 200, `{}`)
	s.verify(first.Access).want(t, 200, `{}`)
	s.exchange(first.Refresh).want(t, 401, refreshBlacklisted) // ends the sign-in
	for _, token := range []string{first.Access, first.Refresh, second.Access, second.Refresh} {
		s.verify(token).want(t, 401, refreshInvalid)
	}

	last := s.login("shop", "pass123")
	s.clock.advance(time.Hour)
	s.verify(last.Access).want(t, 401, expired)
	s.verify(last.Refresh).want(t, 200, `{}`)
	s.clock.advance(23 * time.Hour)
	s.verify(last.Refresh).want(t, 401, expired)
}

// TestKeptRefreshTokens exchanges one refresh token again and again, at a server that
// keeps exchanged tokens valid.
func TestKeptRefreshTokens(t *testing.T) {
	s := newShopWith(t, server.Config{KeepRefreshTokens: true})
	s.user("shop")
	first := s.login("shop", "pass123")
	var last tokens
	for range 4 {
		s.exchange(first.Refresh).in(t, &last)
		if last.Refresh == first.Refresh {
			t.Error("got the same token again")
		}
		s.send("GET", "/me/", last.Access, nil).want(t, 200, "")
		s.verify(first.Refresh).want(t, 200, `{}`)
		s.clock.advance(5 * time.Hour)
	}
	s.clock.advance(4 * time.Hour)
	s.exchange(first.Refresh).want(t, 401, `{"detail":"Token is expired","code":"token_not_valid"}`)
	s.exchange(last.Refresh).in(t, &last)
	s.send("POST", "/logout/", "", map[string]string{"refresh": first.Refresh}).want(t, 200, "") // the sign-in that it began
	s.exchange(last.Refresh).want(t, 401, refreshInvalid)
}

func TestPasswordChange(t *testing.T) {
	s := newShop(t)
	s.user("shop")
	other := s.owner("other")
	one, two := s.login("shop", "pass123"), s.login("shop", "pass123")
	s.send("POST", "/password/change/", one.Access, `{"old_password":"pass124","new_password":"new"}`).
		want(t, 400, `{"old_password":["Your old password was entered incorrectly. Please enter it again."]}`)
	s.send("GET", "/me/", one.Access, nil).want(t, 200, "")
	s.send("POST", "/password/change/", one.Access, `{"old_password":"pass123","new_password":" new "}`).
		want(t, 200, `{"message":"Password changed successfully."}`)
	for _, tk := range []tokens{one, two} {
		s.send("GET", "/me/", tk.Access, nil).want(t, 401, badToken("Token is invalid"))
		s.exchange(tk.Refresh).want(t, 401, refreshInvalid)
	}
	s.send("POST", "/login/", "", `{"username":"shop","password":"pass123"}`).want(t, 401, wrongLogin)
	s.send("POST", "/login/", "", `{"username":"shop","password":"new"}`).want(t, 401, wrongLogin)
	s.login("shop", " new ")
	s.send("GET", "/me/", other, nil).want(t, 200, "")
}

// TestHashIsRemade signs in a user whose hash has other parameters. The sign-in replaces
// the hash and does not end other sign-ins.
func TestHashIsRemade(t *testing.T) {
	s := newShop(t)
	const weak = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$vWIA7+U/W+6p8C19oMxQ/xxhrw487ZgwCuia6vGu22M" // of pass123
	if _, err := s.db.CreateUser(t.Context(), "old", weak); err != nil {
		t.Fatal(err)
	}
	first := s.login("old", "pass123")
	u, err := s.db.UserByName(t.Context(), "old")
	if err != nil || !strings.HasPrefix(u.PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("got hash %s, %v", u.PasswordHash, err)
	}
	s.login("old", "pass123")
	again, err := s.db.UserByName(t.Context(), "old")
	if err != nil || again.PasswordHash != u.PasswordHash {
		t.Errorf("the hash was replaced once more, %v", err)
	}
	s.send("GET", "/me/", first.Access, nil).want(t, 200, "")
}

// TestChangesByAnotherProcess ends sign-ins by another connection, like that of the sqlite3
// shell, while the server runs.
func TestChangesByAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "onenow.db")
	d := dbtest.Open(t, path)
	s := &shop{t: t, db: d, url: start(t, server.Config{DB: d})}
	s.user("shop")
	tk := s.login("shop", "pass123")
	s.send("GET", "/me/", tk.Access, nil).want(t, 200, "")

	eventually := func(status int, body string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for s.send("GET", "/me/", tk.Access, nil).status != status && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
		s.send("GET", "/me/", tk.Access, nil).want(t, status, body)
	}
	dbtest.Exec(t, path, fmt.Sprintf("UPDATE users SET password_hash = '%s'; DELETE FROM sign_ins", hashOf(t, "new")))
	eventually(401, badToken("Token is invalid"))
	tk = s.login("shop", "new")
	s.send("GET", "/me/", tk.Access, nil).want(t, 200, "")
	dbtest.Exec(t, path, "DELETE FROM users")
	eventually(401, `{"detail":"User not found","code":"user_not_found"}`)
	s.exchange(tk.Refresh).want(t, 401, refreshInvalid)
}

// TestUserDeletedBetween deletes a user whose token is still cached.
func TestUserDeletedBetween(t *testing.T) {
	path := filepath.Join(t.TempDir(), "onenow.db")
	d := dbtest.Open(t, path)
	s := &shop{t: t, db: d, url: start(t, server.Config{DB: d})}
	tk := s.owner("shop")
	s.send("GET", "/me/", tk, nil).want(t, 200, "")
	dbtest.Exec(t, path, "DELETE FROM users")
	gone := `{"detail":"User not found","code":"user_not_found"}`
	s.send("POST", "/vehicles/", tk, `{"make":"a","model":"b","year":2020,"plate":"c"}`).want(t, 401, gone)
	s.send("POST", "/password/change/", tk, `{"old_password":"pass123","new_password":"x"}`).want(t, 401, gone)
}

// TestExpiredSignInsAreClearedAway counts the rows of the tables after several days.
func TestExpiredSignInsAreClearedAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "onenow.db")
	d := dbtest.Open(t, path)
	s := &shop{t: t, db: d, clock: &clock{}}
	d.Now = s.clock.now
	s.url = start(t, server.Config{DB: d})
	s.user("shop")
	for range 3 {
		s.login("shop", "pass123")
	}
	s.exchange(s.login("shop", "pass123").Refresh)
	s.clock.advance(25 * time.Hour)
	s.login("shop", "pass123")
	for table, want := range map[string]int{"sign_ins": 1, "refresh_tokens": 1} {
		if got := dbtest.Count(t, path, table); got != want {
			t.Errorf("got %d %s, want %d", got, table, want)
		}
	}
}
