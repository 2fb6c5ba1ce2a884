// Package testagents is agents that do nothing but behave: a no-op, a slow one,
// one of many steps with an outside ledger, one that fails in every way, and one
// that runs one at a time. It
// has mains of its own (orchestrator, worker) for outside tests, benches and
// chaos, and is in no shipped binary.
package testagents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
)

const manifest = `{
	"name": %q, "title": %q, "description": "For tests.", "id_prefix": %q, "timeout_seconds": %d, "tries": %d,
	"concurrency": %d, "single_flight": %t, "priority": 2, "effects": "none", "schedule": "",
	"parameters": {"type": "object", "additionalProperties": false, "properties": %s}
}`

// Catalogue is the manifests of these agents.
func Catalogue() (agents.Catalogue, error) {
	var all []*agents.Manifest
	for _, m := range []struct {
		name, title, prefix         string
		timeout, tries, concurrency int
		properties                  string
	}{
		{"test-noop", "No-op", "noop_", 60, 3, 100, `{}`},
		{"test-slow", "Slow", "slow_", 60, 3, 100, `{"millis": {"type": "integer", "minimum": 0, "default": 1000}, "stubborn": {"type": "boolean", "default": false}, "locked": {"type": "boolean"}}`},
		{"test-steps", "Steps", "steps_", 600, 10, 20, `{
			"steps": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 5},
			"millis": {"type": "integer", "minimum": 0, "default": 10},
			"ledger": {"type": "string", "default": ""},
			"effects": {"type": "string", "enum": ["", "reconcile", "once", "repeat"], "default": ""}}`},
		{"test-fail", "Failing", "fail_", 1, 2, 20, `{"how": {"type": "string", "default": "error",
			"enum": ["error", "permanent", "panic", "timeout", "not-json", "not-object", "nul", "huge", "same-step", "recover"]}}`},
		{"test-single", "Single", "single_", 60, 3, 1, `{"millis": {"type": "integer", "minimum": 0, "default": 1000}}`},
	} {
		parsed, err := agents.ParseManifest(fmt.Appendf(nil, manifest, m.name, m.title, m.prefix, m.timeout, m.tries, m.concurrency, m.name == "test-single", m.properties))
		if err != nil {
			return nil, fmt.Errorf("manifest of %s: %w", m.name, err)
		}
		all = append(all, parsed)
	}
	return agents.NewCatalogue(all...)
}

// Registry is the code of these agents.
func Registry() map[string]agents.Agent {
	return map[string]agents.Agent{"test-noop": Noop{}, "test-slow": Slow{}, "test-steps": Steps{}, "test-fail": Fail{}, "test-single": Slow{}}
}

type empty struct{}

// Noop does nothing.
type Noop struct{}

// Run returns at once.
func (Noop) Run(context.Context, *agents.Task) (agents.Result, error) { return empty{}, nil }

// Slow waits.
type Slow struct{}

// Run waits for the parameter millis, or, unless it is stubborn, for ctx. Where it is
// locked it waits in a transaction, and says a word to the database now and then.
func (Slow) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	var p struct {
		Millis   int  `json:"millis"`
		Stubborn bool `json:"stubborn"`
		Locked   bool `json:"locked"`
	}
	if err := task.Decode(&p); err != nil {
		return nil, err
	}
	if p.Locked {
		_, err := agents.StepTx(ctx, task, "locked", func(ctx context.Context, tx pgx.Tx) (empty, error) {
			for until := time.Now().Add(time.Duration(p.Millis) * time.Millisecond); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
				if _, err := tx.Exec(ctx, `SELECT 'test-slow waits in its transaction'`); err != nil {
					return empty{}, err
				}
			}
			return empty{}, nil
		})
		return empty{}, err
	}
	task.Progress(1, 2, "waiting")
	done := ctx.Done()
	if p.Stubborn {
		done = nil
	}
	select {
	case <-done:
		return nil, ctx.Err()
	case <-time.After(time.Duration(p.Millis) * time.Millisecond):
		return empty{}, nil
	}
}

// Steps works in steps and tells an outside ledger of each body that it finished.
type Steps struct{}

// Run does the steps; each waits millis and posts its name to the ledger.
func (Steps) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	var p struct {
		Steps   int    `json:"steps"`
		Millis  int    `json:"millis"`
		Ledger  string `json:"ledger"`
		Effects string `json:"effects"`
	}
	if err := task.Decode(&p); err != nil {
		return nil, err
	}
	sum := 0
	for i := range p.Steps {
		name := fmt.Sprintf("step %d", i+1)
		n, err := agents.Step(ctx, task, name, func(ctx context.Context) (int, error) {
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Duration(p.Millis) * time.Millisecond):
			}
			return i + 1, tell(ctx, p.Ledger, fmt.Sprintf("%s/%s/%d", task.ExecutionID, name, task.Attempt))
		})
		if err != nil {
			return nil, err
		}
		sum += n
		if p.Effects != "" {
			if err := perform(ctx, task, p.Ledger, fmt.Sprintf("effect %d", i+1), agents.Policy(p.Effects)); err != nil {
				return nil, err
			}
		}
		task.Progress(int64(i+1), int64(p.Steps), name)
		task.Log.Debug("step done", "step", name)
	}
	return map[string]int{"sum": sum}, nil
}

// perform has an effect on the ledger, which counts effects by key and answers
// whether it has seen one (GET).
func perform(ctx context.Context, task *agents.Task, ledger, name string, policy agents.Policy) error {
	e := agents.Effect[bool]{
		Policy: policy,
		Do:     func(ctx context.Context, key string) (bool, error) { return true, tell(ctx, ledger, "effect:"+key) },
	}
	if policy == agents.Reconcile {
		e.Ask = func(ctx context.Context, key string) (bool, bool, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, ledger+"?key="+url.QueryEscape("effect:"+key), nil)
			if err != nil {
				return false, false, err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return false, false, err
			}
			defer resp.Body.Close()
			switch resp.StatusCode {
			case http.StatusOK:
				return true, true, nil
			case http.StatusNotFound:
				return false, false, nil
			default:
				return false, false, fmt.Errorf("the ledger answered %s", resp.Status)
			}
		}
	}
	_, err := agents.Perform(ctx, task, name, e)
	return err
}

func tell(ctx context.Context, ledger, what string) error {
	if ledger == "" {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, ledger+"?key="+url.QueryEscape(what), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the ledger answered %s", resp.Status)
	}
	return nil
}

// Fail fails as its parameter says.
type Fail struct{}

// Run fails; "recover" fails in the first attempt alone.
func (Fail) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	var p struct {
		How string `json:"how"`
	}
	if err := task.Decode(&p); err != nil {
		return nil, err
	}
	switch p.How {
	case "permanent":
		return nil, agents.Permanent(errors.New("it can't be mended"))
	case "panic":
		panic("as asked")
	case "timeout":
		<-ctx.Done()
		return nil, ctx.Err()
	case "not-json":
		return map[string]float64{"value": math.NaN()}, nil
	case "not-object":
		return "text", nil
	case "nul":
		return map[string]string{"text": "a\x00b"}, nil
	case "huge":
		return map[string][]byte{"bytes": make([]byte, agents.MaxOutput)}, nil
	case "same-step":
		for range 2 {
			if _, err := agents.StepTx(ctx, task, "once", func(context.Context, pgx.Tx) (int, error) { return 1, nil }); err != nil {
				return nil, err
			}
		}
		return empty{}, nil
	case "recover":
		if task.Attempt > 1 {
			return empty{}, nil
		}
	}
	return nil, errors.New("it failed as asked")
}
