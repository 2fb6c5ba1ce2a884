package dashboard

import (
	"context"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
)

// overviewView is how everything stands.
type overviewView struct {
	Status   client.Status
	Running  []client.Execution
	Failures []client.Execution
	Cycles   []client.Cycle
}

// listed is how many rows each of the overview's lists has.
const listed = "10"

func overview() page {
	return page{path: "/{$}", section: "Overview", template: "overview.html", read: readOverview}
}

func readOverview(ctx context.Context, v *Visit) (any, error) {
	var o overviewView
	ask, ctx := errgroup.WithContext(ctx)
	ask.Go(func() (err error) {
		o.Status, err = v.API.Status(ctx)
		return err
	})
	ask.Go(func() error {
		found, err := v.API.List(ctx, url.Values{"status": {"running"}, "limit": {listed}})
		o.Running = found.Executions
		return err
	})
	ask.Go(func() error {
		day := v.Now.Add(-24 * time.Hour).UTC().Format(time.RFC3339)
		found, err := v.API.List(ctx, url.Values{"status": {"failed"}, "since": {day}, "limit": {listed}})
		o.Failures = found.Executions
		return err
	})
	ask.Go(func() error {
		found, err := v.API.Cycles(ctx, url.Values{"limit": {listed}})
		o.Cycles = found.Cycles
		return err
	})
	return o, ask.Wait()
}
