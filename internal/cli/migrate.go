package cli

import (
	"context"
	"strings"

	"github.com/nuzantara/ciclo/internal/dev"
	"github.com/nuzantara/ciclo/internal/postgres"
)

type migrateCommand struct{}

func (migrateCommand) Run(ctx context.Context, g *Globals) error {
	url, err := g.database()
	if err != nil {
		return err
	}
	if err := postgres.Migrate(ctx, url); err != nil {
		return err
	}
	granted, err := postgres.GrantRoles(ctx, url)
	if err != nil {
		return err
	}
	if g.JSON {
		version, err := postgres.SchemaVersion()
		if err != nil {
			return err
		}
		return g.printJSON(map[string]any{"database": dev.RedactURL(url), "schema_version": version, "granted": append([]string{}, granted...)})
	}
	g.say("The schema of %s is up to date.", dev.RedactURL(url))
	if len(granted) > 0 {
		g.say("The roles %s have what they need of it, and no more.", strings.Join(granted, ", "))
	}
	return nil
}
