package execution

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMoves(t *testing.T) {
	t.Parallel()
	allowed := map[[2]Status]bool{
		{Started, Running}:   true,
		{Started, Failed}:    true,
		{Started, Cancelled}: true,
		{Running, Started}:   true,
		{Running, Completed}: true,
		{Running, Failed}:    true,
		{Running, Cancelled}: true,
	}
	for _, from := range Statuses {
		for _, to := range Statuses {
			if got, want := CanMove(from, to), allowed[[2]Status{from, to}]; got != want {
				t.Errorf("CanMove(%s, %s) = %v, want %v", from, to, got, want)
			}
			if got := slices.Contains(Sources(to), from); got != CanMove(from, to) {
				t.Errorf("Sources(%s) and CanMove disagree on %s", to, from)
			}
		}
		if from.Final() != (len(moves[from]) == 0) {
			t.Errorf("%s: final must mean that nothing follows", from)
		}
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	for _, s := range Statuses {
		if got, err := ParseStatus(string(s)); err != nil || got != s {
			t.Errorf("ParseStatus(%q) = %q, %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "Started", "done", "started "} {
		if _, err := ParseStatus(bad); err == nil {
			t.Errorf("ParseStatus(%q) gave no error", bad)
		}
	}
}

func TestNewIDGrowsWithinOneMillisecond(t *testing.T) {
	now := time.UnixMilli(1_764_000_000_000)
	last := ""
	for range 10_000 { // more than the 4,096 of one millisecond
		id := NewID("client_predictor_", now)
		if id <= last {
			t.Fatalf("%s does not follow %s", id, last)
		}
		if !ValidID(id) {
			t.Fatalf("%s is not valid", id)
		}
		last = id
	}
	if id := NewID("x_", now.Add(-time.Hour)); id[2:] <= strings.TrimPrefix(last, "client_predictor_") {
		t.Errorf("a clock set back made %s after %s", id, last)
	}
}

func TestValidIDRefuses(t *testing.T) {
	t.Parallel()
	good := NewID("kg_builder_", time.Now())
	for name, id := range map[string]string{
		"empty":        "",
		"prefix alone": "kg_builder_",
		"uuid alone":   good[len("kg_builder_"):],
		"no separator": strings.Replace(good, "builder_", "builder", 1),
		"upper case":   strings.ToUpper(good),
		"cut":          good[:len(good)-1],
		"long":         strings.Repeat("a", 80) + good,
		"sql":          "x_' OR 1=1; --" + good[len(good)-36:],
		"nul":          "x\x00_" + good[len(good)-36:],
		"not hex":      good[:len(good)-1] + "g",
		"dash moved":   good[:len(good)-28] + "0" + good[len(good)-27:],
	} {
		if ValidID(id) {
			t.Errorf("%s: %q was taken as valid", name, id)
		}
	}
}
