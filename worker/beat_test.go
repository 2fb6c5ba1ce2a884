package worker_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/worker"
)

// statements keeps what a pool was asked, as a pgx tracer.
type statements struct {
	mu   sync.Mutex
	done []statement
}

type statement struct {
	sql  string
	rows int64
}

type sqlKey struct{}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, sqlKey{}, q.SQL)
}

func (s *statements) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryEndData) {
	sql, _ := ctx.Value(sqlKey{}).(string)
	if sql == "-- ping" {
		return // the pool's own, of a connection that was idle for a second
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, statement{sql, q.CommandTag.RowsAffected()})
}

// since is the statements that ended after the first n.
func (s *statements) since(n int) []statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done[n:len(s.done):len(s.done)]
}

// patient is an agent that runs until it is released.
type patient struct{ released chan struct{} }

func (p patient) Run(ctx context.Context, _ *agents.Task) (agents.Result, error) {
	select {
	case <-p.released:
		return struct{}{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-limit:
			t.Fatalf("within a minute it did not come about that %s", what)
		case <-tick.C:
		}
	}
}

func TestABeatIsOneStatementForAThousandExecutions(t *testing.T) {
	t.Parallel()
	const many = 1000
	ctx := context.Background()
	r := newRig(t)
	asked := &statements{}
	cfg := r.pool.Config()
	cfg.MaxConns, cfg.ConnConfig.Tracer = 2, asked
	beats, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(beats.Close)
	agent := patient{make(chan struct{})}
	id, _ := r.start(func(c *worker.Config) {
		c.BeatPool = beats
		c.Agents = map[string]agents.Agent{"test-slow": agent, "test-noop": testagents.Noop{}}
		c.Concurrency = map[string]int{"test-slow": many}
	})
	var last string
	for range many {
		e, err := r.Accept(ctx, postgres.Acceptance{
			Agent: "test-slow", IDPrefix: "slow_", Parameters: []byte("{}"), Tries: 3, TimeoutSeconds: 600, Priority: 2, Reason: "test",
		})
		if err != nil {
			t.Fatal(err)
		}
		last = e.ID
	}
	count := func(n int, where string) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d executions are %s", n, where), func() bool {
			var have int
			if err := r.pool.QueryRow(ctx, `SELECT count(*) FROM ciclo.executions WHERE `+where).Scan(&have); err != nil {
				t.Fatal(err)
			}
			return have == n
		})
	}
	held := fmt.Sprintf("status = 'running' AND attempt = 1 AND failures = 0 AND worker_id = '%s'", id)
	count(many, held)

	// A beat on its way may have looked before the last claim: the next doesn't.
	from := len(asked.since(0)) + 1
	eventually(t, "five beats have answered", func() bool { return len(asked.since(0)) >= from+5 })
	for _, s := range asked.since(from) {
		if !strings.Contains(s.sql, "beat_at = now()") || s.rows != many {
			t.Errorf("a statement that is no beat for all: %d rows of %s", s.rows, s.sql)
		}
	}
	count(many, held)

	if _, err := r.Cancel(ctx, last); err != nil {
		t.Fatal(err)
	}
	if e := r.await(last, final); e.Status != execution.Cancelled {
		t.Errorf("cancelled among a thousand it ended as %+v", e)
	}
	close(agent.released)
	count(many-1, "status = 'completed' AND attempt = 1 AND failures = 0")
}
