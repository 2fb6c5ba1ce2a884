package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nuzantara/ciclo/internal/modelserver"
)

// provider plays a provider of language models, which is slow, busy and breaks: by what
// it is asked, so that each call is answered in the end. It stores its answers.
func provider() *modelserver.Server {
	server := modelserver.Start(func(modelserver.Asked) string {
		return "an answer that is sent in more than one piece, since it is that long"
	})
	server.Pause = 400 * time.Millisecond
	server.Fault = func(a modelserver.Asked) modelserver.Fault {
		if asked := server.Times(a.Key); asked > 1 || a.Key == "" {
			return modelserver.Slow
		}
		return []modelserver.Fault{"", modelserver.Slow, modelserver.Late, modelserver.Busy, modelserver.Broken, modelserver.Cut, modelserver.Stall}[int(a.Key[len(a.Key)-1])%7]
	}
	return server
}

// modelsFile writes the file that names the provider, for the agent that asks: one that
// stores its answers and lists them or, by the seed, one that works in the background.
func modelsFile(dir, url string, seed uint64) (file string, err error) {
	file = filepath.Join(dir, "models.json")
	how := `"stored": true, "timeout_seconds": 3`
	if seed%2 == 1 {
		how = `"background": true, "timeout_seconds": 6`
	}
	text := fmt.Sprintf(`{"providers": {"played": {"format": "openai", "url": %q, `+how+`, "stall_seconds": 1}},
		"agents": {"test-asks": {"provider": "played", "model": "small-1"}}, "prices": [{"model": "small-1", "from": "2026-01-01", "input": 3, "output": 15}]}`, url+"/v1")
	return file, os.WriteFile(file, []byte(text), 0o600)
}

// called is a call of the database's ledger, by the key that the provider is given.
type called struct{ Key, State, ProviderID, Status string }

const readCalls = `
	SELECT l.execution_id || '/' || l.step || '/' || left(l.hash, 16), l.state, coalesce(l.provider_id, ''), e.status
	FROM ciclo.llm_calls l JOIN ciclo.executions e ON e.id = l.execution_id`

// modelRules are about what was paid.
var modelRules = []rule{
	{"no call to a model is paid twice, and what the provider counts is what the ledger has", func(h *history, found func(string, ...any)) {
		calls, paid := map[string]called{}, map[string]bool{}
		for _, c := range h.calls {
			calls[c.Key] = c
		}
		for _, p := range h.paid {
			c, has := calls[p.Key]
			switch {
			case paid[p.Key]:
				found("%s was paid twice", p.Key)
			case !has || c.State == "not_done":
				found("%s was paid, and the ledger has %+v", p.Key, c)
			case c.State == "answered" && c.ProviderID != p.ID:
				found("%s was answered by %s, and the ledger says %s", p.Key, p.ID, c.ProviderID)
			case c.State != "answered" && p.Format == "responses" && c.ProviderID == "":
				// Begun, and its id lost with the worker: nobody can be asked for it.
			case c.State != "answered" && c.Status == "completed":
				found("%s was paid and can be found, and its execution completed without: %+v", p.Key, c)
			}
			paid[p.Key] = true
		}
		for key, c := range calls {
			if c.State == "answered" && !paid[key] {
				found("the ledger has an answer to %s that nobody is paid for", key)
			}
			if c.State == "reserved" {
				found("%s is open though its execution is %s", key, c.Status)
			}
		}
	}},
}
