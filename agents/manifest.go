package agents

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"time"
)

//go:embed */agent.json
var embedded embed.FS

// Manifest is what everyone but the worker knows of an agent: agent.json.
type Manifest struct {
	// Name is the agent's name in URLs, queues and tables, such as client-value-predictor.
	Name string `json:"name"`
	// Title is its name for people.
	Title       string `json:"title"`
	Description string `json:"description"`
	// IDPrefix begins the ids of its executions; it ends in an underscore.
	IDPrefix string `json:"id_prefix"`
	// Parameters is a JSON Schema (2020-12) of an object; its defaults are filled
	// in at acceptance.
	Parameters json.RawMessage `json:"parameters"`
	// TimeoutSeconds bounds one attempt.
	TimeoutSeconds int `json:"timeout_seconds"`
	// Tries is how many attempts may fail or be lost before the execution fails.
	Tries int `json:"tries"`
	// Concurrency is how many executions one worker runs at once.
	Concurrency int `json:"concurrency"`
	// SingleFlight refuses a run while another one of the agent is alive; others
	// queue.
	SingleFlight bool `json:"single_flight"`
	// Priority is 1 (first) to 4.
	Priority int `json:"priority"`
	// DeadlineSeconds bounds an execution over all its attempts, from its acceptance
	// on; 0 is no bound.
	DeadlineSeconds int `json:"deadline_seconds"`
	// StallSeconds is how long an attempt may go without progress or a finished
	// step before it shows as stalled. 0, or none, takes three times the 99th
	// percentile of the agent's last thousand steps, but at least 30 seconds and at
	// most the timeout; while there are fewer than 20 steps, nothing shows as stalled.
	StallSeconds int `json:"stall_seconds"`
	// Breaker pauses the agent after so many failures of one class in a row, over
	// all its executions; 0 never does. A probe runs ProbeSeconds later.
	Breaker struct {
		Failures     int `json:"failures"`
		ProbeSeconds int `json:"probe_seconds"`
	} `json:"breaker"`
	// Effects is the class of its effects on the outside world: none, messages, pull_request.
	Effects string `json:"effects"`
	// Schedule is when it runs by default, as a cron expression in the firm's zone;
	// empty is never.
	Schedule string `json:"schedule"`
	// Heavy work stays out of business hours where a cycle plans it.
	Heavy bool `json:"heavy"`
	// Needs are the agents that must be over before it begins, where they are in the
	// same cycle. What isn't there is no need.
	Needs []Need `json:"needs"`
	// DueParameter is the parameter, a date, that is set to the slot's day where a
	// slot of the past is made up for; empty is none.
	DueParameter string `json:"due_parameter"`
	// AdminParameters are those that only a token of scope admin may set to something
	// other than their defaults, and no schedule.
	AdminParameters []string `json:"admin_parameters"`

	schema parameterSchema
}

// Need is another agent that must be over before one begins.
type Need struct {
	Agent string `json:"agent"`
	// IfFailed is what happens where the other did not complete: skip, also where it
	// is empty, run, or wait.
	IfFailed string `json:"if_failed"`
}

// RunsByItself reports whether it can run without being given anything; others are
// run by who knows what for, never by a cycle of all agents.
func (m *Manifest) RunsByItself() bool { return len(m.schema.needed) == 0 }

// Timeout bounds one attempt.
func (m *Manifest) Timeout() time.Duration { return time.Duration(m.TimeoutSeconds) * time.Second }

// MaxTimeout is the longest timeout that a manifest may name: River's own limit
// of a job lies above it, the same in every worker (internal/queue).
const MaxTimeout = 23 * time.Hour

// Reserved are the API's nouns, which can't be agents' names.
var Reserved = []string{
	"activity", "all", "audit", "changes", "clients", "conversations", "costs", "cycles", "executions", "graph", "messages", "patterns",
	"prompts", "schedules", "status", "tokens", "webhooks", "workers",
}

// Catalogue is the agents there are, in the order of their names.
type Catalogue []*Manifest

// Find returns the agent's manifest, or nil.
func (c Catalogue) Find(name string) *Manifest {
	for _, m := range c {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// DryRunParameter is the parameter that every run takes beside its agent's own: true
// has it write and send nothing.
const DryRunParameter = "dry_run"

// Embedded is the catalogue of the agents in this folder.
func Embedded() (Catalogue, error) { return Load(embedded) }

// Load reads every */agent.json of the file system and checks them together.
func Load(fsys fs.FS) (Catalogue, error) {
	paths, err := fs.Glob(fsys, "*/agent.json")
	if err != nil {
		return nil, fmt.Errorf("list manifests: %w", err)
	}
	var c Catalogue
	for _, path := range paths {
		text, err := fs.ReadFile(fsys, path)
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		m, err := ParseManifest(text)
		if err != nil {
			return nil, fmt.Errorf("manifest %s: %w", path, err)
		}
		c = append(c, m)
	}
	return NewCatalogue(c...)
}

// NewCatalogue checks that names and id prefixes are each there once, and that no
// agent needs itself.
func NewCatalogue(manifests ...*Manifest) (Catalogue, error) {
	c := slices.Clone(manifests)
	slices.SortFunc(c, func(a, b *Manifest) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	prefixes := map[string]string{}
	for i, m := range c {
		if i > 0 && c[i-1].Name == m.Name {
			return nil, fmt.Errorf("agent %s is there twice", m.Name)
		}
		if other, taken := prefixes[m.IDPrefix]; taken {
			return nil, fmt.Errorf("agents %s and %s share the id prefix %s", other, m.Name, m.IDPrefix)
		}
		prefixes[m.IDPrefix] = m.Name
	}
	for _, m := range c {
		if Catalogue(c).reaches(m, m.Name, len(c)) {
			return nil, fmt.Errorf("agent %s needs itself, by others", m.Name)
		}
	}
	return c, nil
}

// reaches reports whether an agent needs another within so many hops.
func (c Catalogue) reaches(from *Manifest, to string, hops int) bool {
	for _, n := range from.Needs {
		if n.Agent == to {
			return true
		}
		if next := c.Find(n.Agent); next != nil && hops > 0 && c.reaches(next, to, hops-1) {
			return true
		}
	}
	return false
}

var (
	namePattern   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	prefixPattern = regexp.MustCompile(`^[a-z0-9_]{1,62}_$`)
	effectClasses = []string{"none", "messages", "pull_request"}
	ifFailed      = []string{"", "skip", "run", "wait"}
)

// ParseManifest reads one manifest; unknown fields and values out of range are errors.
func ParseManifest(text []byte) (*Manifest, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var m Manifest
	if err := dec.Decode(&m); err != nil {
		return nil, err
	}
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !namePattern.MatchString(m.Name) || len(m.Name) > 64 {
		wrong("name %q must be lower-case words joined by hyphens", m.Name)
	}
	if slices.Contains(Reserved, m.Name) {
		wrong("name %q is reserved by the API", m.Name)
	}
	if !prefixPattern.MatchString(m.IDPrefix) {
		wrong("id_prefix %q must be lower case and end in an underscore", m.IDPrefix)
	}
	if m.Title == "" || m.Description == "" {
		wrong("title and description must not be empty")
	}
	if m.TimeoutSeconds <= 0 || m.Timeout() > MaxTimeout {
		wrong("timeout_seconds %d must be in 1..%d", m.TimeoutSeconds, int(MaxTimeout.Seconds()))
	}
	if m.DeadlineSeconds < 0 || m.StallSeconds < 0 {
		wrong("deadline_seconds %d and stall_seconds %d must not be negative", m.DeadlineSeconds, m.StallSeconds)
	}
	if m.Breaker.Failures < 0 || (m.Breaker.Failures > 0) != (m.Breaker.ProbeSeconds > 0) {
		wrong("breaker needs failures and probe_seconds, both positive, or neither")
	}
	if m.Tries < 1 {
		wrong("tries %d must be at least 1", m.Tries)
	}
	if m.Concurrency < 1 || m.Concurrency > 10_000 {
		wrong("concurrency %d must be in 1..10000", m.Concurrency)
	}
	if m.Priority < 1 || m.Priority > 4 {
		wrong("priority %d must be in 1..4", m.Priority)
	}
	if !slices.Contains(effectClasses, m.Effects) {
		wrong("effects %q is not one of %v", m.Effects, effectClasses)
	}
	for _, n := range m.Needs {
		if !namePattern.MatchString(n.Agent) || n.Agent == m.Name || !slices.Contains(ifFailed, n.IfFailed) {
			wrong("needs %v: it must name another agent, and if_failed skip, run or wait", n)
		}
	}
	schema, err := compileParameters(m.Parameters)
	if err != nil {
		wrong("parameters: %w", err)
	}
	m.schema = schema
	if m.Schedule != "" && len(schema.needed) > 0 {
		wrong("schedule: nobody is there to give the parameters %q, which have no default", schema.needed)
	}
	if _, known := schema.types[DryRunParameter]; known {
		wrong("parameters: %s is of every run, and not the agent's", DryRunParameter)
	}
	if _, known := schema.types[m.DueParameter]; m.DueParameter != "" && !known {
		wrong("due_parameter %q is none of its parameters", m.DueParameter)
	}
	for _, name := range m.AdminParameters {
		if _, known := schema.types[name]; !known {
			wrong("admin_parameters: %q is none of its parameters", name)
		} else if _, has := schema.defaults[name]; !has {
			wrong("admin_parameters: %q needs a default, which anybody may use", name)
		}
	}
	return &m, errors.Join(problems...)
}

// Restricted is a parameter that only an admin may set so; empty where there is none.
// The parameters are complete, as CheckParameters returns them.
func (m *Manifest) Restricted(parameters json.RawMessage) (string, error) {
	if len(m.AdminParameters) == 0 {
		return "", nil
	}
	given, err := ReadParameters(parameters)
	if err != nil {
		return "", err
	}
	for _, name := range m.AdminParameters {
		if value, set := given[name]; set && !reflect.DeepEqual(value, m.schema.defaults[name]) {
			return name, nil
		}
	}
	return "", nil
}
