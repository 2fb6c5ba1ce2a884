package outside

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// A client that is generated from the document of the API, and knows nothing else,
// runs an execution from its start to its result.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t))
	s.worker()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("generated")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "api"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "openapi.json"), s.get("/openapi.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"tool", "oapi-codegen", "-generate", "types,client,skip-prune", "-package", "api", "-o", "api/api.go", "openapi.json"},
		{"build", "-o", "client", "."},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
	}
	cmd := exec.Command(filepath.Join(dir, "client"))
	cmd.Env = append(clean(os.Environ()), "CICLO_URL="+s.api.URL, "CICLO_TOKEN="+token)
	cmd.Stderr = &safeBuffer{}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, cmd.Stderr)
	}
	var result struct{ Sum int }
	if err := json.Unmarshal(out, &result); err != nil || result.Sum != 6 {
		t.Errorf("the result is %s: %v\n%s", out, err, cmd.Stderr)
	}
}

// get fetches a document with the system's token.
func (s *system) get(path string) []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.api.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s %v", path, resp.Status, err)
	}
	return body
}
