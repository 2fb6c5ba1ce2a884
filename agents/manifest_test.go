package agents_test

import (
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/agents"
)

func TestAManifestHasNoParameterDryRun(t *testing.T) {
	t.Parallel()
	manifest := func(parameter string) []byte {
		return []byte(`{"name": "a", "title": "A", "description": "a", "id_prefix": "a_", "timeout_seconds": 1, "tries": 1, "concurrency": 1, "priority": 1, "effects": "none",
			"parameters": {"type": "object", "additionalProperties": false, "properties": {"` + parameter + `": {"type": "boolean"}}}}`)
	}
	if _, err := agents.ParseManifest(manifest("dry")); err != nil {
		t.Errorf("another name: %v", err)
	}
	if _, err := agents.ParseManifest(manifest("dry_run")); err == nil || !strings.Contains(err.Error(), "dry_run is of every run") {
		t.Errorf("it says %v", err)
	}
}

func TestManifestsOfThisFolder(t *testing.T) {
	t.Parallel()
	c, err := agents.Embedded()
	if err != nil || len(c) == 0 {
		t.Fatalf("%d manifests, %v", len(c), err)
	}
}

func TestAnAgentThatMustBeGivenParameters(t *testing.T) {
	t.Parallel()
	text := func(schedule, property string) []byte {
		return []byte(`{"name": "a", "title": "A", "description": "A", "id_prefix": "a_", "timeout_seconds": 1, "tries": 1, "concurrency": 1, "priority": 1,
			"effects": "none", "schedule": "` + schedule + `", "parameters": {"type": "object", "additionalProperties": false, "required": ["x"], "properties": {"x": ` + property + `}}}`)
	}
	m, err := agents.ParseManifest(text("", `{"type": "string"}`))
	if err != nil || m.RunsByItself() {
		t.Errorf("one that must be given x: %v, runs by itself: %v", err, m.RunsByItself())
	}
	if _, err := m.CheckParameters(nil); err == nil {
		t.Error("it runs without x")
	}
	if m, err = agents.ParseManifest(text("@daily", `{"type": "string", "default": "y"}`)); err != nil || !m.RunsByItself() {
		t.Errorf("one with a default: %v", err)
	}
	for name, text := range map[string][]byte{
		"on a schedule, with nobody to give x": text("@daily", `{"type": "string"}`),
		"a default that is not allowed":        text("", `{"type": "string", "default": 1}`),
	} {
		if _, err := agents.ParseManifest(text); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

func TestParametersOfAdmins(t *testing.T) {
	t.Parallel()
	text := func(property, admin string) []byte {
		return []byte(`{"name": "a", "title": "A", "description": "A", "id_prefix": "a_", "timeout_seconds": 1, "tries": 1, "concurrency": 1, "priority": 1, "effects": "none",
			"admin_parameters": ["` + admin + `"], "parameters": {"type": "object", "additionalProperties": false, "properties": {"x": ` + property + `, "y": {"type": "integer"}}}}`)
	}
	m, err := agents.ParseManifest(text(`{"type": "boolean", "default": false}`, "x"))
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{`{}`: "", `{"y": 1}`: "", `{"x": false}`: "", `{"x": true}`: "x"} {
		complete, err := m.CheckParameters([]byte(given))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.Restricted(complete); err != nil || got != want {
			t.Errorf("%s: %q %v", given, got, err)
		}
	}
	for name, text := range map[string][]byte{
		"without a default, which anybody could leave": text(`{"type": "boolean"}`, "x"),
		"that there isn't": text(`{"type": "boolean", "default": false}`, "z"),
	} {
		if _, err := agents.ParseManifest(text); err == nil {
			t.Errorf("one %s is taken", name)
		}
	}
}
