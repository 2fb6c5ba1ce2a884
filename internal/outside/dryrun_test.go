package outside

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// A worker is killed in the middle of a dry run: another one does it from the start.
func TestADryRunWhoseWorkerIsKilled(t *testing.T) {
	t.Parallel()
	url := testdatabase.New(t)
	s := newSystem(t, url, quick...)
	world := newProvider(t)
	killed := s.worker()
	e, err := s.api.DryRun(t.Context(), "", "test-steps", map[string]any{"steps": 20, "millis": 100, "effects": "once", "ledger": world.URL + "/counted"})
	if err != nil || !e.DryRun {
		t.Fatalf("accepted as %+v, %v", e, err)
	}
	s.await(e.ID, 30*time.Second, "it is in the middle", func(e client.Execution) bool { return e.Progress != nil && e.Progress.Done > 2 })
	killed.signal(syscall.SIGKILL)
	killed.wait(10 * time.Second)
	s.worker()
	e = s.await(e.ID, 60*time.Second, "it is final", client.Execution.Final)
	var result struct {
		Sum    int
		DryRun struct{ Effects []string } `json:"dry_run"`
	}
	if err := json.Unmarshal(e.Result, &result); err != nil || e.Status != "completed" || e.Attempt != 2 || result.Sum != 210 || len(result.DryRun.Effects) != 20 {
		t.Errorf("ended as %s: %v", e.Raw, err)
	}
	if n := world.holding(); n != 0 {
		t.Errorf("the outside was told of %d effects", n)
	}
	if n := countAt(t, url, `SELECT (SELECT count(*) FROM ciclo.steps) + (SELECT count(*) FROM ciclo.effects) + (SELECT count(*) FROM ciclo.dry_runs)`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

func TestThePredictorsDryRun(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	var csv strings.Builder
	csv.WriteString("client_id,paid_at,amount,currency\n")
	for c := range 60 {
		for p := range 1 + c%5 {
			fmt.Fprintf(&csv, "c%02d,2025-%02d-%02d,%d.50,EUR\n", c, 1+(c+3*p)%12, 1+c%28, 40+7*c%50+p)
		}
	}
	if out, said, code := s.ciclo("import", "payments", s.file("payments.csv", csv.String())); code != 0 {
		t.Fatalf("import: %d %s%s", code, out, said)
	}
	url := strings.TrimPrefix(s.env[0], "DATABASE_URL=")
	dry, code := s.predict("--as-of", "2026-01-31", "--dry-run")
	if code != 0 || !dry.DryRun || dry.Status != "completed" {
		t.Fatalf("%d: %s", code, dry.Raw)
	}
	if n := countAt(t, url, `SELECT (SELECT count(*) FROM ciclo.client_scores) + (SELECT count(*) FROM ciclo.steps) + (SELECT count(*) FROM ciclo.client_values)`); n != 0 {
		t.Errorf("the dry run left %d rows", n)
	}
	real, code := s.predict("--as-of", "2026-01-31")
	if code != 0 {
		t.Fatalf("%d: %s", code, real.Raw)
	}
	if without := withoutMember(t, dry.Result, "dry_run"); without != withoutMember(t, real.Result, "") {
		t.Errorf("dry %s\nreal %s", without, real.Result)
	}
	// The values shown stay those of the real run.
	if later, _ := s.predict("--as-of", "2026-06-30", "--dry-run"); later.Status != "completed" {
		t.Errorf("%s", later.Raw)
	}
	if n := countAt(t, url, `SELECT count(*) FROM ciclo.client_values WHERE execution_id = '`+real.ID+`'`); n != 60 {
		t.Errorf("%d values are shown of the real run", n)
	}
}

// withoutMember is an object in one form, without one of its members.
func withoutMember(t *testing.T, object json.RawMessage, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, name)
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// countAt reads one number from the database.
func countAt(t *testing.T, url, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
