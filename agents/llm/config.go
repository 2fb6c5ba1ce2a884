package llm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/agents"
)

// Config says where the models' file is, as flags and environment.
type Config struct {
	// Askers are the agents that may have a model; nil is any.
	Askers []string `kong:"-"`

	ModelsFile string `name:"models" env:"CICLO_MODELS" unit:"file" help:"JSON file that says which agents ask which language models, at what price and within which budgets. Default: no agent asks one."`
}

// Check says what is wrong with the file.
func (c *Config) Check() error {
	_, err := c.Open()
	return err
}

// Open reads the file; without one no agent has a model.
func (c *Config) Open() (*Models, error) {
	if c.ModelsFile == "" {
		return &Models{}, nil
	}
	text, err := os.ReadFile(c.ModelsFile)
	if err != nil {
		return nil, fmt.Errorf("CICLO_MODELS: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 { // a place for one
		return &Models{}, nil
	}
	models, err := read(text, os.Getenv, os.ReadFile)
	if err != nil {
		return nil, fmt.Errorf("CICLO_MODELS: %s: %w", c.ModelsFile, err)
	}
	for _, agent := range models.Agents() {
		if c.Askers != nil && !slices.Contains(c.Askers, agent) {
			return nil, fmt.Errorf("CICLO_MODELS: %s: agent %q asks no model: those that can are %s", c.ModelsFile, agent, strings.Join(c.Askers, ", "))
		}
	}
	return models, nil
}

// Models are those that agents ask, by agents' names.
type Models struct{ agents map[string]*Model }

// For is the agent's; nil where it has none.
func (m *Models) For(agent string) *Model { return m.agents[agent] }

// Agents are those that have a model.
func (m *Models) Agents() []string { return slices.Sorted(maps.Keys(m.agents)) }

// file is the models' file.
type file struct {
	Providers map[string]fileProvider `json:"providers"`
	Agents    map[string]fileAgent    `json:"agents"`
	Prices    []Price                 `json:"prices"`
	Budgets   map[string]fileBudget   `json:"budgets"`
	// KeepDays is how long requests and answers are kept; where there is a key, under it.
	KeepDays        int    `json:"keep_days"`
	SealKeyFile     string `json:"seal_key_file"`
	SealKeyVariable string `json:"seal_key_variable"`
}

type fileProvider struct {
	// Format is anthropic or openai, the API that it speaks.
	Format string `json:"format"`
	// URL is its address where it isn't the format's own.
	URL string `json:"url"`
	// KeyFile or KeyVariable say where the key is: a file, or an environment variable.
	KeyFile     string `json:"key_file"`
	KeyVariable string `json:"key_variable"`
	// Stored says that it stores what it answers and lists it, as OpenAI does: a call
	// that was cut off is looked for there.
	Stored bool `json:"stored"`
	// Background says that calls go on while nobody is connected, by OpenAI's Responses API:
	// a later attempt waits for the one that an earlier one began.
	Background        bool    `json:"background"`
	RequestsPerMinute int64   `json:"requests_per_minute"`
	TokensPerMinute   int64   `json:"tokens_per_minute"`
	StallSeconds      float64 `json:"stall_seconds"`
	TimeoutSeconds    float64 `json:"timeout_seconds"`
}

type fileAgent struct {
	Provider string                `json:"provider"`
	Model    string                `json:"model"`
	Redact   bool                  `json:"redact"`
	Budgets  map[string]fileBudget `json:"budgets"`
}

type fileBudget struct {
	Dollars float64 `json:"dollars"`
	Tokens  int64   `json:"tokens"`
}

// What the providers' own settings are where the file says nothing.
const (
	defaultStall   = 60 * time.Second
	defaultTimeout = 10 * time.Minute
)

// read makes models of a file's text; all that is wrong at once.
func read(text []byte, variable func(string) string, readFile func(string) ([]byte, error)) (*Models, error) {
	var f file
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("there is more after the object")
	}
	var all []error
	wrong := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	providers := map[string]Provider{}
	for _, name := range slices.Sorted(maps.Keys(f.Providers)) {
		p, err := f.Providers[name].open(variable, readFile)
		if err != nil {
			wrong("provider %s: %w", name, err)
		}
		providers[name] = p
	}
	byModel := map[string]prices{}
	for i := range f.Prices {
		p := &f.Prices[i]
		if err := p.check(); err != nil {
			all = append(all, err)
		}
		byModel[p.Model] = append(byModel[p.Model], *p)
	}
	for _, of := range byModel {
		slices.SortStableFunc(of, func(a, b Price) int { return a.from.Compare(b.from) })
	}
	if f.KeepDays < 0 || f.KeepDays > 3650 {
		wrong("keep_days is %d: it must be in 0..3650", f.KeepDays)
	}
	var kept seal
	if key, err := secret("seal_key", f.SealKeyFile, f.SealKeyVariable, variable, readFile); err != nil {
		all = append(all, err)
	} else if key != "" {
		if kept, err = newSeal(key); err != nil {
			wrong("seal_key: %w", err)
		}
	}
	common, err := budgets(f.Budgets)
	if err != nil {
		all = append(all, err)
	}
	models := &Models{agents: map[string]*Model{}}
	for _, name := range slices.Sorted(maps.Keys(f.Agents)) {
		a := f.Agents[name]
		own, err := budgets(a.Budgets)
		if err != nil {
			wrong("agent %s: %w", name, err)
		}
		p, has := f.Providers[a.Provider]
		switch {
		case !has:
			wrong("agent %s: there is no provider %q", name, a.Provider)
		case a.Model == "":
			wrong("agent %s: it names no model", name)
		case len(byModel[a.Model]) == 0:
			wrong("agent %s: model %q has no price: what costs nothing has the price 0", name, a.Model)
		}
		models.agents[name] = &Model{
			Provider: providers[a.Provider], ProviderName: a.Provider, Name: a.Model, Redact: a.Redact,
			Budgets: merge(common, own), RequestsPerMinute: p.RequestsPerMinute, TokensPerMinute: p.TokensPerMinute,
			Keep: time.Duration(f.KeepDays) * 24 * time.Hour, Timeout: p.timeout(), prices: byModel[a.Model], seal: kept,
		}
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	return models, nil
}

// scopes are those that budgets may have, from the narrowest to the widest.
var scopes = []string{agents.BudgetExecution, agents.BudgetCycle, agents.BudgetAgent, agents.BudgetDay}

func budgets(of map[string]fileBudget) (all []agents.Budget, err error) {
	for _, scope := range slices.Sorted(maps.Keys(of)) {
		b := of[scope]
		if !slices.Contains(scopes, scope) {
			return nil, fmt.Errorf("budget %s: budgets are of %s", scope, strings.Join(scopes, ", "))
		}
		if !(b.Dollars >= 0 && b.Dollars <= 1e6) || b.Tokens < 0 || (b.Dollars == 0 && b.Tokens == 0) {
			return nil, fmt.Errorf("budget %s: dollars must be in 0..1000000, tokens 0 or more, and one of them above 0", scope)
		}
		all = append(all, agents.Budget{Scope: scope, Tokens: b.Tokens, Cost: agents.Nanodollars(b.Dollars * 1e9)})
	}
	return all, nil
}

// merge has an agent's own budgets in place of the common ones; that of the day is of
// all agents, and only theirs.
func merge(common, own []agents.Budget) []agents.Budget {
	all := slices.Clone(own)
	for _, b := range common {
		if !slices.ContainsFunc(own, func(o agents.Budget) bool { return o.Scope == b.Scope }) {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b agents.Budget) int {
		return cmp.Compare(slices.Index(scopes, a.Scope), slices.Index(scopes, b.Scope))
	})
	return all
}

func (p fileProvider) timeout() time.Duration {
	return cmp.Or(time.Duration(p.TimeoutSeconds*float64(time.Second)), defaultTimeout)
}

// open makes the provider.
func (p fileProvider) open(variable func(string) string, readFile func(string) ([]byte, error)) (Provider, error) {
	key, err := secret("key", p.KeyFile, p.KeyVariable, variable, readFile)
	if err != nil {
		return nil, err
	}
	if u, err := url.Parse(p.URL); p.URL != "" && (err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "") {
		return nil, errors.New("url is none such as https://models.firm.example/v1")
	}
	if p.RequestsPerMinute < 0 || p.TokensPerMinute < 0 || !(p.StallSeconds >= 0 && p.StallSeconds <= 3600) || !(p.TimeoutSeconds >= 0 && p.TimeoutSeconds <= 3600) {
		return nil, errors.New("requests_per_minute and tokens_per_minute must be 0 or more, stall_seconds and timeout_seconds in 0..3600")
	}
	settings := Settings{
		URL: p.URL, Key: key, Stored: p.Stored, Background: p.Background,
		Stall: cmp.Or(time.Duration(p.StallSeconds*float64(time.Second)), defaultStall), Timeout: p.timeout(),
	}
	switch {
	case p.Stored && p.Background:
		return nil, errors.New("stored, background: what works in the background is stored: background alone is enough")
	case p.Format == "anthropic" && p.Stored:
		return nil, errors.New("stored: Anthropic's API lists no messages")
	case p.Format == "anthropic" && p.Background:
		return nil, errors.New("background: Anthropic's Messages API has no such calls")
	case p.Format == "anthropic" && key == "":
		return nil, errors.New("a key is missing: key_file or key_variable")
	case p.Format == "anthropic":
		return NewAnthropic(settings), nil
	case p.Format == "openai" && p.URL == "" && key == "":
		return nil, errors.New("a key is missing: key_file or key_variable; or url, for a server without keys")
	case p.Format == "openai":
		return NewOpenAI(settings), nil
	default:
		return nil, fmt.Errorf("format is %q: it is anthropic or openai", p.Format)
	}
}

// secret is what a file or an environment variable holds; empty where neither is named.
func secret(field, file, name string, variable func(string) string, readFile func(string) ([]byte, error)) (string, error) {
	switch {
	case file != "" && name != "":
		return "", fmt.Errorf("%s_file and %s_variable are given: one is enough", field, field)
	case file != "":
		text, err := readFile(file)
		if err != nil {
			return "", fmt.Errorf("%s_file: %w", field, err)
		}
		if found := strings.TrimSpace(string(text)); found != "" {
			return found, nil
		}
		return "", fmt.Errorf("%s_file names an empty file", field)
	case name != "":
		if found := variable(name); found != "" {
			return found, nil
		}
		return "", fmt.Errorf("%s_variable: %s is not set", field, name)
	}
	return "", nil
}

// Settings are a provider's.
type Settings struct {
	URL, Key string
	// Stored has it store what it answers, and look there for what was cut off.
	Stored bool
	// Background has calls go on while nobody is connected.
	Background bool
	// Stall is how long a stream may be silent, Timeout how long all of it may take.
	Stall, Timeout time.Duration
}
