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
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// The parameters of a new hash are those of OWASP's Password Storage Cheat Sheet for
// argon2id: 19 MiB of memory, 2 passes, 1 lane.
const (
	argonMemory = 19 * 1024 // KiB
	argonTime   = 2
	argonLanes  = 1

	saltLen = 16
	hashLen = 32
)

// restTime is the time from the last turn until the memory returns to the system.
const restTime = 5 * time.Second

// ErrHash is the error for a stored hash that Verify cannot read.
var ErrHash = errors.New("unreadable password hash")

// unknownUserHash is the hash for a user who does not exist. No password matches it, because
// its key is 32 zeros.
var unknownUserHash = encode(argonMemory, argonTime, argonLanes, make([]byte, saltLen), make([]byte, hashLen))

// Turns limits how many goroutines hash at once to the number of CPUs, because each hash
// takes 19 MiB of memory and a whole CPU. Some seconds after the last turn, it returns the
// memory to the system. Without this, the runtime returns it minutes later, even with a
// memory limit: 10 seconds after 20 sign-ins, a server had 15 MiB resident with the timer,
// 54 MiB without it, and 54 MiB with GOMEMLIMIT=64MiB instead.
type Turns struct {
	slots chan struct{}
	rest  *time.Timer // the end of a turn starts it
}

// NewTurns returns a Turns ready for use.
func NewTurns() *Turns {
	rest := time.AfterFunc(math.MaxInt64, debug.FreeOSMemory)
	rest.Stop()
	return &Turns{make(chan struct{}, runtime.GOMAXPROCS(0)), rest}
}

// Take waits for a turn. The turn lasts until the caller calls done. If ctx is cancelled
// first, Take returns its error.
func (t *Turns) Take(ctx context.Context) (done func(), err error) {
	select {
	case t.slots <- struct{}{}:
		return func() {
			<-t.slots
			t.rest.Reset(restTime)
		}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Hash returns the argon2id hash of password with a new salt, in PHC string format. In a
// server, the caller takes a turn first.
func Hash(password string) string {
	salt := make([]byte, saltLen)
	rand.Read(salt) // never fails
	return encode(argonMemory, argonTime, argonLanes, salt,
		argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, hashLen))
}

// Verify reports whether password matches hash, a hash of Hash or of Django. An empty hash
// stands for a user who does not exist. No password matches an empty hash or Locked; for
// both, Verify takes as long as for a hash of Hash (see Pad). It returns ErrHash for a hash
// that it cannot read. In a server, the caller takes a turn first.
func Verify(hash, password string) (bool, error) {
	switch {
	case hash == "" || hash == Locked:
		hash = unknownUserHash
	case strings.HasPrefix(hash, djangoScheme):
		return verifyDjango(hash, password)
	}
	memory, time, lanes, salt, want, err := decode(hash)
	if err != nil {
		return false, err
	}
	got := argon2.IDKey([]byte(password), salt, time, memory, lanes, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// Outdated reports whether hash should be replaced by a new hash, because it has other
// parameters than a new one.
func Outdated(hash string) bool {
	memory, time, lanes, salt, key, err := decode(hash)
	return err != nil || memory != argonMemory || time != argonTime || lanes != argonLanes ||
		len(salt) != saltLen || len(key) != hashLen
}

// encode returns a hash in PHC string format:
// $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>
func encode(memory, time uint32, lanes uint8, salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, time, lanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// decode parses a hash in the format of encode. It returns ErrHash if it cannot.
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
