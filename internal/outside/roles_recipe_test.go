package outside

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// SECURITY.md's recipe, on an empty database, by psql and as it stands there: then
// every program works by its role alone.
func TestTheRolesRecipe(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("psql"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("psql is missing: it comes with the Debian package postgresql-client")
		}
		t.Skip("psql is missing")
	}
	page, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```sh\n")
	block, _, _ = strings.Cut(block, "```")
	commands := strings.Split(strings.TrimSpace(block), "\n")
	if len(commands) != 3 {
		t.Fatalf("the page's commands are %q", commands)
	}
	admin := testdatabase.Empty(t)
	env := func(role string) []string { return []string{"DATABASE_URL=" + as(role, admin), "CICLO_TOKEN=" + token} }

	psql(t, commands[0], admin)
	psql(t, commands[0], admin) // again
	if err := makeRoles(t.Context(), admin); err != nil {
		t.Fatal(err) // with the passwords
	}
	ciclo := func(role string, line string) string {
		t.Helper()
		out, said, code := run(t, t.TempDir(), "ciclo", env(role), strings.Fields(line)[1:]...)
		if code != 0 || strings.Contains(out+said, rolePassword) {
			t.Fatalf("%s as %s: exit code %d, %s%s", line, role, code, out, said)
		}
		return out
	}
	for range 2 { // at each version anew
		if out := ciclo("ciclo_owner", commands[1]); !strings.Contains(out, "ciclo_eraser, ciclo_orchestrator, ciclo_worker") {
			t.Errorf("ciclo migrate said %s", out)
		}
	}
	ciclo(postgres.RoleOrchestrator, commands[2])
	ciclo(postgres.RoleWorker, "ciclo config check --of worker")
	if text := strings.TrimSpace(ciclo(postgres.RoleOrchestrator, "ciclo token create reader --scope read")); len(text) < 20 {
		t.Errorf("the token is %q", text)
	}
	ciclo(postgres.RoleOrchestrator, "ciclo prune --older-than 90d")
	if _, said, code := run(t, t.TempDir(), "ciclo", env(postgres.RoleWorker), "token", "list"); code != 1 || !strings.Contains(said, "permission denied for table tokens") {
		t.Errorf("a worker's role lists tokens: exit code %d, %s", code, said)
	}

	// A second login of a role is what a password is changed by.
	second := fmt.Sprintf("ciclo_worker_%d", time.Now().UnixNano())
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, sql := range []string{`CREATE ROLE ` + second + ` LOGIN PASSWORD '` + rolePassword + `' IN ROLE ciclo_worker`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { dropRole(t, admin, second) })

	address := freePort(t)
	orchestrator := append(env(postgres.RoleOrchestrator), "CICLO_LISTEN="+address)
	start(t, "", "orchestrator", slices.Concat(orchestrator, quick))
	worker := start(t, "", "worker", slices.Concat(env(second), quick))
	s := &system{t: t, api: &client.Client{URL: "http://" + address, Token: token}}
	s.ready()
	// That nothing was denied is looked at where processes end.
	s.await(s.run("client-value-predictor", nil), time.Minute, "it has run", func(e client.Execution) bool { return strings.Contains(path(e), "running") && e.Status != "running" })
	worker.signal(syscall.SIGTERM)
	worker.wait(time.Minute) // the role is dropped
}

// psql runs a line of the page for an administrator.
func psql(t *testing.T, line, admin string) {
	t.Helper()
	cmd := exec.Command("bash", "-ec", line)
	cmd.Dir = "../.."
	cmd.Env = append(clean(os.Environ()), "ADMIN_URL="+admin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
}

func dropRole(t *testing.T, admin, role string) {
	t.Helper()
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/postgres" // the test's own may be gone
	conn, err := pgx.Connect(context.WithoutCancel(t.Context()), u.String())
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(context.WithoutCancel(t.Context()), `DROP ROLE `+role); err != nil {
		t.Error(err)
	}
}
