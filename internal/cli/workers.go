package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/client"
)

type workersCommand struct{}

func (workersCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	workers, err := api.Workers(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"workers": workers})
	}
	table(g.out, func(row func(...any)) {
		row("WORKER", "HOST", "PID", "VERSION", "STATE", "RUNNING", "LEASE UNTIL", "RUNS")
		for _, w := range workers {
			row(w.ID, w.Host, w.PID, w.Version, workerState(w), w.Running, clock(w.LeaseUntil), runs(w))
		}
	})
	return nil
}

// runs is which agents a worker runs, and how many executions of each at once.
func runs(w client.Worker) string {
	var each []string
	for _, agent := range slices.Sorted(maps.Keys(w.Concurrency)) {
		each = append(each, fmt.Sprintf("%s=%d", agent, w.Concurrency[agent]))
	}
	return strings.Join(each, " ")
}
