package cli

import (
	"context"
	"fmt"

	"github.com/nuzantara/ciclo/client"
)

type graphDecide struct {
	Review string `arg:"" help:"The review's id, of ciclo kg reviews."`
	Answer string `arg:"" enum:"same,different" help:"same or different."`
}

func (c graphDecide) Run(ctx context.Context, g *Globals) error {
	return g.decided(func(api *client.Client) (client.Decided, error) {
		return api.DecideReview(ctx, c.Review, c.Answer == "same")
	})
}

type graphMerge struct {
	One   string `arg:"" help:"An entity's id."`
	Other string `arg:"" help:"Another's."`
}

func (c graphMerge) Run(ctx context.Context, g *Globals) error {
	return g.decided(func(api *client.Client) (client.Decided, error) { return api.MergeEntities(ctx, c.One, c.Other) })
}

type graphUndo struct {
	Merge int64 `arg:"" help:"The merge's id, of ciclo kg show ENTITY."`
}

func (c graphUndo) Run(ctx context.Context, g *Globals) error {
	return g.decided(func(api *client.Client) (client.Decided, error) { return api.UndoMerge(ctx, c.Merge) })
}

// decided makes a decision and says what it led to.
func (g *Globals) decided(decide func(api *client.Client) (client.Decided, error)) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	d, err := decide(api)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(d)
	}
	switch len(d.EntityIDs) {
	case 1:
		fmt.Fprintf(g.out, "Both are %s. To see it: ciclo kg show %[1]s\n", d.EntityIDs[0])
	case 2: //nolint:mnd // the other answer
		fmt.Fprintf(g.out, "They are two: %s and %s.\n", d.EntityIDs[0], d.EntityIDs[1])
	}
	return nil
}
