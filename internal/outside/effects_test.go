package outside

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// provider is the outside world that the test agents have effects on. It counts
// what it is told by key (POST) and says whether it knows a key (GET). The first
// time that it is told of an effect it gives no answer: under /counted it has
// counted it by then, under /unheard it has not.
type provider struct {
	*httptest.Server
	ended chan struct{}

	mu    sync.Mutex
	told  map[string]int
	asked map[string]int
	held  map[string]bool // effects whose first answer was held back
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{ended: make(chan struct{}), told: map[string]int{}, asked: map[string]int{}, held: map[string]bool{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() { close(p.ended); p.Close() })
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	if r.Method == http.MethodGet {
		if p.ask(key) == 0 {
			http.NotFound(w, r)
		}
		return
	}
	if p.tell(key, r.URL.Path == "/counted") {
		select {
		case <-r.Context().Done(): // whoever told it is gone
		case <-p.ended:
		}
	}
}

func (p *provider) ask(key string) (told int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[key]++
	return p.told[key]
}

func (p *provider) tell(key string, counted bool) (hold bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hold = strings.HasPrefix(key, "effect:") && !p.held[key]
	if hold {
		p.held[key] = true
	}
	if !hold || counted {
		p.told[key]++
	}
	return hold
}

func (p *provider) holding() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held)
}

// of is how often the provider was told of a key, and asked for it.
func (p *provider) of(key string) (told, asked int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told[key], p.asked[key]
}

// A worker is killed between an effect's intent and its outcome, with executions
// of every policy in that very place.
func TestEffectsWhenTheirWorkerIsKilled(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	world := newProvider(t)
	killed := s.worker()
	type end struct {
		Status, State string
		Told, Asked   int
	}
	cases := map[string]struct {
		policy, path string
		want         end
		id           string
	}{
		"reconcile finds it":          {policy: "reconcile", path: "/counted", want: end{"completed", "done", 1, 1}},
		"reconcile doesn't find it":   {policy: "reconcile", path: "/unheard", want: end{"completed", "done", 1, 1}},
		"once leaves it to a person":  {policy: "once", path: "/counted", want: end{"failed", "unknown", 1, 0}},
		"once knows no better":        {policy: "once", path: "/unheard", want: end{"failed", "unknown", 0, 0}},
		"repeat has the same key":     {policy: "repeat", path: "/counted", want: end{"completed", "done", 2, 0}},
		"repeat, though nobody heard": {policy: "repeat", path: "/unheard", want: end{"completed", "done", 1, 0}},
	}
	for name, c := range cases {
		c.id = s.run("test-steps", map[string]any{"steps": 1, "millis": 1, "effects": c.policy, "ledger": world.URL + c.path})
		cases[name] = c
	}
	eventually(t, 30*time.Second, "every effect is under way", func() bool { return world.holding() == len(cases) })
	for name, c := range cases {
		if e := s.effect(c.id); e.State != "intended" || e.Attempt != 1 {
			t.Errorf("%s: under way it is %+v", name, e)
		}
	}
	killed.signal(syscall.SIGKILL)
	killed.wait(10 * time.Second)
	s.worker()
	for name, c := range cases {
		e := s.await(c.id, 30*time.Second, name+": it is final", client.Execution.Final)
		f := s.effect(c.id)
		told, asked := world.of("effect:" + f.Key)
		if got := (end{e.Status, f.State, told, asked}); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		if e.Attempt != 2 || f.Attempt != 2 || f.Key != c.id+"/effect 1" {
			t.Errorf("%s: ended as %+v with %+v", name, e, f)
		}
		if c.policy == "once" && (e.Error == nil || e.Error.Class != "unknown_effect" || !strings.Contains(e.Error.Text, agents.ErrUnknownEffect.Error())) {
			t.Errorf("%s: the error is %+v", name, e.Error)
		}
		// The step before the effect had finished: attempt 2 doesn't do it again.
		first, _ := world.of(c.id + "/step 1/1")
		if second, _ := world.of(c.id + "/step 1/2"); first != 1 || second != 0 {
			t.Errorf("%s: the step before it was done %d and %d times", name, first, second)
		}
	}
}

// effect is an execution's only one.
func (s *system) effect(id string) client.Effect {
	s.t.Helper()
	all, err := s.api.Effects(s.t.Context(), id)
	if err != nil || len(all) != 1 {
		s.t.Fatalf("effects of %s: %+v, %v", id, all, err)
	}
	return all[0]
}
