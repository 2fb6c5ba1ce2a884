// Package arch holds the architecture's arrows: which of Ciclo's packages, and
// which of its dependencies, a package may come to import, directly or not.
package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/nuzantara/ciclo"

// law is what a package may depend on: Ciclo's own packages, and libraries by
// prefix of their import path. A name that ends in /... covers what is below it.
type law struct {
	own       []string
	libraries []string
	// stdOnly forbids every library.
	stdOnly bool
}

// laws covers every package of the module; one that is missing fails the test.
var laws = map[string]law{
	"internal/execution":                         {stdOnly: true},
	"migrations":                                 {stdOnly: true},
	"client":                                     {stdOnly: true},
	"internal/queue":                             {libraries: []string{"github.com/riverqueue/river", "go.opentelemetry.io/otel/trace"}},
	"internal/ddl":                               {stdOnly: true},
	"internal/postgres":                          {own: []string{"internal/ddl", "internal/execution", "internal/queue", "migrations"}},
	"internal/config":                            {libraries: []string{"github.com/alecthomas/kong"}},
	"internal/service":                           {own: []string{"internal/config", "internal/postgres"}},
	"agents":                                     {own: []string{"internal/execution"}},
	"agents/conversation":                        {own: []string{"agents", "agents/llm", "internal/phone", "internal/pullrequest", "internal/rates"}, libraries: []string{"github.com/jackc/pgx", "gonum.org/v1/gonum", "gonum.org/v1/plot"}},
	"agents/clientvalue":                         {own: []string{"agents", "agents/llm", "internal/phone"}},
	"agents/knowledgegraph":                      {own: []string{"agents", "agents/llm", "agents/knowledgegraph/extraction", "agents/knowledgegraph/extraction/relations", "agents/knowledgegraph/extraction/tagger", "agents/knowledgegraph/resolution", "internal/graph", "internal/phone"}, libraries: []string{"github.com/jackc/pgx", "golang.org/x/sync"}},
	"agents/knowledgegraph/extraction":           {own: []string{"internal/fold", "internal/phone"}},
	"agents/knowledgegraph/extraction/tagger":    {own: []string{"agents/knowledgegraph/extraction"}},
	"agents/knowledgegraph/resolution":           {own: []string{"internal/fold"}},
	"internal/fold":                              {libraries: []string{"golang.org/x/text"}},
	"internal/graph":                             {own: []string{"internal/fold"}, libraries: []string{"github.com/jackc/pgx"}},
	"agents/knowledgegraph/extraction/relations": {own: []string{"agents/knowledgegraph/extraction"}, libraries: []string{"golang.org/x/text", "gonum.org/v1/gonum"}},
	"agents/llm":                                 {own: []string{"agents"}, libraries: []string{"github.com/anthropics/anthropic-sdk-go", "github.com/openai/openai-go", "github.com/santhosh-tekuri/jsonschema"}},
	"agents/cycleplanner":                        {own: []string{"agents", "agents/llm", "internal/plan"}},
	"agents/messagesender":                       {own: []string{"agents", "internal/channel"}},
	"internal/erasure":                           {own: []string{"internal/graph", "internal/phone"}, libraries: []string{"github.com/jackc/pgx"}},
	"internal/retention":                         {libraries: []string{"github.com/jackc/pgx"}},
	"internal/phone":                             {libraries: []string{"github.com/nyaruka/phonenumbers"}},
	"internal/demotest":                          {own: []string{"client", "internal/localpostgres"}},
	"internal/docs":                              {stdOnly: true},
	"internal/batch":                             {stdOnly: true},
	"internal/notice":                            {own: []string{"internal/mailserver", "internal/webhook"}, libraries: []string{"github.com/wneessen/go-mail"}},
	"internal/schedule":                          {libraries: []string{"github.com/robfig/cron"}},
	"internal/mailserver":                        {libraries: []string{"github.com/wneessen/go-mail"}},
	"internal/channel":                           {own: []string{"internal/mailserver", "internal/phone"}, libraries: []string{"github.com/wneessen/go-mail", "golang.org/x/text"}},
	"internal/plan":                              {stdOnly: true},
	"internal/pullrequest":                       {libraries: []string{"github.com/go-git/go-git", "github.com/google/go-github", "github.com/skeema/knownhosts", "golang.org/x/crypto/ssh"}},
	"internal/rates":                             {stdOnly: true},
	"internal/webhook":                           {libraries: []string{"github.com/standard-webhooks"}},
	"internal/metrics":                           {libraries: []string{"github.com/prometheus/client_golang", "github.com/jackc/pgx"}},
	"internal/telemetry":                         {libraries: []string{"go.opentelemetry.io", "github.com/go-logr/logr"}},
	"orchestrator":                               {own: []string{"agents", "client", "internal/batch", "internal/channel", "internal/erasure", "internal/execution", "internal/graph", "internal/metrics", "internal/notice", "internal/phone", "internal/plan", "internal/postgres", "internal/queue", "internal/rates", "internal/retention", "internal/schedule", "internal/service", "internal/telemetry", "internal/webhook", "orchestrator/dashboard"}},
	"orchestrator/dashboard":                     {own: []string{"client", "orchestrator/dashboard/chart"}, libraries: []string{"github.com/sergi/go-diff", "golang.org/x/sync"}},
	"orchestrator/dashboard/chart":               {stdOnly: true},
	"worker":                                     {own: []string{"agents", "internal/batch", "internal/execution", "internal/metrics", "internal/postgres", "internal/queue", "internal/service", "internal/telemetry"}},
	"internal/localpostgres":                     {},
	"internal/testdatabase":                      {own: []string{"internal/localpostgres"}},
	"internal/imports":                           {},
	"internal/demo":                              {},
	"internal/dev":                               {own: []string{"client", "internal/localpostgres", "internal/postgres"}},
	"internal/cli":                               {own: []string{"client", "internal/config", "internal/dev", "internal/demo", "internal/imports", "internal/postgres", "internal/retention", "internal/service"}},
	"cmd/orchestrator":                           {own: []string{"orchestrator", "agents", "internal/service"}},
	"cmd/worker":                                 {own: []string{"worker", "agents", "agents/clientvalue", "agents/conversation", "agents/cycleplanner", "agents/knowledgegraph", "agents/llm", "internal/service", "agents/messagesender", "internal/channel", "internal/pullrequest"}},
	"cmd/ciclo":                                  {own: []string{"internal/cli"}},

	// Tests, benches and figures: in no shipped binary.
	"internal/arch":                    {},
	"internal/agenttest":               {own: []string{"agents", "agents/llm", "internal/execution", "internal/modelserver", "internal/postgres", "internal/testdatabase", "worker"}},
	"internal/browser":                 {libraries: []string{"github.com/chromedp"}},
	"internal/browser/shoot":           {own: []string{"internal/browser"}, stdOnly: true},
	"internal/channel/played":          {libraries: []string{"github.com/emersion/go-sasl", "github.com/emersion/go-smtp"}},
	"internal/conformance":             {libraries: []string{"github.com/santhosh-tekuri/jsonschema"}},
	"internal/outside":                 {},
	"internal/eval":                    {own: []string{"agents/clientvalue/eval", "agents/conversation/eval", "agents/knowledgegraph/eval"}},
	"internal/bench":                   {own: []string{"deploy/grafana", "internal/history", "internal/demo", "internal/process", "internal/localpostgres", "internal/postgres", "internal/queue", "internal/execution", "internal/retention", "internal/testagents", "client"}},
	"internal/history":                 {own: []string{"internal/postgres"}},
	"deploy":                           {own: []string{"agents/conversation", "agents/messagesender", "internal/channel", "internal/pullrequest", "orchestrator", "worker"}},
	"deploy/grafana":                   {},
	"deploy/sbom":                      {libraries: []string{"github.com/CycloneDX/cyclonedx-go", "github.com/google/licensecheck"}},
	"internal/modelserver":             {stdOnly: true},
	"internal/process":                 {stdOnly: true},
	"internal/pullrequest/played":      {stdOnly: true},
	"internal/chaos":                   {own: []string{"client", "internal/localpostgres", "internal/modelserver", "internal/postgres", "internal/process"}},
	"internal/hostile":                 {own: []string{"client", "internal/conformance", "internal/localpostgres", "internal/postgres", "internal/process"}},
	"internal/testagents":              {own: []string{"agents", "agents/llm"}},
	"internal/testagents/orchestrator": {own: []string{"agents/llm", "internal/testagents", "orchestrator", "internal/service"}},
	"internal/testagents/worker":       {own: []string{"agents/llm", "internal/testagents", "worker", "internal/service"}},
	"internal/persuasion":              {own: []string{"agents/conversation", "agents/conversation/eval"}, stdOnly: true},
	"agents/clientvalue/eval":          {own: []string{"agents/clientvalue"}},
	"agents/knowledgegraph/eval":       {own: []string{"agents/knowledgegraph/extraction", "agents/knowledgegraph/extraction/relations", "agents/knowledgegraph/extraction/tagger", "agents/knowledgegraph/resolution", "internal/demo"}},
	"agents/conversation/eval":         {own: []string{"agents/conversation"}, stdOnly: true},
}

// neverInAgents are what no agent may see, by whatever way.
var neverInAgents = []string{"github.com/riverqueue/river", module + "/internal/postgres", module + "/internal/queue", "github.com/labstack/echo"}

type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

func load(t *testing.T) map[string]goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	all := map[string]goPackage{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		all[p.ImportPath] = p
	}
}

func TestArrows(t *testing.T) {
	t.Parallel()
	all := load(t)
	for path, p := range all {
		name, own := strings.CutPrefix(path, module+"/")
		if !own {
			continue
		}
		l, known := laws[name]
		if !known {
			t.Errorf("%s has no law: say here what it may import", name)
			continue
		}
		for _, imported := range p.Imports {
			if to, own := strings.CutPrefix(imported, module+"/"); own {
				if !slices.Contains(l.own, to) {
					t.Errorf("%s imports %s, which its law does not allow", name, to)
				}
			} else if !all[imported].Standard && imported != "C" {
				allowed := !l.stdOnly && (len(l.libraries) == 0 || slices.ContainsFunc(l.libraries, func(prefix string) bool { return strings.HasPrefix(imported, prefix) }))
				if !allowed {
					t.Errorf("%s imports the library %s, which its law does not allow", name, imported)
				}
			}
		}
	}
	for name := range laws {
		if _, there := all[module+"/"+name]; !there && name != "internal/arch" {
			t.Errorf("the law of %s is about no package", name)
		}
	}
}

func TestAgentsSeeNeitherQueueNorStore(t *testing.T) {
	t.Parallel()
	for path, p := range load(t) {
		name, own := strings.CutPrefix(path, module+"/")
		if !own || (name != "agents" && !strings.HasPrefix(name, "agents/")) {
			continue
		}
		for _, dep := range p.Deps {
			for _, never := range neverInAgents {
				if strings.HasPrefix(dep, never) {
					t.Errorf("%s comes to import %s", name, dep)
				}
			}
			if other, agent := strings.CutPrefix(dep, module+"/agents/"); agent && other != "llm" && !strings.HasPrefix(name, "agents/"+strings.Split(other, "/")[0]) {
				t.Errorf("%s imports another agent, %s", name, dep)
			}
		}
	}
}

func TestOrchestratorHasNoAgentCode(t *testing.T) {
	t.Parallel()
	for _, dep := range load(t)[module+"/cmd/orchestrator"].Deps {
		if strings.HasPrefix(dep, module+"/agents/") || dep == module+"/worker" {
			t.Errorf("cmd/orchestrator comes to import %s", dep)
		}
	}
}

// What is counted is counted where it happens, by who does it: the store answers, and
// its callers count.
func TestWhoCounts(t *testing.T) {
	t.Parallel()
	count := []string{"internal/metrics", "orchestrator", "worker", "internal/chaos"} // chaos for its proxy, which takes a registry
	for path, p := range load(t) {
		name, own := strings.CutPrefix(path, module+"/")
		if !own || slices.Contains(count, name) {
			continue
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "github.com/prometheus/") {
				t.Errorf("%s imports %s: it is counted in %v", name, imported, count)
			}
		}
	}
}
