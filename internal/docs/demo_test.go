package docs

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/demotest"
)

// demo is what a reader has who typed `make demo`: a folder with bin/ and .ciclo/, the
// files that pages speak of, and the services on demo data.
type demo struct {
	dir string
	env []string
	api *client.Client
	// twin are the entities that a page merges, and splits again.
	twin [2]string
	// after ends what a command needed, once it is over; nil is nothing.
	after func() error
}

// files are what the pages' commands read.
var files = map[string]string{
	"parameters.json": `{"horizon_days": 90}`,
	"payments.csv":    "client_id,paid_at,amount,currency\ndocs-1,2026-01-05,120.50,USD\ndocs-1,2026-02-05,80,USD\n",
	"more.csv":        "client_id,paid_at,amount\ndocs-1,2026-03-01,12\n",
	"clients.csv":     "id,name,email\ndocs-1,Docs One,one@docs.example\n",
	"export.jsonl":    `{"client_id": "docs-1", "paid_at": "2026-03-05", "amount": 12.5, "currency": "USD", "id": "docs-payment-1"}` + "\n",
	"excel.csv":       "client_id;channel;direction;kind;occurred_at\ndocs-1;email;inbound;message;2026-01-06\n",
	"rates.csv":       "currency,into,day,rate\nEUR,USD,2026-01-05,1.17\nEUR,USD,2026-01-06,none\n",
	"names.csv":       "type,id,name\ncompany,docs-company,The Docs Company\n",
}

// Readers' curl doesn't fail where an answer refuses; a test's has to.
const strictCurl = "#!/bin/sh\nexec %s --fail-with-body --max-time 60 \"$@\"\n"

// startDemo does what `make demo` does, in a folder of its own and at a free port, and
// ends it with the test.
func startDemo(t *testing.T) *demo {
	t.Helper()
	curl, err := exec.LookPath("curl")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("needs curl: apt-get install curl")
	}
	if err != nil {
		t.Fatal(err)
	}
	d := &demo{dir: t.TempDir()}
	shim := filepath.Join(d.dir, "shim")
	if err := os.Mkdir(shim, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(path, text string, mode os.FileMode) {
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(shim, "curl"), strings.ReplaceAll(strictCurl, "%s", curl), 0o755)
	for name, text := range files {
		write(filepath.Join(d.dir, name), text, 0o644)
	}
	d.api = demotest.Start(t, d.dir)
	d.env = append(demotest.Environment(), "PATH="+shim+":"+filepath.Join(d.dir, "bin")+":"+os.Getenv("PATH")) // the last one holds
	d.settle(t)
	return d
}

// settle returns when each agent of the demo has completed a run.
func (d *demo) settle(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for _, agent := range []string{"client-value-predictor", "conversation-trainer", "knowledge-graph-builder"} {
		for {
			page, err := d.api.List(t.Context(), url.Values{"agent": {agent}, "status": {"completed"}, "limit": {"1"}})
			if err == nil && len(page.Executions) == 1 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("no run of %s has completed: %v", agent, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

var errNone = errors.New("the demo has none")

// first is the first of what a list has.
func first[T any](all []T, err error) (T, error) {
	var none T
	if err != nil {
		return none, err
	}
	if len(all) == 0 {
		return none, errNone
	}
	return all[0], nil
}

func (d *demo) execution() (string, error) {
	page, err := d.api.List(context.Background(), url.Values{"agent": {"client-value-predictor"}, "status": {"completed"}, "limit": {"1"}})
	e, err := first(page.Executions, err)
	return e.ID, err
}

// waiting is an execution that nobody runs: its agent is paused until the command is over.
func (d *demo) waiting() (string, error) {
	ctx, agent := context.Background(), "conversation-trainer"
	if err := d.api.Pause(ctx, agent, "a command is tried"); err != nil {
		return "", err
	}
	d.after = func() error { return d.api.Resume(ctx, agent) }
	e, err := d.api.Run(ctx, agent, nil)
	return e.ID, err
}

func (d *demo) prompt() (string, error) {
	page, err := d.api.Prompts(context.Background(), nil)
	p, err := first(page.Proposals, err)
	return p.ID, err
}

func (d *demo) phrase() (string, error) {
	page, err := d.api.Patterns(context.Background(), nil)
	p, err := first(page.Patterns, err)
	return p.Feature, err
}

func (d *demo) client() (string, error) {
	page, err := d.api.ClientValues(context.Background(), url.Values{"limit": {"1"}})
	v, err := first(page.Values, err)
	return v.ClientID, err
}

// scores is the run whose scores are shown: not any that completed, which may be dry.
func (d *demo) scores() (string, error) {
	page, err := d.api.ClientValues(context.Background(), url.Values{"limit": {"1"}})
	return page.Run.ExecutionID, err
}

func (d *demo) draft() (string, error) {
	page, err := d.api.Messages(context.Background(), url.Values{"status": {"draft"}, "limit": {"1"}})
	m, err := first(page.Messages, err)
	return m.ID, err
}

func (d *demo) entity() (string, error) {
	page, err := d.api.Entities(context.Background(), url.Values{"limit": {"1"}})
	e, err := first(page.Entities, err)
	return e.ID, err
}

// neighbours are the ends of an edge.
func (d *demo) neighbours() (one, other string, err error) {
	e, err := d.anEdge()
	return e.SubjectID, e.ObjectID, err
}

func (d *demo) anEdge() (client.Edge, error) {
	id, err := d.entity()
	if err != nil {
		return client.Edge{}, err
	}
	n, err := d.api.Neighbours(context.Background(), id, nil)
	return first(n.Edges, err)
}

func (d *demo) edge() (string, error) {
	e, err := d.anEdge()
	return e.ID, err
}

func (d *demo) review() (string, error) {
	page, err := d.api.Reviews(context.Background(), url.Values{"status": {"open"}, "limit": {"1"}})
	r, err := first(page.Reviews, err)
	return r.ID, err
}

// twins are two people whom a person may call one: neither was decided about.
func (d *demo) twins() (one, other string, err error) {
	page, err := d.api.Entities(context.Background(), url.Values{"type": {"person"}, "limit": {"50"}})
	if err != nil {
		return "", "", err
	}
	if len(page.Entities) < 2 {
		return "", "", errNone
	}
	d.twin = [2]string{page.Entities[len(page.Entities)-2].ID, page.Entities[len(page.Entities)-1].ID}
	return d.twin[0], d.twin[1], nil
}

// merge is the merge of the twins.
func (d *demo) merge() (string, error) {
	for _, id := range d.twin {
		detail, err := d.api.Entity(context.Background(), id)
		if err != nil {
			return "", err
		}
		if m, err := first(detail.Merges, nil); err == nil {
			return strconv.FormatInt(m.ID, 10), nil
		}
	}
	return "", errNone
}
