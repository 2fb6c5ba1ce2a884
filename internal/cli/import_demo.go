package cli

import (
	"context"
	"time"

	"github.com/nuzantara/ciclo/internal/demo"
	"github.com/nuzantara/ciclo/internal/dev"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// importDemo fills the source tables with the firm of `ciclo dev --demo`.
type importDemo struct{}

func (importDemo) Run(ctx context.Context, g *Globals) error {
	address, err := g.database()
	if err != nil {
		return err
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: address, Name: "ciclo demo", MaxConns: 2, Pooled: true})
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := demo.Seed(ctx, pool, demo.DefaultTruth, 1, time.Now()); err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"database": dev.RedactURL(address), "clients": demo.DefaultTruth.Clients})
	}
	g.say("A made-up consultancy of %d clients is in %s.", demo.DefaultTruth.Clients, dev.RedactURL(address))
	return nil
}
