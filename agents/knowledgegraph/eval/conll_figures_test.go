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

func TestCoNLL04Names(t *testing.T) {
	t.Parallel()
	dir := conllData(t)
	for _, measure := range []func(string) ([]Figure, error){CoNLL04Entities, CoNLL04Firm} {
		figures, err := measure(dir)
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
}
