package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/demo"
	"github.com/nuzantara/ciclo/internal/dev"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/service"
)

type devCommand struct {
	Listen  string `env:"CICLO_LISTEN" default:"127.0.0.1:8080" help:"Address to serve the API on."`
	Workers int    `default:"2" help:"How many worker processes."`
	Demo    bool   `help:"Load a seeded consultancy and run every agent once."`
	Once    bool   `help:"End after the demo; the exit code is 0 only when every execution completed."`
}

func (c *devCommand) Validate() error {
	if c.Once && !c.Demo {
		return errors.New("--once goes with --demo")
	}
	if c.Workers < 1 || c.Workers > 64 {
		return errors.New("--workers must be in 1..64")
	}
	return nil
}

func (c *devCommand) Run(ctx context.Context, g *Globals) error {
	database, err := service.Secret(os.Getenv("DATABASE_URL"), os.Getenv("DATABASE_URL_FILE"))
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	token, err := service.Secret(g.Token, g.TokenFile)
	if err != nil {
		return fmt.Errorf("CICLO_TOKEN: %w", err)
	}
	cfg := dev.Config{
		Dir: dev.Dir(g.Data), Listen: c.Listen, DatabaseURL: database, Token: token, Workers: c.Workers,
		Log: slog.New(slog.NewTextHandler(g.err, nil)), Say: g.say,
	}
	if c.Demo && os.Getenv("CICLO_ZONE") == "" {
		cfg.Zone = demo.Zone
	}
	err = dev.Run(ctx, cfg, func(ctx context.Context, env dev.Environment) error { return c.use(ctx, g, env) })
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		g.say("Stopped.")
		return nil
	}
	return err
}

// use is what happens once everything runs.
func (c *devCommand) use(ctx context.Context, g *Globals, env dev.Environment) error {
	var results []client.Execution
	if c.Demo {
		var err error
		if results, err = runDemo(ctx, g, env); err != nil {
			return err
		}
		if g.JSON {
			if err := g.printJSON(results); err != nil {
				return err
			}
		}
	}
	if c.Once {
		for _, e := range results {
			if err := outcome(e); err != nil {
				return err
			}
		}
		return nil
	}
	g.say("\nThe dashboard is at %s/ : sign in with the token in %s/token.", env.Client.URL, g.Data)
	g.say("The API serves at %s. Try, in another terminal:", env.Client.URL)
	if len(results) > 0 {
		g.say("  curl -H \"Authorization: Bearer $(cat %s/token)\" %s/api/autonomous-agents/executions/%s", g.Data, env.Client.URL, results[0].ID)
	}
	g.say("  curl -H \"Authorization: Bearer $(cat %s/token)\" %s/api/autonomous-agents/status", g.Data, env.Client.URL)
	g.say("Ctrl-C stops everything; what is in the database stays.")
	<-ctx.Done()
	return nil
}

// runDemo loads the consultancy, runs every agent once and shows what came out.
// demoParameters are what the demo gives agents: a week of conversations, the
// trainer's default, is too few to find anything in, and the demo's go back a year.
var demoParameters = map[string]map[string]any{"conversation-trainer": {"days_back": 365}, "knowledge-graph-builder": {"days_back": 365}}

func runDemo(ctx context.Context, g *Globals, env dev.Environment) ([]client.Execution, error) {
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: env.DatabaseURL, Name: "ciclo demo", MaxConns: 2, Pooled: true})
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	g.say("Loading a consultancy of %d clients", demo.DefaultTruth.Clients)
	if err := demo.Seed(ctx, pool, demo.DefaultTruth, 1, time.Now()); err != nil {
		return nil, err
	}
	status, err := env.Client.Status(ctx)
	if err != nil {
		return nil, err
	}
	var results []client.Execution
	for _, agent := range status.Agents {
		if !agent.RunsByItself {
			continue
		}
		var parameters any
		if given := demoParameters[agent.ID]; given != nil {
			parameters = given
		}
		e, err := env.Client.Run(ctx, agent.ID, parameters)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", agent.ID, err)
		}
		g.say("%s: accepted as %s", agent.Name, e.ID)
		results = append(results, e)
	}
	waiting, ctx := errgroup.WithContext(ctx)
	for i := range results {
		waiting.Go(func() (err error) {
			results[i], err = env.Client.Wait(ctx, results[i].ID, nil)
			return err
		})
	}
	if err := waiting.Wait(); err != nil {
		return nil, err
	}
	if !g.JSON {
		for _, e := range results {
			fmt.Fprintln(g.out)
			printExecution(g.out, e)
			printResult(g.out, e)
		}
	}
	return results, nil
}
