package knowledgegraph

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/llm"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/modelserver"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/worker"
)

// askingFirm is one whose builder asks a played model, in a worker of its own.
type askingFirm struct {
	*firm
	store     *postgres.Store
	catalogue agents.Catalogue
	server    *modelserver.Server
	model     *llm.Model
}

// newAskingFirm has four clients and no message yet; the model answers what answer says.
func newAskingFirm(t *testing.T, answer func(modelserver.Asked) string) *askingFirm {
	t.Helper()
	f := &askingFirm{firm: newFirm(t), server: modelserver.Start(answer)}
	t.Cleanup(f.server.Close)
	var err error
	if f.store, err = postgres.New(f.pool); err != nil {
		t.Fatal(err)
	}
	if f.catalogue, err = agents.Embedded(); err != nil {
		t.Fatal(err)
	}
	f.model = f.asks(`"agents": {"knowledge-graph-builder": {"provider": "played", "model": "small-1"}}`)
	f.exec(`INSERT INTO crm.names (type, id, name) VALUES ('company', 'laut', 'PT Sinar Laut'), ('document', 'passport', 'passport'), ('practice_type', 'kitas', 'KITAS')`)
	f.exec(`INSERT INTO crm.clients (id, name, email, phone) VALUES
		('C1', 'Anna Ruiz', 'anna@example.com', '+447700900001'), ('C2', 'Bela Kovacs', NULL, NULL), ('C3', 'Made Putra', NULL, NULL), ('C4', 'Dora Maar', NULL, NULL)`)
	return f
}

// asks is the builder's model, by the rest of a models' file.
func (f *askingFirm) asks(rest string) *llm.Model {
	f.t.Helper()
	file := filepath.Join(f.t.TempDir(), "models.json")
	text := fmt.Sprintf(`{
		"providers": {"played": {"format": "anthropic", "url": %q, "key_variable": "PATH", "stall_seconds": 2, "timeout_seconds": 20}},
		"prices": [{"model": "small-1", "from": "2026-01-01", "input": 3, "output": 15}, {"model": "other-2", "from": "2026-01-01", "input": 3, "output": 15}], %s}`, f.server.URL, rest)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	models, err := (&llm.Config{ModelsFile: file}).Open()
	if err != nil {
		f.t.Fatal(err)
	}
	m := models.For(Name)
	m.Backoff = 10 * time.Millisecond
	return m
}

// hears adds a message of a client's conversation, so many hours ago.
func (f *askingFirm) hears(conversation, client, id, role, body string, hours int) {
	f.t.Helper()
	f.exec(`INSERT INTO crm.conversations (id, client_id, started_at) VALUES ($1, $2, now() - interval '9 days') ON CONFLICT DO NOTHING`, conversation, client)
	f.exec(`INSERT INTO crm.messages (id, conversation_id, role, body, sent_at) VALUES ($1, $2, $3, $4, date_trunc('hour', now()) - $5 * interval '1 hour')`, id, conversation, role, body, hours)
}

// start runs a worker; stop kills what it is at.
func (f *askingFirm) start(b Builder) (stop func()) {
	f.t.Helper()
	pool, err := postgres.Connect(f.t.Context(), postgres.PoolConfig{URL: f.pool.Config().ConnString(), Name: "worker", MaxConns: 8})
	if err != nil {
		f.t.Fatal(err)
	}
	w, err := worker.New(worker.Config{
		Pool: pool, BeatPool: pool, Catalogue: f.catalogue, Agents: map[string]agents.Agent{Name: b},
		Beat: 100 * time.Millisecond, Drain: time.Millisecond, Version: "test", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			f.t.Errorf("stop the worker: %v", err)
		}
		pool.Close()
	}
	f.t.Cleanup(stop)
	return stop
}

func (f *askingFirm) accept(parameters string, dry bool) string {
	f.t.Helper()
	m := f.catalogue.Find(Name)
	checked, err := m.CheckParameters([]byte(parameters))
	if err != nil {
		f.t.Fatal(err)
	}
	e, err := f.store.Accept(f.t.Context(), postgres.Acceptance{
		Agent: Name, IDPrefix: m.IDPrefix, Parameters: checked, Tries: m.Tries, TimeoutSeconds: m.TimeoutSeconds, Priority: m.Priority, Reason: "test", DryRun: dry,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return e.ID
}

// await polls until the execution is as wanted, and sets due ones going meanwhile.
func (f *askingFirm) await(id string, want func(execution.Execution) bool) execution.Execution {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := f.store.Enqueue(ctx); err != nil {
			f.t.Fatal(err)
		}
		e, _, err := f.store.Get(ctx, id)
		if err != nil {
			f.t.Fatalf("it did not become as wanted: %v", err)
		}
		if want(e) {
			return e
		}
		<-tick.C
	}
}

func final(e execution.Execution) bool { return e.Status.Final() }

// ends runs an execution to its end, whatever that is.
func (f *askingFirm) ends(b Builder, parameters string) execution.Execution {
	f.t.Helper()
	stop := f.start(b)
	defer stop()
	return f.await(f.accept(parameters, false), final)
}

// completes runs an execution, which must complete.
func (f *askingFirm) completes(b Builder, parameters string) Result {
	f.t.Helper()
	return f.completed(f.ends(b, parameters))
}

func (f *askingFirm) completed(e execution.Execution) (r Result) {
	f.t.Helper()
	if err := json.Unmarshal(e.Result, &r); err != nil || e.Status != execution.Completed {
		f.t.Fatalf("it is %s: %+v: %v", e.Status, e.Error, err)
	}
	return r
}

// paidOnce reports calls that were paid twice, or that the ledger has otherwise.
func (f *askingFirm) paidOnce() {
	f.t.Helper()
	seen := map[string]bool{}
	for _, c := range f.server.Paid() {
		if seen[c.Key] || c.Key == "" {
			f.t.Errorf("%q was paid twice", c.Key)
		}
		seen[c.Key] = true
	}
}

// shown are the messages of a request.
func shown(a modelserver.Asked) []askedMessage {
	var q struct{ Messages []askedMessage }
	if err := json.Unmarshal([]byte(a.Messages[0].Text), &q); err != nil {
		panic(err) // the server has no test to tell
	}
	return q.Messages
}

// says is what a played model makes of messages that hold some words: names as type and
// text, relations as relation, subject, object and quote.
type says struct {
	words     string
	names     [][2]string
	relations [][4]string
}

// by answers so.
func by(all ...says) func(modelserver.Asked) string {
	return func(a modelserver.Asked) string {
		names, relations := []map[string]any{}, []map[string]any{}
		for _, m := range shown(a) {
			for _, s := range all {
				if !strings.Contains(m.Text, s.words) {
					continue
				}
				for _, n := range s.names {
					names = append(names, map[string]any{"message": m.Message, "type": n[0], "text": n[1]})
				}
				for _, r := range s.relations {
					relations = append(relations, map[string]any{"message": m.Message, "relation": r[0], "subject": r[1], "object": r[2], "quote": r[3]})
				}
			}
		}
		text, err := json.Marshal(map[string]any{"names": names, "relations": relations})
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
}

// clara is what only a model understands, and how it does.
const clara = "Clara Voss earns her bread at Zenith Trading. Greetings to PT Sinar Laut!"

var ofClara = says{
	words: "earns her bread", names: [][2]string{{"person", "Clara Voss"}, {"company", "Zenith Trading"}},
	relations: [][4]string{{"works_for", "Clara Voss", "Zenith Trading", "Clara Voss earns her bread at Zenith Trading"}},
}

const claraWorks = "Clara Voss works_for Zenith Trading holds"
