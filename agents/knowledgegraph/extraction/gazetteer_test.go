package extraction

import "testing"

// newGazetteer is of names all of which are taken.
func newGazetteer(t testing.TB, names ...FirmName) *Gazetteer {
	t.Helper()
	g, left := NewGazetteer(names)
	if len(left) > 0 {
		t.Fatalf("left out: %v", left)
	}
	return g
}
