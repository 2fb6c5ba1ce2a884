package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// fault is one kind of what breaks. It breaks something, waits where that lasts,
// and heals it, also where ctx ends meanwhile.
type fault struct {
	name   string
	inject func(ctx context.Context, n *nemesis) error
}

// faults are all the kinds, in the order of the table that is printed.
var faults = []fault{
	{"worker killed -9", func(_ context.Context, n *nemesis) error {
		return n.one("worker").end(syscall.SIGKILL, n.upTo(n.lease))
	}},
	{"worker frozen and woken", func(ctx context.Context, n *nemesis) error {
		return n.freeze(ctx, n.one("worker"), n.between(n.lease/2, 5*n.lease/2))
	}},
	{"worker deployed (SIGTERM)", func(_ context.Context, n *nemesis) error {
		return n.one("worker").end(syscall.SIGTERM, n.upTo(n.lease/2))
	}},
	{"worker cut off from Postgres", func(ctx context.Context, n *nemesis) error {
		return n.cut(ctx, n.one("worker"), n.between(n.lease/2, 5*n.lease/2))
	}},
	{"orchestrator killed -9", func(_ context.Context, n *nemesis) error {
		return n.one("orchestrator").end(syscall.SIGKILL, n.upTo(n.lease))
	}},
	{"orchestrator frozen and woken", func(ctx context.Context, n *nemesis) error {
		return n.freeze(ctx, n.one("orchestrator"), n.between(n.lease/2, 2*n.lease))
	}},
	{"orchestrator cut off from Postgres", func(ctx context.Context, n *nemesis) error {
		return n.cut(ctx, n.one("orchestrator"), n.between(n.lease/2, 2*n.lease))
	}},
	{"Postgres stopped", func(ctx context.Context, n *nemesis) error {
		return n.cluster.databaseDown(ctx, syscall.SIGINT, n.between(n.lease/4, 2*n.lease))
	}},
	{"Postgres crashed (immediate)", func(ctx context.Context, n *nemesis) error {
		return n.cluster.databaseDown(ctx, syscall.SIGQUIT, n.upTo(n.lease/2))
	}},
	{"session of Postgres killed -9", func(ctx context.Context, n *nemesis) error {
		return n.sql(ctx, func(ctx context.Context, tx pgx.Tx) error {
			var pid int
			err := tx.QueryRow(ctx, `SELECT pid FROM pg_stat_activity WHERE application_name IN ('ciclo worker', 'ciclo orchestrator') ORDER BY random() LIMIT 1`).Scan(&pid)
			if err != nil {
				return err
			}
			return syscall.Kill(pid, syscall.SIGKILL) // Postgres restarts all its sessions
		})
	}},
	{"sessions terminated", func(ctx context.Context, n *nemesis) error {
		return n.exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ciclo %' AND pid <> pg_backend_pid() AND random() < 0.5`)
	}},
	{"NOTIFYs lost", func(ctx context.Context, n *nemesis) error {
		until := time.Now().Add(n.between(n.lease/2, n.lease))
		for time.Now().Before(until) {
			err := n.exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN %'`)
			if err != nil || !sleep(ctx, 100*time.Millisecond) {
				return err
			}
		}
		return nil
	}},
	{"network slow", func(ctx context.Context, n *nemesis) error {
		return n.toxic(ctx, "latency", "downstream", map[string]int64{"latency": n.upTo(n.lease / 4).Milliseconds(), "jitter": n.upTo(n.lease / 10).Milliseconds()})
	}},
	{"network half-open", func(ctx context.Context, n *nemesis) error {
		return n.toxic(ctx, "timeout", n.either("upstream", "downstream"), map[string]int64{"timeout": 0})
	}},
	{"network torn in mid-answer", func(ctx context.Context, n *nemesis) error {
		return n.toxic(ctx, "limit_data", "downstream", map[string]int64{"bytes": int64(1000 + n.intN(20_000))})
	}},
	{"connections reset", func(ctx context.Context, n *nemesis) error {
		return n.toxic(ctx, "reset_peer", n.either("upstream", "downstream"), map[string]int64{"timeout": n.upTo(300 * time.Millisecond).Milliseconds()})
	}},
	{"rows locked by somebody", func(ctx context.Context, n *nemesis) error {
		return n.sql(ctx, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `SELECT FROM ciclo.executions WHERE ended_at IS NULL AND random() < 0.3 FOR UPDATE SKIP LOCKED`)
			sleep(ctx, n.upTo(n.lease/2))
			return err
		})
	}},
	{"River rows deleted", func(ctx context.Context, n *nemesis) error {
		return n.exec(ctx, `DELETE FROM ciclo.river_job WHERE id IN (SELECT id FROM ciclo.river_job WHERE state IN ('available', 'running') ORDER BY random() LIMIT 5 FOR UPDATE SKIP LOCKED)`)
	}},
	{"River rows delivered again", func(ctx context.Context, n *nemesis) error {
		return n.exec(ctx, `UPDATE ciclo.river_job SET state = 'available', finalized_at = NULL, max_attempts = max_attempts + 1
			WHERE id IN (SELECT id FROM ciclo.river_job ORDER BY state = 'running' DESC, random() LIMIT 10 FOR UPDATE SKIP LOCKED)`)
	}},
	{"everything restarted at once", func(ctx context.Context, n *nemesis) error {
		for _, s := range n.cluster.services {
			if err := s.end(syscall.SIGKILL, 0); err != nil {
				return err
			}
		}
		return n.cluster.databaseDown(ctx, syscall.SIGQUIT, 0)
	}},
	{"ledger out of order", func(ctx context.Context, n *nemesis) error {
		n.ledger.bad.Store(true)
		defer n.ledger.bad.Store(false)
		sleep(ctx, n.upTo(n.lease/2))
		return nil
	}},
}

// nemesis breaks one thing after another.
type nemesis struct {
	cluster *cluster
	ledger  *ledger
	lease   time.Duration
	random  *rand.Rand // of one lane: not shared
}

func (n *nemesis) intN(k int) int { return n.random.IntN(k) }

func (n *nemesis) upTo(d time.Duration) time.Duration { return n.between(0, d) }

func (n *nemesis) between(from, to time.Duration) time.Duration {
	return from + time.Duration(n.random.Int64N(int64(to-from)+1))
}

func (n *nemesis) either(all ...string) string { return all[n.intN(len(all))] }

func (n *nemesis) one(kind string) *service {
	all := n.cluster.of(kind)
	return all[n.intN(len(all))]
}

func (n *nemesis) freeze(ctx context.Context, s *service, d time.Duration) error {
	p := s.current()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	sleep(ctx, d)
	return p.Signal(syscall.SIGCONT)
}

// cut closes the service's connections to Postgres and refuses new ones.
func (n *nemesis) cut(ctx context.Context, s *service, d time.Duration) error {
	for _, proxy := range s.proxies {
		proxy.Stop()
	}
	sleep(ctx, d)
	for _, proxy := range s.proxies {
		if err := proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
			return fmt.Errorf("restore the proxy: %w", err)
		}
	}
	return nil
}

// toxic poisons one service's connections to Postgres for a while.
func (n *nemesis) toxic(ctx context.Context, kind, stream string, attributes map[string]int64) error {
	s := n.cluster.services[n.intN(len(n.cluster.services))]
	proxy := s.proxies[0]
	if len(s.proxies) > 1 {
		proxy = s.proxies[n.intN(len(s.proxies))]
	}
	text, err := json.Marshal(map[string]any{"type": kind, "stream": stream, "attributes": attributes})
	if err != nil {
		return err
	}
	added, err := proxy.Toxics.AddToxicJson(strings.NewReader(string(text)))
	if errors.Is(err, toxiproxy.ErrToxicAlreadyExists) {
		return nil // the other lane's
	}
	if err != nil {
		return fmt.Errorf("add %s: %w", kind, err)
	}
	sleep(ctx, n.between(n.lease/2, 2*n.lease))
	return proxy.Toxics.RemoveToxic(context.WithoutCancel(ctx), added.Name)
}

func (n *nemesis) exec(ctx context.Context, query string) error {
	return n.sql(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, query)
		return err
	})
}

// sql meddles with the database. That it is away, or that it ends our own
// session too, is the other lane's doing.
func (n *nemesis) sql(ctx context.Context, meddle func(ctx context.Context, tx pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := pgx.BeginFunc(ctx, n.cluster.admin, func(tx pgx.Tx) error { return meddle(ctx, tx) })
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && !strings.HasPrefix(refused.Code, "57P") && !strings.HasPrefix(refused.Code, "40") && !strings.HasPrefix(refused.Code, "08") {
		return fmt.Errorf("meddle: %w", err)
	}
	return nil
}
