package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestMain takes away what would lead a command to another system.
func TestMain(m *testing.M) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "CICLO_") || strings.HasPrefix(name, "DATABASE_URL") {
			os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// ciclo runs a command in a folder where nothing is.
func ciclo(t *testing.T, args ...string) (out, said string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(append([]string{"--data", t.TempDir()}, args...), &o, &e)
	return o.String(), e.String(), code
}
