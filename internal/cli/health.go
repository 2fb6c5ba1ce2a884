package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nuzantara/ciclo/client"
)

// defaultListen is where an orchestrator serves unless it is told otherwise.
const defaultListen = "http://127.0.0.1:8080"

// healthCommand is for supervisors: an image without a shell has no other way to
// ask. It needs no token and never looks into ciclo dev's folder.
type healthCommand struct {
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer."`
}

func (c healthCommand) Run(ctx context.Context, g *Globals) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	api := client.Client{URL: cmp.Or(g.URL, defaultListen)}
	if err := api.Ready(ctx); err != nil {
		err = fmt.Errorf("%s is not ready: %w", api.URL, err)
		if g.JSON {
			err = errors.Join(err, g.printJSON(map[string]any{"url": api.URL, "ready": false}))
		}
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"url": api.URL, "ready": true})
	}
	g.say("%s is ready.", api.URL)
	return nil
}
