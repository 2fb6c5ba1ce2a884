package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestListening(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"":             "http://127.0.0.1:8080",
		":9000":        "http://127.0.0.1:9000",
		"0.0.0.0:9000": "http://127.0.0.1:9000",
		"[::]:9000":    "http://127.0.0.1:9000",
		"10.0.0.5:80":  "http://10.0.0.5:80",
	} {
		if got := listening(address); got != want {
			t.Errorf("%q: %s, want %s", address, got, want)
		}
	}
}

func TestWhatRunsBeside(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	if _, err := beside(proc); err == nil {
		t.Error("nothing can be seen, and that is no error")
	}
	for pid, name := range map[string]string{"1": "docker-init", "7": "worker", "12": "ciclo", "self": "ciclo"} {
		if err := os.MkdirAll(filepath.Join(proc, pid), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, pid, "comm"), []byte(name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := beside(proc)
	if diff := cmp.Diff(map[string]int{"docker-init": 1, "worker": 7, "ciclo": 12}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
