package execution_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/execution"
)

// FuzzID takes only what could be an id, and all that is made.
func FuzzID(f *testing.F) {
	made := execution.NewID("slow_", time.Now())
	for _, seed := range []string{"", made, strings.ToUpper(made), made[:len(made)-1], "_" + made, "x" + made + "\x00", "é_" + made[5:]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if execution.ValidID(text) {
			if len(text) > 100 || strings.ToLower(text) != text || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
				t.Errorf("%q is taken", text)
			}
			prefix := text[:len(text)-36]
			if id := execution.NewID(prefix, time.Now()); !execution.ValidID(id) || !strings.HasPrefix(id, prefix) {
				t.Errorf("%q is made, and not taken", id)
			}
		}
	})
}
