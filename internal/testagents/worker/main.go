// Command worker is the worker with the test agents.
package main

import (
	"context"
	"log/slog"

	"github.com/nuzantara/ciclo/agents/llm"
	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/worker"
)

// command is the worker's configuration, and the models' of the agent that asks one.
type command struct {
	worker.Command
	Models llm.Config `embed:""`
}

func main() {
	var c command
	service.Main("worker", "The worker with the test agents.", &c, func(ctx context.Context, log *slog.Logger) error {
		catalogue, err := testagents.Catalogue()
		if err != nil {
			return err
		}
		models, err := c.Models.Open()
		if err != nil {
			return err
		}
		registry := testagents.Registry()
		if model := models.For(testagents.AsksName); model != nil {
			registry[testagents.AsksName] = testagents.Asks{Model: model}
			if catalogue, err = testagents.WithAsks(catalogue); err != nil {
				return err
			}
		}
		return c.Work(ctx, log, catalogue, registry)
	})
}
