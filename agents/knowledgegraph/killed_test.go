package knowledgegraph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/llm"
	"github.com/nuzantara/ciclo/internal/agenttest"
)

// ledger is a firm's journal with calls to models, which it remembers over attempts.
type ledger struct {
	*firm
	mu    sync.Mutex
	calls map[string]agents.CallState
}

func newLedger(f *firm) *ledger { return &ledger{firm: f, calls: map[string]agents.CallState{}} }

func (l *ledger) Reserve(_ context.Context, c agents.Call) (agents.CallState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if state, is := l.calls[c.Step+c.Hash]; is {
		return state, nil
	}
	return agents.CallState{State: agents.CallReserved, Fresh: true}, nil
}

func (l *ledger) Attach(context.Context, string, string, string) error {
	return errors.New("no played provider works in the background")
}

func (l *ledger) Finish(_ context.Context, step, hash string, o agents.CallOutcome) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[step+hash] = agents.CallState{State: o.State, Answer: o.Answer}
	return nil
}

// attempt is one of the execution that was begun; nil where it died.
func (l *ledger) attempt(model *llm.Model, calls int, dies func(step string) bool) *Result {
	l.t.Helper()
	l.dies = dies
	parameters := fmt.Sprintf(`{"days_back": 365, "max_calls": %d}`, calls)
	task := agents.NewTask(agents.Task{ExecutionID: l.execution, StartedAt: today, Parameters: json.RawMessage(parameters)}, l)
	result, err := Builder{Model: model}.Run(l.t.Context(), task)
	if errors.Is(err, errDied) {
		return nil
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return result.(*Result) //nolint:forcetypeassert // it is this package's
}

// An attempt that dies at any of its steps is gone on with: the same graph, the same
// count of what was asked, and nothing paid twice.
func TestAnAttemptDiesAtAnyStep(t *testing.T) {
	t.Parallel()
	build := func(t *testing.T, dies func(f *firm) func(step string) bool) ([]string, *Said, []string) {
		t.Helper()
		f := smallFirm(t)
		f.say("1", "C1", "One. "+clara)
		f.say("3", "C3", "Two. "+clara)
		a := agenttest.On(t, f.pool, Name, by(ofClara))
		model := a.Model("anthropic", "", "")
		l := newLedger(f)
		f.begin()
		r := l.attempt(model, 50, dies(f))
		if r == nil {
			r = l.attempt(model, 50, nil)
		}
		a.PaidOnce()
		if n := len(a.Server.Paid()); n != 4 {
			t.Errorf("%d calls are paid", n)
		}
		f.places()
		return f.graph(), r.LanguageModel, f.done
	}
	graph, said, steps := build(t, func(*firm) func(string) bool { return nil })
	want := &Said{Engine: "played/small-1", Calls: 4, Messages: 8, Names: 4, Relations: 2, Dropped: []Dropped{}, Fallbacks: []Fallback{}}
	if diff := cmp.Diff(want, said); diff != "" || len(steps) < 18 {
		t.Fatalf("%s in %q", diff, steps)
	}
	for n, step := range steps {
		t.Run(fmt.Sprint(n, " ", step), func(t *testing.T) {
			t.Parallel()
			got, after, _ := build(t, func(f *firm) func(string) bool { return func(string) bool { return len(f.done) == n } })
			if !slices.Equal(got, graph) {
				t.Error("it is another graph")
			}
			if diff := cmp.Diff(want, after); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// However messages came, and however often a model was asked meanwhile, it is one graph.
func TestAnyOrderOfArrivalWithAModel(t *testing.T) {
	t.Parallel()
	build := func(t *testing.T, order []int) []string {
		t.Helper()
		f := smallFirm(t)
		f.say("1", "C1", "One. "+clara)
		f.say("3", "C3", "Two. "+clara)
		a := agenttest.On(t, f.pool, Name, by(ofClara))
		model := a.Model("anthropic", "", "")
		f.exec(`CREATE TABLE later AS SELECT * FROM crm.messages`)
		f.exec(`DELETE FROM crm.messages`)
		for i, n := range order {
			f.exec(`INSERT INTO crm.messages SELECT * FROM later WHERE id = 'm' || $1::int`, n+1)
			if i%3 == 2 || i == len(order)-1 {
				f.begin()
				newLedger(f).attempt(model, 1+i, nil)
			}
		}
		f.begin() // with what was left by the limit
		if r := newLedger(f).attempt(model, 50, nil); r.LanguageModel.Waiting != 0 {
			t.Errorf("%+v", r.LanguageModel)
		}
		return f.graph()
	}
	want := build(t, []int{0, 1, 2, 3, 4, 5, 6, 7})
	for _, order := range [][]int{{7, 6, 5, 4, 3, 2, 1, 0}, {3, 0, 7, 1, 5, 2, 6, 4}, {6, 4, 1, 7, 0, 3, 2, 5}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, build(t, order)); diff != "" {
				t.Errorf("it is another graph: %.3000s", diff)
			}
		})
	}
}
