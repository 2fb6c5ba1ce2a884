package postgres

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Token is what is known of an API token: its SHA-256, not itself.
type Token struct {
	Name      string     `json:"name"`
	Hash      []byte     `json:"-"`
	Scopes    []string   `json:"scopes"`
	CreatedAt time.Time  `json:"created_at"`
	RevokedAt *time.Time `json:"revoked_at"`
}

// NewToken makes a token of 130 random bits: the text is for its owner, the hash
// is what is kept.
func NewToken() (text string, hash []byte) {
	text = "ciclo_" + rand.Text()
	return text, HashToken(text)
}

// HashToken is a token's SHA-256.
func HashToken(token string) []byte {
	hash := sha256.Sum256([]byte(token))
	return hash[:]
}

var (
	// ErrTokenKnown says that a living token has the name.
	ErrTokenKnown = errors.New("a token of this name exists")
	// ErrNoToken says that no living token has the name.
	ErrNoToken = errors.New("no such token")
)

// CreateToken stores a token's hash under a name. ErrTokenKnown where a living one
// has it; the database refuses other names and scopes than it knows.
func (s *Store) CreateToken(ctx context.Context, name string, hash []byte, scopes []string) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO ciclo.tokens (name, hash, scopes) VALUES ($1, $2, $3)`, name, hash, scopes)
	if violated(err) == "tokens_name" {
		err = ErrTokenKnown
	}
	if err != nil {
		return fmt.Errorf("create token %s: %w", name, err)
	}
	return nil
}

// RevokeToken ends the living token of the name. ErrNoToken where there is none.
func (s *Store) RevokeToken(ctx context.Context, name string) error {
	tag, err := s.pool.Exec(ctx, `UPDATE ciclo.tokens SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL`, name)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNoToken
	}
	if err != nil {
		return fmt.Errorf("revoke token %s: %w", name, err)
	}
	return nil
}

// Tokens lists all tokens, the living first, by name.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.pool.Query(ctx, `SELECT name, hash, scopes, created_at, revoked_at FROM ciclo.tokens ORDER BY revoked_at NULLS FIRST, name`)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Token])
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return list, nil
}
