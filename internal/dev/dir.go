package dev

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Dir is the folder where `ciclo dev` keeps its database, logs, address and
// token, and where the other commands find them.
type Dir string

// The files of the folder.
const (
	tokenFile    = "token"
	addressFile  = "address"
	databaseFile = "database-url"
)

// Token returns the folder's API token.
func (d Dir) Token() (string, error) { return d.read(tokenFile) }

// Address returns where the orchestrator was last started, as a URL.
func (d Dir) Address() (string, error) { return d.read(addressFile) }

// DatabaseURL returns the database that was last used.
func (d Dir) DatabaseURL() (string, error) { return d.read(databaseFile) }

func (d Dir) read(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(string(d), name))
	return strings.TrimSpace(string(text)), err
}

// write replaces a file whole; only its owner can read it.
func (d Dir) write(name, text string) error {
	path := filepath.Join(string(d), name)
	if err := os.WriteFile(path+".new", []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// token returns the given token, else the folder's, else a new one, and keeps it
// in the folder.
func (d Dir) token(given string) (string, error) {
	token := given
	if token == "" {
		var err error
		token, err = d.Token()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("read the token: %w", err)
		}
	}
	if token == "" {
		token = newToken()
	}
	if err := d.write(tokenFile, token); err != nil {
		return "", fmt.Errorf("keep the token: %w", err)
	}
	return token, nil
}

func newToken() string {
	random := make([]byte, 24)
	_, _ = rand.Read(random) // never fails on a supported system
	return "ciclo_" + base64.RawURLEncoding.EncodeToString(random)
}
