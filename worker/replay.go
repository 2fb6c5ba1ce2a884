package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// Replayed is what running an execution's agent once more came to: this program's
// agent, on the data of now, with the execution's parameters, its time and the answers
// that its models gave. Nothing of it is kept.
type Replayed struct {
	ExecutionID string `json:"execution_id"`
	Agent       string `json:"agent_name"`
	// Was and Is are how it ended, then and now: a status, or the error.
	Was string `json:"was"`
	Is  string `json:"is"`
	// Result is where the results differ, at most maxDifferences of them.
	Result []Difference `json:"result"`
	// Steps that only the one has, and those whose outputs differ.
	StepsGone    []string `json:"steps_gone"`
	StepsNew     []string `json:"steps_new"`
	StepsChanged []string `json:"steps_changed"`
	// Calls to models: those whose recorded answer, or failure, was taken, those that were
	// asked live, and how many recorded ones nobody asked for.
	CallsRecorded int `json:"calls_recorded"`
	CallsLive     int `json:"calls_live"`
	CallsUnused   int `json:"calls_unused"`
	// Dollars are what the execution paid, what it would pay now, and what this replay
	// paid, which no ledger has.
	DollarsWas  float64 `json:"dollars_was"`
	DollarsIs   float64 `json:"dollars_is"`
	DollarsPaid float64 `json:"dollars_paid"`
	// Effects were left out.
	Effects []string `json:"effects"`
}

// Difference is one place of the result, as a JSON pointer, with what was and is there;
// nil where there is nothing.
type Difference struct {
	At  string          `json:"at"`
	Was json.RawMessage `json:"was"`
	Is  json.RawMessage `json:"is"`
}

const maxDifferences = 200

// errNotRecorded says that the agent asks what was not asked before.
var errNotRecorded = errors.New("the agent asks its model something that has no recorded answer (ciclo replay --live asks)")

// Replay runs the agent of an execution that has ended once more.
func Replay(ctx context.Context, store *postgres.Store, registry map[string]agents.Agent, id string, live bool, log *slog.Logger) (Replayed, error) {
	old, err := store.Recorded(ctx, id)
	if err != nil {
		return Replayed{}, err
	}
	agent, has := registry[old.Execution.Agent]
	if !has {
		return Replayed{}, fmt.Errorf("%s is of %s, which this worker doesn't run", id, old.Execution.Agent)
	}
	run, fresh, err := store.BeginReplay(ctx, old.Execution)
	if err != nil {
		return Replayed{}, err
	}
	defer run.End()
	if of, writes := agent.(agents.Unwriter); writes {
		err := run.Write(ctx, func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error) { return nil, of.Unwrite(ctx, tx, id) })
		if err != nil {
			return Replayed{}, fmt.Errorf("take away what %s wrote: %w", id, err)
		}
	}
	j := &replayJournal{run: run, old: old, live: live, steps: map[string]json.RawMessage{}, asked: map[string]bool{}, sent: map[string]bool{}}
	result, err := runAgent(ctx, agent, agents.NewTask(agents.Task{
		ExecutionID: fresh, Attempt: 1, StartedAt: old.Execution.StartedAt, Parameters: old.Execution.Parameters, Log: log,
	}, j))
	if ctx.Err() != nil {
		return Replayed{}, context.Cause(ctx)
	}
	return j.compare(result, err), nil
}

// replayJournal is the agent's way to a transaction that is rolled back, and to the
// answers that were recorded.
type replayJournal struct {
	run  *postgres.DryRun
	old  postgres.Recorded
	live bool

	mu      sync.Mutex
	steps   map[string]json.RawMessage
	asked   map[string]bool // recorded calls, by their keys
	sent    map[string]bool // live ones
	liveDid int
	paid    agents.Nanodollars
	skipped []string
}

func (j *replayJournal) Read(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return permanentIfEnded(j.run.Read(ctx, fn))
}

// Output is of no step: all of them are to be done by this agent.
func (*replayJournal) Output(context.Context, string) (json.RawMessage, error) { return nil, nil }

func (j *replayJournal) Record(ctx context.Context, name string, _ time.Time, _ bool, fn func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error)) error {
	return permanentIfEnded(j.run.Write(ctx, func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error) {
		output, err := fn(ctx, tx)
		j.mu.Lock()
		defer j.mu.Unlock()
		j.steps[name] = output
		return output, err
	}))
}

func (j *replayJournal) Intend(_ context.Context, name, _ string, _ agents.Policy) (agents.EffectState, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.skipped = append(j.skipped, name)
	return agents.EffectState{State: agents.Skipped}, nil
}

func (*replayJournal) Settle(_ context.Context, name, _ string, _ json.RawMessage) error {
	return agents.Permanent(fmt.Errorf("effect %s was not begun: this is a replay", name))
}

func (*replayJournal) Progress(int64, int64, string) {}

// Reserve gives the recorded answer, or how the call ended without one.
func (j *replayJournal) Reserve(_ context.Context, c agents.Call) (agents.CallState, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := c.Step + " " + c.Hash
	for _, recorded := range j.old.Calls {
		if recorded.Step == c.Step && recorded.Hash == c.Hash && (recorded.Answer != nil || recorded.State != agents.CallAnswered) {
			j.asked[key] = true
			return agents.CallState{State: recorded.State, Answer: recorded.Answer, Error: recorded.Error}, nil
		}
	}
	if !j.live {
		return agents.CallState{}, agents.Permanent(fmt.Errorf("step %q: %w", c.Step, errNotRecorded))
	}
	sent := j.sent[key] // and looked for, where it was cut off
	j.sent[key] = true
	return agents.CallState{State: agents.CallReserved, Fresh: !sent}, nil
}

func (*replayJournal) Attach(context.Context, string, string, string) error { return nil }

func (j *replayJournal) Finish(_ context.Context, step, hash string, o agents.CallOutcome) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if o.State == agents.CallNotDone {
		delete(j.sent, step+" "+hash)
	}
	if o.State == agents.CallAnswered {
		j.liveDid++
		j.paid += o.Cost
	}
	return nil
}

// compare says what is other than it was.
func (j *replayJournal) compare(result json.RawMessage, failed error) Replayed {
	e := j.old.Execution
	r := Replayed{
		ExecutionID: e.ID, Agent: e.Agent, Was: string(e.Status), Is: "completed", CallsRecorded: len(j.asked), CallsLive: j.liveDid, CallsUnused: len(j.old.Calls) - len(j.asked),
		DollarsPaid: float64(j.paid) / 1e9, Effects: append([]string{}, j.skipped...),
		Result: []Difference{}, StepsGone: []string{}, StepsNew: []string{}, StepsChanged: []string{},
	}
	if e.Error != nil && e.Status != "completed" {
		r.Was += ": " + e.Error.Text
	}
	if failed != nil {
		r.Is = "failed: " + failed.Error()
	}
	for _, c := range j.old.Calls {
		r.DollarsWas += c.Dollars
		if j.asked[c.Step+" "+c.Hash] {
			r.DollarsIs += c.Dollars
		}
	}
	r.DollarsIs += r.DollarsPaid
	for _, name := range slices.Sorted(maps.Keys(j.old.Steps)) {
		output, has := j.steps[name]
		switch {
		case !has:
			r.StepsGone = append(r.StepsGone, name)
		case !equalJSON(j.old.Steps[name], output):
			r.StepsChanged = append(r.StepsChanged, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(j.steps)) {
		if _, had := j.old.Steps[name]; !had {
			r.StepsNew = append(r.StepsNew, name)
		}
	}
	if failed == nil && e.Result != nil {
		r.Result = differences("", decoded(e.Result), decoded(result), r.Result)
	}
	return r
}

// decoded is any JSON, with its numbers as they stand there.
func decoded(text json.RawMessage) (v any) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return string(text) // so that it differs from what decodes
	}
	return v
}

func equalJSON(a, b json.RawMessage) bool {
	return len(differences("", decoded(a), decoded(b), nil)) == 0
}

// absent is what is not there.
type absent struct{}

// differences adds the places at which two values differ.
func differences(at string, was, is any, all []Difference) []Difference {
	if len(all) == maxDifferences {
		return all
	}
	switch was := was.(type) {
	case map[string]any:
		if is, same := is.(map[string]any); same {
			names := maps.Clone(was)
			maps.Copy(names, is)
			for _, name := range slices.Sorted(maps.Keys(names)) {
				all = differences(at+"/"+name, member(was, name), member(is, name), all)
			}
			return all
		}
	case []any:
		if is, same := is.([]any); same {
			for i := range max(len(was), len(is)) {
				all = differences(at+"/"+strconv.Itoa(i), element(was, i), element(is, i), all)
			}
			return all
		}
	case json.Number:
		if is, same := is.(json.Number); same && equalNumbers(was, is) {
			return all
		}
	default:
		if was == is {
			return all
		}
	}
	return append(all, Difference{At: at, Was: encoded(was), Is: encoded(is)})
}

func equalNumbers(a, b json.Number) bool {
	x, errX := a.Float64()
	y, errY := b.Float64()
	return a == b || errX == nil && errY == nil && x == y
}

func member(of map[string]any, name string) any {
	if v, has := of[name]; has {
		return v
	}
	return absent{}
}

func element(of []any, i int) any {
	if i < len(of) {
		return of[i]
	}
	return absent{}
}

func encoded(v any) json.RawMessage {
	if _, none := v.(absent); none {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}
