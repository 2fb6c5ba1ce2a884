package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/internal/dev"
	"github.com/nuzantara/ciclo/internal/postgres"
)

type migrateCommand struct {
	Plan        bool          `help:"Say what is pending, what it locks and whom it would shut out, and change nothing."`
	LockTimeout time.Duration `default:"2s" help:"How long one try of a migration waits for a lock before it gives way."`
	Wait        time.Duration `default:"5m" help:"How long a migration that gets no lock is tried again."`
	ShutOut     bool          `help:"Apply also what services of an old version that still run can't work with."`
}

func (c migrateCommand) Run(ctx context.Context, g *Globals) error {
	url, err := g.direct()
	if err != nil {
		return err
	}
	if c.LockTimeout < time.Millisecond || c.Wait < 0 {
		return usageError{fmt.Errorf("--lock-timeout %s must be 1ms or more, --wait %s not negative", c.LockTimeout, c.Wait)}
	}
	if c.Plan {
		return c.plan(ctx, g, url)
	}
	options := postgres.MigrateOptions{LockTimeout: c.LockTimeout, LockWait: max(c.Wait, time.Nanosecond), ShutOut: c.ShutOut, Told: func(e postgres.MigrateEvent) {
		switch {
		case e.Done:
			fmt.Fprintf(g.err, "%s: applied in %.2f s\n", e.Migration, e.Took.Seconds())
		case e.Waits != "":
			fmt.Fprintf(g.err, "%s: waits for %s\n", e.Migration, e.Waits)
		}
	}}
	if err := postgres.MigrateWith(ctx, url, options); err != nil {
		return err
	}
	granted, err := postgres.GrantRoles(ctx, url)
	if err != nil {
		return err
	}
	if g.JSON {
		version, err := postgres.SchemaVersion()
		if err != nil {
			return err
		}
		return g.printJSON(map[string]any{"database": dev.RedactURL(url), "schema_version": version, "granted": append([]string{}, granted...)})
	}
	g.say("The schema of %s is up to date.", dev.RedactURL(url))
	if len(granted) > 0 {
		g.say("The roles %s have what they need of it, and no more.", strings.Join(granted, ", "))
	}
	return nil
}

// plan says what Run would do.
func (c migrateCommand) plan(ctx context.Context, g *Globals, url string) error {
	p, err := postgres.PlanMigration(ctx, url)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(p)
	}
	g.say("%s has schema version %d, this program has %d.", dev.RedactURL(url), p.SchemaVersion, p.TargetVersion)
	if len(p.Pending) == 0 {
		g.say("Nothing is pending.")
	}
	for _, m := range p.Pending {
		g.printPlanned(m)
	}
	if len(p.Sessions) > 0 {
		g.say("\nServices that run:")
	}
	table(g.out, func(row func(...any)) {
		for _, s := range p.Sessions {
			built := "schema " + fmt.Sprint(s.SchemaVersion)
			if s.SchemaVersion == 0 {
				built = "schema not known"
			}
			fate := "goes on"
			if s.ShutOut {
				fate = "SHUT OUT: update it first"
			}
			row("  "+s.Service, s.ID, s.Host, s.Version, built, fate)
		}
	})
	return nil
}

func (g *Globals) printPlanned(m postgres.PlannedMigration) {
	how := "in one transaction"
	if !m.Transactional {
		how = "outside of a transaction"
	}
	kind := m.Kind
	if m.RaisesOldestTo > 0 {
		kind = fmt.Sprintf("%s: serves programs of schema version %d and later", m.Kind, m.RaisesOldestTo)
	}
	g.say("\n%s: %s, %s", m.Name, kind, how)
	table(g.out, func(row func(...any)) {
		for _, l := range m.Locks {
			size := "not there yet"
			if l.Rows != nil && l.Bytes != nil {
				size = fmt.Sprintf("about %d rows, %s", *l.Rows, inBytes(*l.Bytes))
			}
			row("  locks", l.Table, l.Mode, map[string]string{"": "", "scan": "reads all rows", "rewrite": "writes all rows anew", "rows": "writes rows"}[l.Work], size)
		}
	})
	if len(m.Locks) == 0 {
		g.say("  locks no table that is in use")
	}
	if m.Unread > 0 {
		g.say("  %d of its statements are for a person to read: --json shows them", m.Unread)
	}
}

// inBytes is a size for people.
func inBytes(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	size, unit := float64(n), 0
	for size >= 1000 && unit < len(units)-1 {
		size, unit = size/1000, unit+1
	}
	return fmt.Sprintf("%.3g %s", size, units[unit])
}
