// Command orchestrator is the orchestrator with the catalogue of the test agents.
package main

import (
	"context"
	"log/slog"

	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/orchestrator"
)

func main() {
	var command orchestrator.Command
	service.Main("orchestrator", "The orchestrator with the catalogue of the test agents.", &command, func(ctx context.Context, log *slog.Logger) error {
		catalogue, err := testagents.Catalogue()
		if err != nil {
			return err
		}
		return command.Serve(ctx, log, catalogue)
	})
}
