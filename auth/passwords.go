// Package auth hashes passwords and signs tokens. It knows neither HTTP nor
// SQL.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What a new hash costs, as OWASP's Password Storage Cheat Sheet gives it for
// argon2id: 19 MiB of memory, 2 passes, 1 lane.
const (
	argonMemory = 19 * 1024 // KiB
	argonTime   = 2
	argonLanes  = 1

	saltLen = 16
	hashLen = 32
)

// ErrHash is returned for a stored hash that cannot be read.
var ErrHash = errors.New("unreadable password hash")

// nobody stands in for the hash of a user who does not exist. No password has
// it: it is no output of argon2id, but 32 zeros.
var nobody = encode(argonMemory, argonTime, argonLanes, make([]byte, saltLen), make([]byte, hashLen))

// Passwords hashes and verifies passwords with argon2id, no more at once than
// there are CPUs, since each takes 19 MiB.
type Passwords struct {
	slots chan struct{}
}

// NewPasswords returns a Passwords ready for use.
func NewPasswords() *Passwords {
	return &Passwords{slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// Hash returns a hash of password with a new salt, in PHC string format. It
// waits for its turn, and returns ctx's error if that ends first.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltLen)
	rand.Read(salt) // never fails
	key, err := p.derive(ctx, password, salt, argonMemory, argonTime, argonLanes, hashLen)
	if err != nil {
		return "", err
	}
	return encode(argonMemory, argonTime, argonLanes, salt, key), nil
}

// Verify reports whether hash is of password. An empty hash, for a user who
// does not exist, takes as long as any and is of no password. Verify waits as
// Hash does; a hash it cannot read is ErrHash.
func (p *Passwords) Verify(ctx context.Context, hash, password string) (bool, error) {
	if hash == "" {
		hash = nobody
	}
	memory, time, lanes, salt, want, err := decode(hash)
	if err != nil {
		return false, err
	}
	got, err := p.derive(ctx, password, salt, memory, time, lanes, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// Outdated reports whether hash was made with other parameters than Hash uses
// now, so that it should be made again.
func Outdated(hash string) bool {
	memory, time, lanes, salt, key, err := decode(hash)
	return err != nil || memory != argonMemory || time != argonTime || lanes != argonLanes ||
		len(salt) != saltLen || len(key) != hashLen
}

func (p *Passwords) derive(ctx context.Context, password string, salt []byte, memory, time uint32, lanes uint8, n uint32) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, time, memory, lanes, n), nil
}

// encode and decode are PHC string format:
// $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>
func encode(memory, time uint32, lanes uint8, salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, time, lanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

func decode(hash string) (memory, time uint32, lanes uint8, salt, key []byte, err error) {
	fail := func() (uint32, uint32, uint8, []byte, []byte, error) { return 0, 0, 0, nil, nil, ErrHash }
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return fail()
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &lanes); err != nil || time < 1 || lanes < 1 {
		return fail()
	}
	salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return fail()
	}
	key, err = base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(key) == 0 {
		return fail()
	}
	return memory, time, lanes, salt, key, nil
}
