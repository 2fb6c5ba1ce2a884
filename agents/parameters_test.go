package agents_test

import (
	"errors"
	"testing"

	"github.com/nuzantara/ciclo/agents"
)

const manifest = `{
	"name": "a-test", "title": "A test", "description": "For tests.", "id_prefix": "a_", "timeout_seconds": 60, "tries": 3,
	"concurrency": 1, "priority": 2, "effects": "none", "schedule": "",
	"parameters": {"type": "object", "additionalProperties": false, "properties": {
		"n": {"type": "integer", "minimum": 0, "default": 7}, "x": {"type": "number"}, "list": {"type": "array"}}}}`

func TestParameters(t *testing.T) {
	t.Parallel()
	m, err := agents.ParseManifest([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		``:                             `{"n":7}`,
		`{}`:                           `{"n":7}`,
		`{"n": 5}`:                     `{"n":5}`,
		`{"n": 5.0}`:                   `{"n":5}`,
		`{"n": 5e2}`:                   `{"n":500}`,
		`{"n": 1, "x": 2.50}`:          `{"n":1,"x":2.5}`,
		`{"x": 1e300}`:                 `{"n":7,"x":1e+300}`,
		`{"list": ["\\u0000"]}`:        `{"list":["\\u0000"],"n":7}`, // six characters, not one
		`{"list": [1.0, {"a": -0.0}]}`: `{"list":[1,{"a":0}],"n":7}`,
	} {
		got, err := m.CheckParameters([]byte(given))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", given, got, err, want)
		}
	}
	for _, given := range []string{
		`[]`, `null`, `{"n": 1.5}`, `{"n": -1}`, `{"x": 1e999}`, `{"n": 1e99999}`, `{"n": 99999999999999999999}`,
		`{"list": [[1e999]]}`, `{"other": 1}`, `{"x": "\u0000"}`, `{"list": ["a\u0000"]}`, `{"list": [{"\u0000": 1}]}`,
	} {
		var refused *agents.ParametersError
		if got, err := m.CheckParameters([]byte(given)); !errors.As(err, &refused) {
			t.Errorf("%s: %s, %v", given, got, err)
		}
	}
}
