package dashboard

import (
	"context"
	"net/url"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
)

// executionsView is a page of the list of executions, and what was asked for.
type executionsView struct {
	Executions []client.Execution
	Agents     []client.Agent
	// Agent, Status, Cycle, Since and Until are the filters.
	Agent, Cycle, Since, Until string
	Status                     map[string]bool
	// Filtered reports whether there are any, First whether this is the first page.
	Filtered, First bool
	Pager           otherPages
}

// Statuses are what an execution may be filtered by.
func (executionsView) Statuses() []string {
	return []string{"started", "running", "completed", "failed", "cancelled"}
}

func executions() page {
	return page{path: "/executions", section: "Executions", template: "executions.html", read: readExecutions}
}

func readExecutions(ctx context.Context, v *Visit) (any, error) {
	asked := filled(v.URL.Query())
	x := executionsView{
		Agent: asked.Get("agent"), Cycle: asked.Get("cycle"), Since: field(asked.Get("since"), v.Zone), Until: field(asked.Get("until"), v.Zone),
		Status: map[string]bool{}, First: !asked.Has("cursor"),
	}
	for _, s := range asked["status"] {
		x.Status[s] = true
	}
	query := url.Values{}
	for name, values := range asked {
		query[name] = values
		x.Filtered = x.Filtered || name != "cursor"
	}
	for _, name := range []string{"since", "until"} {
		if query.Has(name) {
			query.Set(name, instant(query.Get(name), v.Zone))
		}
	}
	ask, ctx := errgroup.WithContext(ctx)
	ask.Go(func() error {
		status, err := v.API.Status(ctx)
		x.Agents = status.Agents
		return err
	})
	ask.Go(func() error {
		found, err := v.API.List(ctx, query)
		x.Executions, x.Pager = found.Executions, otherPagesOf("/executions", asked, found.NextCursor)
		return err
	})
	err := ask.Wait()
	return x, err
}
