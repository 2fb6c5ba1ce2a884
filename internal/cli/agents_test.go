package cli

import (
	"slices"
	"testing"
)

func TestParametersIn(t *testing.T) {
	t.Parallel()
	got, err := parametersIn([]byte(`{"type": "object", "required": ["name"], "properties": {
		"name": {"type": "string", "pattern": "^[a-z]+$", "description": "Who."},
		"days": {"type": "integer", "minimum": 1, "maximum": 365, "default": 7},
		"rate": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.1},
		"mode": {"type": "string", "enum": ["", "fast", "slow"], "default": ""},
		"as_of": {"type": "string", "anyOf": [{"format": "date", "pattern": "^2"}, {"const": "last_payment"}]},
		"maybe": {"type": ["integer", "null"], "minimum": 0, "default": null},
		"what": true, "odd": {"minimum": "x"}
	}}`))
	want := []agentParameter{
		{"as_of", "string", "date or last_payment", "", ""},
		{"days", "integer", "1..365", "7", ""},
		{"maybe", "integer or null", "≥ 0", "null", ""},
		{"mode", "string", `""|fast|slow`, `""`, ""},
		{"name", "string", "^[a-z]+$", "(required)", "Who."},
		{"odd", "", "", "", ""},
		{"rate", "number", "> 0, ≤ 1", "0.1", ""},
		{"what", "", "", "", ""},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v\nwant %q", got, err, want)
	}
	for _, none := range []string{`{}`, `{"properties": {}}`} {
		if got, err := parametersIn([]byte(none)); err != nil || len(got) > 0 {
			t.Errorf("%s: %v %v", none, got, err)
		}
	}
	for _, bad := range []string{``, `[]`, `{"properties": 1}`} {
		if _, err := parametersIn([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
