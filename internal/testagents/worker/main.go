// Command worker is the worker with the test agents.
package main

import (
	"context"
	"log/slog"

	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/worker"
)

func main() {
	var command worker.Command
	service.Main("worker", "The worker with the test agents.", &command, func(ctx context.Context, log *slog.Logger) error {
		catalogue, err := testagents.Catalogue()
		if err != nil {
			return err
		}
		return command.Work(ctx, log, catalogue, testagents.Registry())
	})
}
