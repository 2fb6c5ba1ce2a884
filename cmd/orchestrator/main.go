// Command orchestrator serves Ciclo's API and takes executions back from lost workers.
package main

import (
	"context"
	"log/slog"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/orchestrator"
)

func main() {
	var command orchestrator.Command
	service.Main("orchestrator", "Accepts executions, answers their status, takes them back from lost workers.", &command, func(ctx context.Context, log *slog.Logger) error {
		catalogue, err := agents.Embedded()
		if err != nil {
			return err
		}
		return command.Serve(ctx, log, catalogue)
	})
}
