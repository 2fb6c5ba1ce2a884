package eval

import (
	"os"
	"path/filepath"
	"testing"
)

// sharedData is the folder of the data sets, or skips.
func sharedData(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CICLO_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(dir, "conll04")); err != nil {
		t.Skipf("the data sets are absent (set CICLO_DATA to their folder): %v", err)
	}
	return dir
}

func TestCoNLL04Entities(t *testing.T) {
	t.Parallel()
	reached(t, CoNLL04Entities)
}

func TestCoNLL04Firm(t *testing.T) {
	t.Parallel()
	reached(t, CoNLL04Firm)
}

func reached(t *testing.T, measure func(string) ([]Figure, error)) {
	t.Helper()
	if raced {
		t.Skip("training takes minutes under the race detector, and runs nothing at once; make eval measures it")
	}
	figures, err := measure(sharedData(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		t.Logf("%s: %s, want %s", f.Name, f.Measured, f.Target)
		if !f.Pass {
			t.Errorf("%s: %s, want %s", f.Name, f.Measured, f.Target)
		}
	}
}
