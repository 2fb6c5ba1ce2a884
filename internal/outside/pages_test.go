package outside

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// shBlock is the n-th block of shell commands of a page in docs, from 1.
func shBlock(t *testing.T, page string, n int) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "\n```sh\n")
	if len(blocks) <= n {
		t.Fatalf("%s has %d blocks of commands, not %d", page, len(blocks)-1, n)
	}
	block, _, _ := strings.Cut(blocks[n], "\n```")
	return block
}

// typed runs a block as somebody types it in a folder, with ciclo and more folders in
// the path, and returns all that it says.
func typed(t *testing.T, dir, block string, env []string, path ...string) string {
	t.Helper()
	path = append(path, filepath.Dir(binary(t, "ciclo")), os.Getenv("PATH"))
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", block)
	cmd.Dir = dir
	cmd.Env = append(append(clean(os.Environ()), env...), "PATH="+strings.Join(path, string(filepath.ListSeparator)))
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s\n%v: %s", block, err, said)
	}
	return string(said)
}

func TestThePageOfUpgrades(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	s.worker()
	eventually(t, 20*time.Second, "the worker is there", func() bool {
		workers, err := s.api.Workers(t.Context())
		return err == nil && len(workers) == 1
	})
	said := typed(t, t.TempDir(), shBlock(t, "upgrading.md", 1), append(s.env, "CICLO_URL="+s.api.URL))
	for _, want := range []string{"Nothing is pending.", "worker", "goes on", "up to date", "RUNNING"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in:\n%s", want, said)
		}
	}
}
