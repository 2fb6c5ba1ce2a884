package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// tokenCommand works on the database itself, so that a first token needs none.
type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Make a token and print it, this once."`
	List   tokenList   `cmd:"" help:"List the tokens, without themselves."`
	Revoke tokenRevoke `cmd:"" help:"End a token; orchestrators know within two seconds."`
}

type tokenCreate struct {
	Name  string   `arg:"" help:"What to know it by, such as crm or grafana."`
	Scope []string `required:"" enum:"read,run,approve,admin" help:"What it may do: read, run, approve or admin; more than one by repeating the flag."`
}

func (c tokenCreate) Run(ctx context.Context, g *Globals) error {
	return g.withStore(ctx, func(store *postgres.Store) error {
		text, hash := postgres.NewToken()
		err := store.CreateToken(ctx, c.Name, hash, c.Scope)
		switch {
		case errors.Is(err, postgres.ErrTokenKnown):
			return fmt.Errorf("%w: `ciclo token revoke %s` ends it", err, c.Name)
		case postgres.Refused(err):
			fmt.Fprintf(g.err, "ciclo: %q is no name for a token: 1 to 63 letters, digits, dots, hyphens and underscores\n", c.Name)
			return exit{ExitUsage}
		case err != nil:
			return err
		}
		if g.JSON {
			return g.printJSON(map[string]any{"name": c.Name, "scopes": c.Scope, "token": text})
		}
		fmt.Fprintln(g.out, text)
		return nil
	})
}

type tokenList struct{}

func (tokenList) Run(ctx context.Context, g *Globals) error {
	return g.withStore(ctx, func(store *postgres.Store) error {
		list, err := store.Tokens(ctx)
		if err != nil {
			return err
		}
		if g.JSON {
			return g.printJSON(map[string]any{"tokens": list})
		}
		table(g.out, func(row func(...any)) {
			row("NAME", "SCOPES", "MADE", "REVOKED")
			for _, t := range list {
				revoked := ""
				if t.RevokedAt != nil {
					revoked = t.RevokedAt.Format(time.DateTime)
				}
				row(t.Name, strings.Join(t.Scopes, " "), t.CreatedAt.Format(time.DateTime), revoked)
			}
		})
		return nil
	})
}

type tokenRevoke struct {
	Name string `arg:"" help:"The token's name."`
}

func (c tokenRevoke) Run(ctx context.Context, g *Globals) error {
	return g.withStore(ctx, func(store *postgres.Store) error {
		if err := store.RevokeToken(ctx, c.Name); err != nil {
			return err
		}
		if g.JSON {
			return g.printJSON(map[string]any{"name": c.Name, "revoked": true})
		}
		g.say("%s is revoked.", c.Name)
		return nil
	})
}

// withStore works on the database, which must have this program's schema.
func (g *Globals) withStore(ctx context.Context, do func(*postgres.Store) error) error {
	url, err := g.database()
	if err != nil {
		return err
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo", MaxConns: 1, Pooled: true})
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := postgres.CheckSchema(ctx, pool); err != nil {
		return err
	}
	store, err := postgres.New(pool)
	if err != nil {
		return err
	}
	return do(store)
}
