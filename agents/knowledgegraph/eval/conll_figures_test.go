package eval

import (
	"os"
	"path/filepath"
	"testing"
)

// conllData is the folder of the data sets, or skips.
func conllData(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CICLO_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(dir, "conll04")); err != nil {
		t.Skipf("CoNLL04 is absent (set CICLO_DATA to the folder of the data sets): %v", err)
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
	figures, err := measure(conllData(t))
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
