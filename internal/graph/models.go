package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Model is what was learned from the firm's messages. Bytes are empty, and so is
// Version, where there was too little to learn from.
type Model struct {
	Name, Version string
	Bytes         []byte
	// Messages is how many there were.
	Messages int64
}

// NewModel is of bytes; its version is a hash of them.
func NewModel(name string, bytes []byte, messages int64) Model {
	m := Model{Name: name, Bytes: bytes, Messages: messages}
	if len(bytes) > 0 {
		hash := sha256.Sum256(bytes)
		m.Version = hex.EncodeToString(hash[:6])
	}
	return m
}

// none is the version in the table of what could not be learned.
const none = "none"

// Models are the models that there are, without their bytes, in order of names.
func Models(ctx context.Context, tx pgx.Tx) ([]Model, error) {
	rows, err := tx.Query(ctx, `SELECT name, CASE WHEN version = $1 THEN '' ELSE version END, NULL::bytea, messages FROM ciclo.graph_models ORDER BY name`, none)
	if err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Model])
	if err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	return all, nil
}

// ModelBytes are a model's; empty where there was too little to learn from.
func ModelBytes(ctx context.Context, tx pgx.Tx, name string) (bytes []byte, err error) {
	if err := tx.QueryRow(ctx, `SELECT model FROM ciclo.graph_models WHERE name = $1`, name).Scan(&bytes); err != nil {
		return nil, fmt.Errorf("read the model %s: %w", name, err)
	}
	return bytes, nil
}

// WriteModels writes models in place of all that there were.
func WriteModels(ctx context.Context, tx pgx.Tx, models []Model) error {
	if _, err := tx.Exec(ctx, `DELETE FROM ciclo.graph_models`); err != nil {
		return fmt.Errorf("remove models: %w", err)
	}
	for _, m := range models {
		version, bytes := m.Version, m.Bytes
		if version == "" {
			version, bytes = none, []byte{}
		}
		_, err := tx.Exec(ctx, `INSERT INTO ciclo.graph_models (name, version, model, messages) VALUES ($1, $2, $3, $4)`, m.Name, version, bytes, m.Messages)
		if err != nil {
			return fmt.Errorf("write the model %s: %w", m.Name, err)
		}
	}
	return nil
}
