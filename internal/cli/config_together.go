package cli

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// replicaTime is how long a replica that follows may take to have what the primary has.
const replicaTime = 2 * time.Second

// judgeTogether looks at what services look at of their databases at their start: whether
// it is the one that they knew, the settings behind a pooler, whether the direct URL leads
// past it to the same database, and whether the replica is one of the primary, with the
// same past. Those that didn't answer have said so. Lease is the services'.
func judgeTogether(ctx context.Context, urls map[string]string, reports []databaseReport, lease time.Duration) {
	report := func(name string) *databaseReport {
		i := slices.IndexFunc(reports, func(d databaseReport) bool { return d.Variable == name && d.Version != "" })
		if i < 0 {
			return nil
		}
		return &reports[i]
	}
	primary := report("DATABASE_URL")
	if primary == nil || primary.Replica || primary.Schema == 0 {
		return
	}
	pools := map[string]*pgxpool.Pool{}
	for name, url := range urls {
		pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo config check", MaxConns: 2, Pooled: true})
		if err != nil {
			return // it was said
		}
		defer pool.Close()
		pools[name] = pool
	}
	var timeline *postgres.TimelineError
	switch err := postgres.CheckIncarnation(ctx, pools["DATABASE_URL"], false); {
	case errors.As(err, &timeline):
		primary.odd("%s", err)
	case err != nil && !postgres.Forbidden(err):
		primary.wrong("%s", why(err))
	}
	pooled := os.Getenv("DATABASE_POOLER") == "transaction"
	if pooled && lease > 0 {
		if err := postgres.CheckPooled(ctx, pools["DATABASE_URL"], lease/2); err != nil {
			primary.wrong("%s", why(err))
		}
	}
	if direct := report("DATABASE_DIRECT_URL"); pooled && direct != nil {
		if err := postgres.CheckDirect(ctx, pools["DATABASE_DIRECT_URL"], pools["DATABASE_URL"]); err != nil {
			direct.wrong("%s", why(err))
		}
	}
	if replica := report("DATABASE_READ_URL"); replica != nil {
		replica.follows(ctx, pools["DATABASE_URL"], pools["DATABASE_READ_URL"])
	}
}

// follows looks whether it is a replica of the primary's, and near.
func (d *databaseReport) follows(ctx context.Context, primary, replica *pgxpool.Pool) {
	store, err := postgres.New(primary)
	if err != nil {
		d.wrong("%s", why(err))
		return
	}
	store.Replicated(replica)
	if err := store.CheckReplica(ctx); err != nil {
		d.wrong("%s", why(err))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, replicaTime)
	defer cancel()
	err = store.AwaitReplica(ctx)
	var behind *postgres.BehindError
	switch {
	case errors.As(err, &behind):
		d.odd("%s after %s: the primary answers meanwhile", behind, replicaTime)
	case err != nil:
		d.wrong("%s", why(err))
	}
}
