package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// schema is a JSON Schema as the document holds it.
type schema map[string]any

// operation is one call of the document.
type operation struct {
	id, method, path string
	// secured says that it needs a token.
	secured       bool
	query, header []parameter
	inPath        map[string]schema
	body          schema // nil where it takes none
	requiresBody  bool
	weight        float64
	streams       bool
}

// parameter is one of a query or a header.
type parameter struct {
	name     string
	required bool
	schema   schema
}

// document is what requests are made from.
type document struct {
	operations []*operation
	components map[string]schema
	agents     []string
}

// weights are of the operations that are asked for less often than the others: they
// cost more than others, or what they make costs those that come after.
var weights = map[string]float64{
	"getAudit": 0.02, "getDocument": 0.1, "getDocs": 0.1, "streamEvents": 0.3, "listExecutions": 0.5, "pauseAgent": 0.1,
	"createSchedule": 0.2, "runSchedule": 0.05, "backfillSchedule": 0.1, "openCycle": 0.05, "createWebhook": 0.1, "listSchedules": 0.3,
	"resumeAgent": 2, "cancelExecution": 2, "endWebhook": 2,
}

func readDocument(text []byte) (*document, error) {
	var parsed struct {
		Paths map[string]map[string]struct {
			ID         string                `json:"operationId"`
			Security   []map[string][]string `json:"security"`
			Parameters []struct {
				Name, In, Description string
				Required              bool
				Schema                schema
			} `json:"parameters"`
			Body *struct {
				Required bool
				Content  map[string]struct{ Schema schema }
			} `json:"requestBody"`
			Responses map[string]struct {
				Content map[string]any
			} `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	d := &document{components: parsed.Components.Schemas}
	for _, path := range slices.Sorted(maps.Keys(parsed.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(parsed.Paths[path])) {
			call := parsed.Paths[path][method]
			op := &operation{id: call.ID, method: strings.ToUpper(method), path: path, secured: len(call.Security) > 0, inPath: map[string]schema{}, weight: 1}
			for _, p := range call.Parameters {
				if p.Description != "" && p.Schema["format"] == nil {
					p.Schema["description"] = p.Description
				}
				switch p.In {
				case "path":
					op.inPath[p.Name] = p.Schema
				case "query":
					op.query = append(op.query, parameter{p.Name, p.Required, p.Schema})
				case "header":
					op.header = append(op.header, parameter{p.Name, p.Required, p.Schema})
				}
			}
			if call.Body != nil {
				op.body, op.requiresBody = call.Body.Content["application/json"].Schema, call.Body.Required
			}
			for _, r := range call.Responses {
				_, stream := r.Content["text/event-stream"]
				op.streams = op.streams || stream
			}
			if w, ok := weights[op.id]; ok {
				op.weight = w
			}
			if agents, ok := d.resolve(op.inPath["agent"])["enum"].([]any); ok && d.agents == nil {
				for _, a := range agents {
					d.agents = append(d.agents, fmt.Sprint(a))
				}
			}
			d.operations = append(d.operations, op)
		}
	}
	return d, nil
}

// resolve follows a reference.
func (d *document) resolve(s schema) schema {
	for {
		ref, ok := s["$ref"].(string)
		if !ok {
			return s
		}
		s = d.components[strings.TrimPrefix(ref, "#/components/schemas/")]
	}
}

// of is the schema of a member.
func of(s schema, keyword, name string) schema {
	members, _ := s[keyword].(map[string]any)
	member, _ := members[name].(map[string]any)
	return member
}

// properties are the names of an object's properties.
func properties(s schema) []string {
	members, _ := s["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(members))
}

func requires(s schema, name string) bool {
	list, _ := s["required"].([]any)
	return slices.Contains(list, any(name))
}

// kinds are the types that a schema allows; none is any.
func kinds(s schema) []string {
	switch t := s["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var all []string
		for _, one := range t {
			all = append(all, fmt.Sprint(one))
		}
		return all
	}
	return nil
}

func number(s schema, keyword string, otherwise float64) float64 {
	if n, ok := s[keyword].(float64); ok {
		return n
	}
	return otherwise
}

// inProse reports whether what a value may be is said to people alone: that it is
// taken is then no promise that a program could rely on.
func inProse(s schema) bool {
	if s["description"] == nil {
		return false
	}
	for _, keyword := range []string{"enum", "pattern", "minimum", "maximum", "const"} {
		if s[keyword] != nil {
			return false
		}
	}
	return !slices.Equal(kinds(s), []string{"boolean"})
}
