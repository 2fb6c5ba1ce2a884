package eval_test

import (
	"testing"

	"github.com/nuzantara/ciclo/agents/conversation/eval"
)

func check(t *testing.T, figures []eval.Figure, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if !f.Pass {
			t.Errorf("%s: %s, want %s", f.Name, f.Measured, f.Target)
		}
	}
}

func data(t *testing.T) string {
	t.Helper()
	dir, err := eval.DataDir()
	if err != nil {
		t.Skip(err)
	}
	return dir
}

func TestPublishedRanking(t *testing.T) {
	t.Parallel()
	figures, err := eval.Ranking(data(t))
	check(t, figures, err)
}

func TestPlanted(t *testing.T) {
	t.Parallel()
	figures, err := eval.Planted(25)
	check(t, figures, err)
}

func TestShuffled(t *testing.T) {
	t.Parallel()
	figures, err := eval.Shuffled(data(t), 200)
	check(t, figures, err)
}

func TestSimpson(t *testing.T) {
	t.Parallel()
	figures, err := eval.Confounded(5)
	check(t, figures, err)
}

func TestLeakage(t *testing.T) {
	t.Parallel()
	figures, err := eval.Leakage(data(t))
	check(t, figures, err)
}

func TestNothing(t *testing.T) {
	t.Parallel()
	figures, err := eval.Nothing(50)
	check(t, figures, err)
}
