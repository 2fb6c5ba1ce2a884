package cli

import (
	"context"

	"github.com/nuzantara/ciclo/internal/dev"
	"github.com/nuzantara/ciclo/internal/postgres"
)

type migrateCommand struct{}

func (migrateCommand) Run(ctx context.Context, g *Globals) error {
	url, err := g.direct()
	if err != nil {
		return err
	}
	if err := postgres.Migrate(ctx, url); err != nil {
		return err
	}
	if g.JSON {
		version, err := postgres.SchemaVersion()
		if err != nil {
			return err
		}
		return g.printJSON(map[string]any{"database": dev.RedactURL(url), "schema_version": version})
	}
	g.say("The schema of %s is up to date.", dev.RedactURL(url))
	return nil
}
