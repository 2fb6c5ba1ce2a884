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
