package postgres

import (
	"context"
	"fmt"
	"time"
)

// Orchestrator is a process that says that it runs.
type Orchestrator struct {
	// ID is a UUID of the process's own.
	ID, Host, Version string
}

const (
	// OrchestratorBeat is how often an orchestrator says that it runs.
	OrchestratorBeat = 30 * time.Second
	// orchestratorSilence is after which silence it is taken for gone.
	orchestratorSilence = 3 * OrchestratorBeat
	// withOrchestrators is the version from which they say so in a table, and not by the
	// name of a session alone.
	withOrchestrators = 35
)

// Seen notes that an orchestrator runs, and forgets those that are gone.
func (s *Store) Seen(ctx context.Context, o Orchestrator) error {
	version, err := SchemaVersion()
	if err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, `
		WITH gone AS (DELETE FROM ciclo.orchestrators WHERE seen_at < now() - $5::interval AND id <> $1)
		INSERT INTO ciclo.orchestrators (id, host, version, schema_version) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET seen_at = now()`, o.ID, o.Host, o.Version, version, orchestratorSilence)
	if err != nil {
		return fmt.Errorf("say that this orchestrator runs: %w", err)
	}
	return nil
}

// Stopped notes that an orchestrator runs no more.
func (s *Store) Stopped(ctx context.Context, o Orchestrator) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM ciclo.orchestrators WHERE id = $1`, o.ID); err != nil {
		return fmt.Errorf("say that this orchestrator stopped: %w", err)
	}
	return nil
}
