package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/modelserver"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// history is all that is left of a run.
type history struct {
	executions  map[string]*executed
	transitions map[string][]moved
	steps       []wrote
	effects     []effected
	audit       []postgres.Finding
	schedules   []timed
	slots       []slot
	cycles      []cycled
	calls       []called
	paid        []modelserver.Call

	clients *clients
	bodies  map[string][]int
	told    map[string]int
	deaths  []string
	broken  []string // faults that could not be injected or healed

	promoted time.Time // zero where no replica was
	lease    time.Duration
}

type executed struct {
	ID, Agent, Status  string
	Parameters, Result json.RawMessage
	Attempt            int
	Key, Cycle         string
}

type moved struct {
	Execution, From, To string
	Attempt             int
	Worker              *string
	At                  time.Time
	Class               string
}

type wrote struct {
	Execution, Name string
	Attempt         int
	Worker          string
	At              time.Time
}

type effected struct {
	Execution, Name, Key, Policy, State string
	Attempt                             int
	Worker                              string
}

// read reads what the database knows.
func (h *history) read(ctx context.Context, c *cluster, lease time.Duration) error {
	return postgresErr(pgx.BeginTxFunc(ctx, c.admin, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		executions, err := collect[executed](ctx, tx, `SELECT id, agent, status, parameters, result, attempt, coalesce(idempotency_key, ''), coalesce(cycle_id, '') FROM ciclo.executions`)
		if err != nil {
			return err
		}
		h.executions = map[string]*executed{}
		for _, e := range executions {
			h.executions[e.ID] = &e
		}
		transitions, err := collect[moved](ctx, tx, `SELECT execution_id, coalesce(from_status, ''), to_status, attempt, worker_id::text, at, coalesce(error_class, '') FROM ciclo.transitions ORDER BY id`)
		if err != nil {
			return err
		}
		h.transitions = map[string][]moved{}
		for _, t := range transitions {
			h.transitions[t.Execution] = append(h.transitions[t.Execution], t)
		}
		if h.steps, err = collect[wrote](ctx, tx, `SELECT execution_id, name, attempt, worker_id::text, ended_at FROM ciclo.steps`); err != nil {
			return err
		}
		if h.schedules, err = collect[timed](ctx, tx, `
			SELECT name, interval_seconds, anchor_at, ends_at, created_at, overlap, coalesce(broken, '') FROM ciclo.schedules WHERE interval_seconds IS NOT NULL`); err != nil {
			return err
		}
		if h.slots, err = collect[slot](ctx, tx, `
			SELECT s.schedule, s.due_at, s.outcome, coalesce(s.reason, ''), coalesce(s.cycle_id, '') FROM ciclo.slots s JOIN ciclo.schedules n ON n.name = s.schedule
			WHERE n.interval_seconds IS NOT NULL`); err != nil {
			return err
		}
		if h.cycles, err = collect[cycled](ctx, tx, `
			SELECT c.id, coalesce(c.schedule, ''), c.status, count(*) FILTER (WHERE a.decision = 'run')::int, count(e.id)::int, count(e.id) FILTER (WHERE e.ended_at IS NULL)::int
			FROM ciclo.cycles c LEFT JOIN ciclo.cycle_agents a ON a.cycle_id = c.id LEFT JOIN ciclo.executions e ON e.id = a.execution_id AND e.cycle_id = c.id
			GROUP BY c.id`); err != nil {
			return err
		}
		if h.calls, err = collect[called](ctx, tx, readCalls); err != nil {
			return err
		}
		h.effects, err = collect[effected](ctx, tx, `SELECT execution_id, name, key, policy, state, attempt, worker_id::text FROM ciclo.effects`)
		return err
	}), h.readAudit(ctx, c, lease))
}

func (h *history) readAudit(ctx context.Context, c *cluster, lease time.Duration) error {
	store, err := postgres.New(c.admin)
	if err == nil {
		h.audit, err = store.Audit(ctx, lease, 24*time.Hour)
	}
	return err
}

func postgresErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("read the history: %w", err)
		}
	}
	return nil
}

func collect[T any](ctx context.Context, tx pgx.Tx, query string) ([]T, error) {
	rows, err := tx.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}

// slack is by how much the database's times of two transactions may be in the
// other order than their commits.
const slack = 200 * time.Millisecond

// rule is one thing that the history must show.
type rule struct {
	text  string
	check func(h *history, found func(format string, args ...any))
}

var rules = []rule{
	{"what a client was told is accepted exists under its key, as it was asked for", func(h *history, found func(string, ...any)) {
		for id, s := range h.clients.known {
			e := h.executions[id]
			if e == nil {
				found("%s is gone", id)
				continue
			}
			var have map[string]any
			if err := json.Unmarshal(e.Parameters, &have); err != nil || e.Agent != s.agent || e.Key != s.key {
				found("%s is of %s under %s with %s: %v", id, e.Agent, e.Key, e.Parameters, err)
			}
			for name, value := range s.parameters {
				if fmt.Sprint(have[name]) != fmt.Sprint(value) {
					found("%s has %s %v, asked for was %v", id, name, have[name], value)
				}
			}
		}
	}},
	{"every request was accepted in the end, and made one execution however often it was sent", func(h *history, found func(string, ...any)) {
		for _, w := range h.clients.open {
			found("nobody answers the request %s", w.key)
		}
		for id, e := range h.executions {
			if h.clients.known[id] == nil && e.Cycle == "" {
				found("%s exists beside the one that the client knows, for the request %s", id, e.Key)
			}
		}
	}},
	{"every answer of the API is right or says that it may be tried again", func(h *history, found func(string, ...any)) {
		for _, w := range h.clients.wrong {
			found("%s", w)
		}
	}},
	{"all are final within the bound", func(h *history, found func(string, ...any)) {
		for id, e := range h.executions {
			if !e.final() {
				found("%s is %s in attempt %d", id, e.Status, e.Attempt)
			}
		}
	}},
	{"a final status that a client saw stays, and no attempt goes back", func(h *history, found func(string, ...any)) {
		for id, s := range h.clients.known {
			e := h.executions[id]
			if e != nil && (s.final != "" && s.final != e.Status || s.attempt > e.Attempt) {
				found("%s is %s in attempt %d, seen was %s in attempt %d", id, e.Status, e.Attempt, s.final, s.attempt)
			}
		}
	}},
	{"what was cancelled is cancelled, or had just ended", func(h *history, found func(string, ...any)) {
		for id, s := range h.clients.known {
			if e := h.executions[id]; e != nil && s.cancelled && e.Status == "failed" {
				found("%s failed after its cancel was accepted", id)
			}
		}
	}},
	{"results are what the steps add up to", func(h *history, found func(string, ...any)) {
		for id, e := range h.executions {
			if e.Agent != "test-steps" || e.Status != "completed" {
				continue
			}
			var p struct{ Steps int }
			var r struct{ Sum int }
			if err := json.Unmarshal(e.Parameters, &p); err != nil {
				found("%s: %v", id, err)
			}
			if err := json.Unmarshal(e.Result, &r); err != nil || r.Sum != p.Steps*(p.Steps+1)/2 {
				found("%s: the sum of %d steps is %d", id, p.Steps, r.Sum)
			}
		}
	}},
	{"a finished step is never done again, a stored one was done", func(h *history, found func(string, ...any)) {
		for _, s := range h.steps {
			bodies := h.bodies[s.Execution+"/"+s.Name]
			if h.executions[s.Execution].Agent != "test-steps" {
				continue
			}
			if !slices.Contains(bodies, s.Attempt) {
				found("%s: %s is stored by attempt %d, done by %v", s.Execution, s.Name, s.Attempt, bodies)
			}
			if again := slices.Max(append(bodies, 0)); again > s.Attempt {
				found("%s: %s is stored by attempt %d and was done again by attempt %d", s.Execution, s.Name, s.Attempt, again)
			}
		}
	}},
	{"an attempt writes between its claim and its end only, by its own worker", func(h *history, found func(string, ...any)) {
		attempts := h.attempts()
		for _, s := range h.steps {
			a, ok := attempts[attemptKey{s.Execution, s.Attempt}]
			if !ok || a.worker != s.Worker || s.At.Before(a.from.Add(-slack)) || s.At.After(a.to.Add(slack)) {
				found("%s: %s at %s by attempt %d of worker %s, which ran %s", s.Execution, s.Name, clock(s.At), s.Attempt, s.Worker, a)
			}
		}
		for _, e := range h.effects {
			if a, ok := attempts[attemptKey{e.Execution, e.Attempt}]; !ok || a.worker != e.Worker {
				found("%s: %s by attempt %d of worker %s, which ran %s", e.Execution, e.Name, e.Attempt, e.Worker, a)
			}
		}
	}},
	{"attempts don't overlap: each begins after the end of the one before", func(h *history, found func(string, ...any)) {
		for id, all := range h.transitions {
			status, worker, attempt := "", "", 0
			for _, t := range all {
				ok := t.From == status
				switch {
				case t.To == "running":
					ok = ok && t.Attempt == attempt+1 && t.Worker != nil
				case t.From == "running":
					ok = ok && t.Attempt == attempt && t.Worker != nil && *t.Worker == worker
				}
				if !ok {
					found("%s: %s → %s in attempt %d after %s in attempt %d", id, t.From, t.To, t.Attempt, status, attempt)
				}
				status, attempt = t.To, t.Attempt
				if t.Worker != nil {
					worker = *t.Worker
				}
			}
			if e := h.executions[id]; e == nil || e.Status != status || e.Attempt != attempt {
				found("%s ends as %s in attempt %d", id, status, attempt)
			}
		}
	}},
	{"effects happen at most once, exactly once where done, again only where that is declared safe", func(h *history, found func(string, ...any)) {
		keys := map[string]bool{}
		for _, e := range h.effects {
			keys[e.Key] = true
			n := h.told[e.Key]
			switch {
			case e.State == "intended":
				found("%s: %s is left open", e.Execution, e.Name)
			case e.State == "done" && n == 0, e.State == "not_done" && n > 0, n > 1 && e.Policy != "repeat":
				found("%s: %s (%s) is %s and happened %d times", e.Execution, e.Name, e.Policy, e.State, n)
			}
		}
		for key := range h.told {
			if !keys[key] {
				found("%s happened without an intent", key)
			}
		}
	}},
	{"the audit is zero", func(h *history, found func(string, ...any)) {
		for _, f := range h.audit {
			if !f.Checked {
				found("not checked: %s", f.Invariant)
			}
			if f.Count > 0 {
				found("%s: %d, such as %v", f.Invariant, f.Count, f.Samples)
			}
		}
	}},
	{"nobody is judged before a promoted replica has answered for a whole lease", func(h *history, found func(string, ...any)) {
		for id, all := range h.transitions {
			for _, t := range all {
				if t.Class == "lost" && t.At.After(h.promoted) && t.At.Before(h.promoted.Add(h.lease)) {
					found("%s was taken from worker %s %s after the promotion", id, *t.Worker, t.At.Sub(h.promoted))
				}
			}
		}
	}},
	{"no service ends by itself", func(h *history, found func(string, ...any)) {
		for _, d := range h.deaths {
			found("%s", d)
		}
	}},
	{"every fault could be injected and healed", func(h *history, found func(string, ...any)) {
		for _, f := range h.broken {
			found("%s", f)
		}
	}},
}

func (e executed) final() bool {
	return e.Status == "completed" || e.Status == "failed" || e.Status == "cancelled"
}

type attemptKey struct {
	execution string
	attempt   int
}

// span is the time and the worker of an attempt.
type span struct {
	worker   string
	from, to time.Time
}

func (s span) String() string {
	if s.worker == "" {
		return "never"
	}
	return fmt.Sprintf("from %s to %s on %s", clock(s.from), clock(s.to), s.worker)
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }

func (h *history) attempts() map[attemptKey]span {
	all := map[attemptKey]span{}
	for _, transitions := range h.transitions {
		for _, t := range transitions {
			k := attemptKey{t.Execution, t.Attempt}
			switch {
			case t.To == "running" && t.Worker != nil:
				all[k] = span{*t.Worker, t.At, time.Now().Add(time.Hour)}
			case t.From == "running":
				a := all[k]
				a.to = t.At
				all[k] = a
			}
		}
	}
	return all
}

// statuses counts executions by status, and attempts.
func (h *history) statuses() (counts map[string]int, attempts int) {
	counts = map[string]int{}
	for _, e := range h.executions {
		counts[e.Status]++
		attempts += e.Attempt
	}
	return counts, attempts
}

func sorted(counts map[string]int) []string { return slices.Sorted(maps.Keys(counts)) }
