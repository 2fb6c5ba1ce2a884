package postgres_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// The owner of a managed database, or of the compose file's, is no superuser.
func TestMigratingNeedsNoSuperuser(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(testdatabase.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	b := connect(t, address.String())
	if b.count(`SELECT count(*) FROM pg_roles WHERE rolname = current_user AND rolsuper`) == 0 {
		t.Skip("the tests' own role can't make another: it is no superuser")
	}
	role := "ciclo_owner_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	owner := pgx.Identifier{role}.Sanitize()
	b.exec(`CREATE ROLE ` + owner + ` LOGIN PASSWORD 'owner'`)
	t.Cleanup(func() {
		b.ctx = context.WithoutCancel(b.ctx)
		b.exec(`REASSIGN OWNED BY ` + owner + ` TO current_user`)
		b.exec(`DROP OWNED BY ` + owner)
		b.exec(`DROP ROLE ` + owner)
	})
	b.exec(`ALTER DATABASE ` + pgx.Identifier{strings.TrimPrefix(address.Path, "/")}.Sanitize() + ` OWNER TO ` + owner)
	address.User = url.UserPassword(role, "owner")
	b.must(postgres.Migrate(b.ctx, address.String()))

	var seen int
	var left string
	b.must(pgx.BeginFunc(b.ctx, connect(t, address.String()).pool, func(tx pgx.Tx) error {
		return tx.QueryRow(b.ctx, `
			SELECT seen, coalesce(current_setting('ciclo.pruning', true), '') FROM ciclo.prune_executions(now() - interval '2 days', '', '-infinity', '', 10, false)`).Scan(&seen, &left)
	}))
	if seen != 0 || left != "" {
		t.Errorf("%d seen by the owner, who has the setting %q afterwards", seen, left)
	}
}

func TestLeaseOfAProcess(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	lease := func(pid int) (string, bool) {
		t.Helper()
		id, alive, err := b.Lease(b.ctx, "h", pid)
		b.must(err)
		return id, alive
	}
	if id, alive := lease(1); id != "" || alive {
		t.Errorf("nobody has registered: %q, %t", id, alive)
	}
	first := b.worker()
	b.exec(`UPDATE ciclo.workers SET started_at = now() - interval '1 minute'`)
	second := b.worker()
	if id, alive := lease(1); id != second || !alive {
		t.Errorf("the youngest is %q, %t, want %s", id, alive, second)
	}
	b.expire(second)
	if id, alive := lease(1); id != second || alive {
		t.Errorf("a lease that has run out: %q, %t", id, alive)
	}
	b.exec(`UPDATE ciclo.workers SET ended_at = now() WHERE id = $1`, second)
	if id, alive := lease(1); id != first || !alive {
		t.Errorf("after the end of one: %q, %t", id, alive)
	}
	if id, _ := lease(2); id != "" {
		t.Errorf("another process has %q", id)
	}
}
