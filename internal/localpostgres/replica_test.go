package localpostgres

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestAReplicaFollowsAndIsPromoted(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := reachableDir(t)
	servers := map[string]*Server{}
	for _, name := range []string{"primary", "replica"} {
		servers[name] = mustStart(t, Config{Dir: filepath.Join(dir, name), ReplicaOf: servers["primary"]})
	}
	one := func(server, query string) (value string) {
		conn, err := pgx.Connect(ctx, servers[server].URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(ctx))
		if err := conn.QueryRow(ctx, query).Scan(&value); err != nil {
			t.Fatalf("%s at the %s: %v", query, server, err)
		}
		return value
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if one("primary", `SELECT coalesce(min(application_name), '') FROM pg_stat_replication WHERE state = 'streaming'`) == "replica" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nobody streams")
		}
	}
	if got := one("replica", `SELECT pg_is_in_recovery()::text`); got != "true" {
		t.Errorf("the replica is in recovery: %s", got)
	}
	if err := servers["primary"].Stop(); err != nil {
		t.Fatal(err)
	}
	if got := one("replica", `SELECT pg_promote()::text`); got != "true" {
		t.Errorf("promoted: %s", got)
	}
	if got := one("replica", `SELECT pg_is_in_recovery()::text`); got != "false" {
		t.Errorf("the promoted replica is in recovery: %s", got)
	}
}
