package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/postgres"
)

const (
	// told is how many executions run while there are listeners; the few listen to
	// one each, the many to all of them.
	told          = 50
	fewListeners  = 5
	manyListeners = 500
	// stepMillis is how long each step takes: with their progress, two to four events
	// a second of each execution.
	stepMillis = 500
	// tailAim is how many times as many statements as for the few the many may cost.
	tailAim = 1.5
)

// events measures streams of events: many listeners beside few, of one
// orchestrator, while the same executions run. Each listener must get every
// transition and every step, once, in their order.
func (b *bench) events(ctx context.Context) ([]figure, error) {
	var statements, memory, p50, p99 [2]series
	var kilobytes, wrong, streamed series
	for range min(b.plan.repeats, 3) {
		for i, listeners := range []int{fewListeners, manyListeners} {
			t, err := b.listen(ctx, listeners)
			if err != nil {
				return nil, fmt.Errorf("%d listeners: %w", listeners, err)
			}
			statements[i], memory[i] = append(statements[i], t.statements), append(memory[i], t.memory)
			p50[i], p99[i] = append(p50[i], percentile(t.delays, 50)), append(p99[i], percentile(t.delays, 99))
			wrong = append(wrong, float64(t.wrong))
			if listeners == manyListeners {
				streamed = append(streamed, float64(t.events))
			}
		}
		n := len(memory[0]) - 1
		kilobytes = append(kilobytes, (memory[1][n]-memory[0][n])*1024/(manyListeners-fewListeners))
	}
	return []figure{
		ratioAtMost("statements of the orchestrator, 500 listeners beside 5", "1/s", statements[0], statements[1], tailAim),
		exactly("listeners that missed an event, or got one twice or out of order", "of 500", wrong, 0),
		beside("commit → listener, 500 beside 5, p50", "ms", p50[0], p50[1]),
		beside("commit → listener, 500 beside 5, p99", "ms", p99[0], p99[1]),
		{Name: "transitions and steps told to 500 listeners", Unit: "events", Ours: streamed},
		{Name: "resident memory for each listener", Unit: "kB", Ours: kilobytes},
	}, nil
}

// listened is one turn of listeners.
type listened struct {
	statements float64         // a second
	memory     float64         // of the orchestrator, in MB, while all listen
	delays     []time.Duration // sorted
	events     int
	wrong      int // listeners
}

// listen has executions run their steps and so many listeners listen to them,
// from a moment at which all run until all have ended.
func (b *bench) listen(ctx context.Context, listeners int) (_ listened, err error) {
	var t listened
	if err := b.clear(ctx); err != nil {
		return t, err
	}
	counter, err := openCounter(ctx, b.url)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, counter.close()) }()
	ours, err := b.startOrchestrator(ctx, counter.url)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, ours.Stop()) }()
	worker, err := b.startWorker(b.url, fmt.Sprintf("CICLO_CONCURRENCY=test-steps=%d", told))
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, worker.Stop()) }()
	if err := b.awaitWorker(ctx, worker); err != nil {
		return t, err
	}
	ids, err := b.acceptSteps(ctx)
	if err != nil {
		return t, err
	}
	if err := await(ctx, b.pool, told, `SELECT count(*) FROM ciclo.executions WHERE status = 'running'`, worker, ours.Process); err != nil {
		return t, err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	streams := make([]*stream, listeners)
	var listening sync.WaitGroup
	var open atomic.Int64
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	for i := range streams {
		streams[i] = &stream{id: ids[i%told]}
		listening.Go(func() {
			if streams[i].err = streams[i].read(ctx, &http.Client{Transport: transport}, ours, func() { open.Add(1) }); streams[i].err != nil {
				cancel()
			}
		})
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for open.Load() < int64(listeners) && ctx.Err() == nil {
		<-ticker.C
	}
	from, before := time.Now(), counter.statements.Load()
	err = pause(ctx, b.plan.listen)
	t.statements = float64(counter.statements.Load()-before) / time.Since(from).Seconds()
	t.memory = residentMB(ours.Process)
	if err == nil {
		err = b.awaitLived(ctx, told, worker, ours.Process)
	}
	if err != nil {
		cancel()
	}
	listening.Wait()
	for _, s := range streams {
		err = errors.Join(err, s.err)
	}
	if err != nil {
		return t, err
	}

	happened := map[string][]string{}
	for _, id := range ids {
		if happened[id], err = b.happened(ctx, id); err != nil {
			return t, err
		}
	}
	for _, s := range streams {
		heard, delays, err := s.heard(from)
		if err != nil {
			return t, err
		}
		if !slices.Equal(heard, happened[s.id]) {
			b.say("told of %s: %v; it was %v", s.id, heard, happened[s.id])
			t.wrong++
		}
		t.events += len(heard)
		t.delays = append(t.delays, delays...)
	}
	slices.Sort(t.delays)
	return t, nil
}

// acceptSteps accepts the executions, whose steps last for longer than is listened.
func (b *bench) acceptSteps(ctx context.Context) ([]string, error) {
	store, err := postgres.New(b.pool)
	if err != nil {
		return nil, err
	}
	const margin = 4 * time.Second // until all run and all listen
	steps := int((b.plan.listen + margin) / (stepMillis * time.Millisecond))
	ids := make([]string, told)
	for i := range ids {
		e, err := store.Accept(ctx, postgres.Acceptance{
			Agent: "test-steps", IDPrefix: "steps_", Parameters: fmt.Appendf(nil, `{"steps": %d, "millis": %d}`, steps, stepMillis),
			Tries: 1, TimeoutSeconds: 600, Priority: 2, Reason: "bench",
		})
		if err != nil {
			return nil, err
		}
		ids[i] = e.ID
	}
	return ids, nil
}

// happened is what every listener must have been told: the transitions in their
// order, then the steps in theirs. How both lie to each other isn't promised
// beyond their times.
func (b *bench) happened(ctx context.Context, id string) ([]string, error) {
	rows, err := b.pool.Query(ctx, `
		SELECT what FROM (
			SELECT 'transition ' || to_status AS what, 1 AS kind, id::text AS place, '' AS name FROM ciclo.transitions WHERE execution_id = $1
			UNION ALL
			SELECT 'step ' || name, 2, extract(epoch FROM ended_at)::text, name FROM ciclo.steps WHERE execution_id = $1) all_of_it
		ORDER BY kind, place::numeric, name`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// stream is one listener.
type stream struct {
	id     string
	err    error
	events []arrival
}

// arrival is an event as it came.
type arrival struct {
	kind, data string
	at         time.Time
}

// read listens until the orchestrator ends the stream. It calls opened once it is
// answered.
func (s *stream) read(ctx context.Context, client *http.Client, ours *api, opened func()) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ours.url+"/api/autonomous-agents/executions/"+s.id+"/events", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+ours.token)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("a stream of events answered %s", resp.Status)
	}
	opened()
	var next arrival
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			next.kind = value
		case "data":
			next.data, next.at = value, time.Now()
			s.events = append(s.events, next)
		}
	}
	return lines.Err()
}

// heard is what the listener was told, as happened has it, and how long after its
// commit it came, of all that was committed after an instant. The times of commits
// are of the beginning of their transactions.
func (s *stream) heard(after time.Time) ([]string, []time.Duration, error) {
	var transitions, steps []string
	var delays []time.Duration
	for _, e := range s.events {
		var data struct {
			To    string    `json:"to"`
			At    time.Time `json:"at"`
			Name  string    `json:"name"`
			Ended time.Time `json:"ended_at"`
		}
		if err := json.Unmarshal([]byte(e.data), &data); err != nil {
			return nil, nil, fmt.Errorf("an event of %s: %w", s.id, err)
		}
		var at time.Time
		switch e.kind {
		case "transition":
			transitions, at = append(transitions, "transition "+data.To), data.At
		case "step":
			steps, at = append(steps, "step "+data.Name), data.Ended
		default:
			continue // progress is replaced, and not kept
		}
		if at.After(after) {
			delays = append(delays, e.at.Sub(at))
		}
	}
	return slices.Concat(transitions, steps), delays, nil
}
