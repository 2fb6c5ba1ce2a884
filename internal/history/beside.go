package history

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed beside.sql
var beside string

// FillBeside adds what lies beside the executions of Fill: steps, effects, slots,
// cycles, deliveries, the audit log in proportion to them; some executions that run
// and wait; and sixty days of agents' results for the firm's clients, or for a
// thousand of its own. What it makes shows every panel of a dashboard something.
func FillBeside(ctx context.Context, pool *pgxpool.Pool) error {
	if _, err := pool.Exec(ctx, beside); err != nil {
		return fmt.Errorf("fill beside executions: %w", err)
	}
	return count(ctx, pool)
}
