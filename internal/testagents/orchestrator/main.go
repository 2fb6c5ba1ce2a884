// Command orchestrator is the orchestrator with the catalogue of the test agents.
package main

import (
	"context"
	"log/slog"

	"github.com/nuzantara/ciclo/agents/llm"
	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/orchestrator"
)

// command is the orchestrator's configuration, and whether there is a model to ask.
type command struct {
	orchestrator.Command
	Models llm.Config `embed:""`
}

func main() {
	var c command
	service.Main("orchestrator", "The orchestrator with the catalogue of the test agents.", &c, func(ctx context.Context, log *slog.Logger) error {
		catalogue, err := testagents.Catalogue()
		if err != nil {
			return err
		}
		models, err := c.Models.Open()
		if err != nil {
			return err
		}
		if models.For(testagents.AsksName) != nil {
			if catalogue, err = testagents.WithAsks(catalogue); err != nil {
				return err
			}
		}
		return c.Serve(ctx, log, catalogue)
	})
}
