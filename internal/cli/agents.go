package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/client"
)

type agentsCommand struct {
	Name string `arg:"" optional:"" help:"The agent to show with its parameters; without it, all are listed."`
}

func (c agentsCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	s, err := api.Status(ctx)
	if err != nil {
		return err
	}
	if c.Name == "" {
		if g.JSON {
			return g.printJSON(map[string]any{"agents": s.Agents})
		}
		printAgents(g.out, s.Agents)
		return nil
	}
	i := slices.IndexFunc(s.Agents, func(a client.Agent) bool { return a.ID == c.Name })
	if i < 0 {
		return fmt.Errorf("no agent %q: `ciclo agents` lists them", c.Name)
	}
	if g.JSON {
		return g.printJSON(s.Agents[i])
	}
	return printAgent(g.out, s.Agents[i])
}

func printAgents(w io.Writer, agents []client.Agent) {
	table(w, func(row func(...any)) {
		row("AGENT", "TITLE", "SCHEDULE", "STARTED", "RUNNING", "TYPICALLY", "SUCCESS")
		for _, a := range agents {
			row(a.ID, a.Name, orDash(a.Schedule), a.Started, a.Running, seconds(a.TypicalDurationSeconds), percent(a.SuccessRate))
		}
	})
}

func printAgent(w io.Writer, a client.Agent) error {
	fmt.Fprintf(w, "%s: %s\n%s\n", a.ID, a.Name, a.Description)
	parameters, err := parametersIn(a.Parameters)
	if err != nil {
		return fmt.Errorf("parameters of %s: %w", a.ID, err)
	}
	if len(parameters) == 0 {
		fmt.Fprintln(w, "It has no parameters.")
		return nil
	}
	table(w, func(row func(...any)) {
		row("PARAMETER", "TYPE", "ALLOWED", "DEFAULT", "DESCRIPTION")
		for _, p := range parameters {
			row("--"+strings.ReplaceAll(p.name, "_", "-"), orDash(p.kind), orDash(p.allowed), orDash(p.initial), p.description)
		}
	})
	return nil
}

// agentParameter is a parameter as a row for people.
type agentParameter struct{ name, kind, allowed, initial, description string }

// parametersIn reads the JSON Schema of an agent's parameters, by name.
func parametersIn(schema json.RawMessage) ([]agentParameter, error) {
	if len(schema) == 0 {
		return nil, errors.New("the orchestrator doesn't say them: it is older than this program")
	}
	var object struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	}
	if err := json.Unmarshal(schema, &object); err != nil {
		return nil, fmt.Errorf("read their schema: %w", err)
	}
	var all []agentParameter
	for _, name := range slices.Sorted(maps.Keys(object.Properties)) {
		p := agentParameter{name: name}
		var s parameterSchema
		if err := json.Unmarshal(object.Properties[name], &s); err == nil { // true is a schema too
			p.kind, p.allowed, p.initial, p.description = s.kind(), s.allowed(), plain(s.Default), s.Description
		}
		if p.initial == "" && slices.Contains(object.Required, name) {
			p.initial = "(required)"
		}
		all = append(all, p)
	}
	return all, nil
}

// parameterSchema is what of a parameter's schema is shown.
type parameterSchema struct {
	Type             json.RawMessage   `json:"type"`
	Description      string            `json:"description"`
	Default          json.RawMessage   `json:"default"`
	Enum             []json.RawMessage `json:"enum"`
	Const            json.RawMessage   `json:"const"`
	Minimum          *json.Number      `json:"minimum"`
	Maximum          *json.Number      `json:"maximum"`
	ExclusiveMinimum *json.Number      `json:"exclusiveMinimum"`
	ExclusiveMaximum *json.Number      `json:"exclusiveMaximum"`
	Format           string            `json:"format"`
	Pattern          string            `json:"pattern"`
	AnyOf            []parameterSchema `json:"anyOf"`
	OneOf            []parameterSchema `json:"oneOf"`
}

func (s parameterSchema) kind() string {
	var several []string
	if json.Unmarshal(s.Type, &several) == nil {
		return strings.Join(several, " or ")
	}
	return plain(s.Type)
}

// allowed is the values that the schema lets pass, as briefly as it can be said.
func (s parameterSchema) allowed() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			values = append(values, plain(v))
		}
		add("%s", strings.Join(values, "|"))
	case len(s.Const) > 0:
		add("%s", plain(s.Const))
	case s.Minimum != nil && s.Maximum != nil:
		add("%s..%s", *s.Minimum, *s.Maximum)
	default:
		for _, bound := range []struct {
			sign  string
			value *json.Number
		}{{">", s.ExclusiveMinimum}, {"≥", s.Minimum}, {"<", s.ExclusiveMaximum}, {"≤", s.Maximum}} {
			if bound.value != nil {
				add("%s %s", bound.sign, *bound.value)
			}
		}
	}
	switch {
	case s.Format != "":
		add("%s", s.Format)
	case s.Pattern != "":
		add("%s", s.Pattern)
	}
	var choices []string
	for _, other := range append(s.AnyOf, s.OneOf...) {
		if text := other.allowed(); text != "" {
			choices = append(choices, text)
		}
	}
	if len(choices) > 0 {
		add("%s", strings.Join(choices, " or "))
	}
	return strings.Join(parts, ", ")
}

// plain is a JSON value for people: a string without its quotes, unless it is empty.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && text != "" {
		return text
	}
	return string(value)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func percent(part *float64) string {
	if part == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100**part)
}
