package agents

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Unwriter is an Agent whose runs look at what earlier ones wrote. Unwrite takes away what
// an execution wrote, as far as nothing else hangs on it, so that a replay of it finds what
// it found. It is called in the replay's transaction, which is never committed.
type Unwriter interface {
	Unwrite(ctx context.Context, tx pgx.Tx, executionID string) error
}
