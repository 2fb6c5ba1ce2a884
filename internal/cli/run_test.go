package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunDry(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		asked = append(asked, r.URL.RawQuery+" "+string(body))
		fmt.Fprint(w, `{"execution_id": "a_1", "agent_name": "a", "status": "completed", "dry_run": true, "result": {"sum": 6, "dry_run": {"effects": ["mail"], "more_effects": 2}}}`)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "parameters.json")
	if err := os.WriteFile(file, []byte(`{"n": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args      []string
		sent, out string
	}{
		{[]string{"--dry-run"}, "dry_run=true ", "a_1 is accepted as a dry run"},
		{[]string{"--n", "1", "--dry-run"}, "dry_run=true&n=1 ", "a dry run"},
		{[]string{"--dry-run", "--from-file", file}, `dry_run=true {"n":1}`, "a dry run"},
		{[]string{"--dry-run", "--json"}, "dry_run=true ", `"dry_run": true`},
		{[]string{"--dry-run", "--wait"}, "dry_run=true ", "nothing was written or sent; 3 effects were left out\n"},
	} {
		asked = nil
		out, said, code := ciclo(t, append([]string{"--url", server.URL, "--token", "t", "run", "a"}, c.args...)...)
		if code != 0 || len(asked) == 0 || asked[0] != c.sent || !strings.Contains(out+said, c.out) {
			t.Errorf("%v: %d, asked %q: %s%s", c.args, code, asked, out, said)
		}
	}
	asked = nil
	if out, said, code := ciclo(t, "--url", server.URL, "--token", "t", "run", "a", "--dry-run=false"); code != ExitUsage || len(asked) > 0 {
		t.Errorf("with a value: %d, asked %q: %s%s", code, asked, out, said)
	}
}

func TestRunFromAFile(t *testing.T) {
	t.Parallel()
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.RawQuery != "" || r.Header.Get("Idempotency-Key") != "k" {
			t.Errorf("%s %v, %v", r.URL, r.Header, err)
		}
		bodies = append(bodies, string(body))
		fmt.Fprint(w, `{"execution_id": "a_1"}`)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	start := func(text string, more ...string) (out, said string, code int) {
		path := filepath.Join(dir, "parameters.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return ciclo(t, append([]string{"--url", server.URL, "--token", "t", "run", "a", "--key", "k", "--from-file", path}, more...)...)
	}
	for name, c := range map[string]struct {
		text string
		more []string
		want string
	}{
		"nothing":                 {"", nil, "is empty"},
		"blanks":                  {" \n", nil, "is empty"},
		"no JSON":                 {"horizon_days: 90", nil, "is not JSON"},
		"cut off":                 {`{"horizon_days": 9`, nil, "is not JSON"},
		"two objects":             {`{} {}`, nil, "is not JSON"},
		"a list":                  {`[1]`, nil, "no object"},
		"null":                    {`null`, nil, "no object"},
		"too much":                {`{"a": "` + strings.Repeat("x", maxParameters) + `"}`, nil, "1 MiB"},
		"and flags":               {`{}`, []string{"--horizon-days", "90"}, "not both"},
		"and no object, as flags": {`{}`, []string{"--from-file", ""}, "needs a file"},
		"another that is missing": {`{}`, []string{"--from-file", filepath.Join(dir, "none")}, "no such file"},
		"a folder":                {`{}`, []string{"--from-file", dir}, "directory"},
	} {
		out, said, code := start(c.text, c.more...)
		if code != ExitUsage || out != "" || !strings.Contains(said, c.want) {
			t.Errorf("%s: %d, want %q in %s%s", name, code, c.want, out, said)
		}
	}
	if len(bodies) > 0 {
		t.Errorf("what is refused was sent: %v", bodies)
	}
	if out, said, code := start(` {"big": 12345678901234567890, "deep": {"a": [null]}} `, "--json"); code != 0 || !strings.Contains(out, "a_1") {
		t.Errorf("%d %s%s", code, out, said)
	}
	if want := `{"big":12345678901234567890,"deep":{"a":[null]}}`; len(bodies) != 1 || bodies[0] != want {
		t.Errorf("sent %v, want %s", bodies, want)
	}
}
