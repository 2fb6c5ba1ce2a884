package execution

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// IDs of executions are the agent's prefix and a UUIDv7 (RFC 9562, section 5.7):
// unique across processes, and in the order of their making within one.

var lastID struct {
	sync.Mutex
	millis int64
	count  uint16 // 12 bits
}

// NewID makes an id such as client_predictor_019ac5a8-6f0e-7000-8000-9b1deb4d3b7d.
// Within one process ids grow strictly: the 12 bits after the version count
// those made in one millisecond (RFC 9562, section 6.2, method 1), and a
// 4,097th borrows the next millisecond.
func NewID(prefix string, now time.Time) string {
	var u [16]byte
	_, _ = rand.Read(u[8:]) // it never fails: without randomness the process ends

	lastID.Lock()
	if millis := now.UnixMilli(); millis > lastID.millis {
		lastID.millis, lastID.count = millis, 0
	} else if lastID.count++; lastID.count > 0x0fff {
		lastID.millis, lastID.count = lastID.millis+1, 0
	}
	millis, count := lastID.millis, lastID.count
	lastID.Unlock()

	for i := range 6 {
		u[i] = byte(millis >> (40 - 8*i))
	}
	u[6] = 0x70 | byte(count>>8)
	u[7] = byte(count)
	u[8] = 0x80 | u[8]&0x3f

	h := hex.EncodeToString(u[:])
	return prefix + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ValidID reports whether the text could be an execution's id: a prefix of
// lower-case letters, digits and underscores that ends in one, and a UUID. It
// spares the database the question for the malformed ones.
func ValidID(text string) bool {
	const uuidLen = 36
	if len(text) <= uuidLen || len(text) > 64+uuidLen {
		return false
	}
	prefix, uuid := text[:len(text)-uuidLen], text[len(text)-uuidLen:]
	if !strings.HasSuffix(prefix, "_") || strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return false
	}
	for i, c := range []byte(uuid) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
