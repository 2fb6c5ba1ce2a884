package llm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// seal keeps texts in the ledger: as they are, or under the firm's key. What is kept
// begins with a byte that says which.
type seal struct{ aead cipher.AEAD }

const (
	asItIs = 'j' // JSON follows
	sealed = 's' // AES-256-GCM follows: a nonce of 12 bytes, the text, the tag
)

// newSeal takes a key of 32 bytes in base64.
func newSeal(key string) (seal, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key))
	if err != nil || len(raw) != 32 {
		return seal{}, errors.New("the key is not 32 bytes in base64, such as `openssl rand -base64 32` gives")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return seal{}, err
	}
	aead, err := cipher.NewGCM(block)
	return seal{aead}, err
}

// close makes what is kept of a text. What it is of can't be changed for another.
func (s seal) close(of string, text []byte) ([]byte, error) {
	if s.aead == nil {
		return append([]byte{asItIs}, text...), nil
	}
	kept := make([]byte, 1+s.aead.NonceSize(), 1+s.aead.NonceSize()+len(text)+s.aead.Overhead())
	kept[0] = sealed
	if _, err := rand.Read(kept[1:]); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return s.aead.Seal(kept, kept[1:], text, []byte(of)), nil
}

// open gives back the text.
func (s seal) open(of string, kept []byte) ([]byte, error) {
	switch {
	case len(kept) == 0:
		return nil, errors.New("it is no longer kept")
	case kept[0] == asItIs:
		return kept[1:], nil
	case kept[0] != sealed:
		return nil, errors.New("it was kept by a version that this one doesn't know")
	case s.aead == nil:
		return nil, errors.New("it is sealed, and no key is configured")
	}
	n := 1 + s.aead.NonceSize()
	if len(kept) < n {
		return nil, errors.New("it is cut off")
	}
	text, err := s.aead.Open(nil, kept[1:n], kept[n:], []byte(of))
	if err != nil {
		return nil, errors.New("it is sealed with another key")
	}
	return text, nil
}
