package outside

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// All tests of this package run the services by the roles of least privilege that
// deploy/roles.sql makes, each by its own: whatever they need they must have. Roles
// are the server's; what they may do is a database's.

// rolePassword opens the roles of a test's server.
const rolePassword = "of-the-tests"

// migrateWithRoles is what a person does with deploy/roles.sql, then `ciclo migrate`.
func migrateWithRoles(ctx context.Context, at string) error {
	if err := makeRoles(ctx, at); err != nil {
		return fmt.Errorf("make the roles: %w", err)
	}
	if err := postgres.Migrate(ctx, at); err != nil {
		return err
	}
	granted, err := postgres.GrantRoles(ctx, at)
	if err == nil && len(granted) != 3 {
		err = fmt.Errorf("the roles that were granted something are %v", granted)
	}
	return err
}

func makeRoles(ctx context.Context, at string) error {
	script, err := os.ReadFile(filepath.Join("..", "..", "deploy", "roles.sql"))
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, at)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	commands := string(script)
	for _, role := range []string{"ciclo_owner", postgres.RoleOrchestrator, postgres.RoleWorker} {
		commands += fmt.Sprintf("ALTER ROLE %s PASSWORD '%s';\n", role, rolePassword)
	}
	for {
		_, err = conn.PgConn().Exec(ctx, commands).ReadAll()
		var of *pgconn.PgError
		if !errors.As(err, &of) || of.Message != "tuple concurrently updated" { // another package's tests make them too
			return err
		}
	}
}

// rightsFingerprint changes with what the roles may do: templates are shared by it.
func rightsFingerprint() (string, error) {
	h := fnv.New32a()
	for _, name := range []string{"../../deploy/roles.sql", "../postgres/rights.go", "../postgres/roles.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		_, _ = h.Write(text) // never fails
	}
	return fmt.Sprintf("%08x", h.Sum32()), nil
}

// as is a database's URL for a role.
func as(role, at string) string {
	u, err := url.Parse(at)
	if err != nil {
		panic(err) // it is the tests' own
	}
	u.User = url.UserPassword(role, rolePassword)
	return u.String()
}

// byRole gives a program its own role where the environment has the owner's URL of
// the tests' server: a server of a test's own has no roles.
func byRole(t *testing.T, program string, args, env []string) []string {
	t.Helper()
	shared, err := url.Parse(testdatabase.Superuser(t))
	if err != nil {
		t.Fatal(err)
	}
	role := map[string]string{"orchestrator": postgres.RoleOrchestrator, "worker": postgres.RoleWorker}[filepath.Base(program)]
	if filepath.Base(program) == "ciclo" && len(args) > 0 && (args[0] == "token" || args[0] == "prune") {
		role = postgres.RoleOrchestrator
	}
	env = slices.Clone(env)
	for i, v := range env {
		at, is := strings.CutPrefix(v, "DATABASE_URL=")
		if u, err := url.Parse(at); is && role != "" && err == nil && u.Host == shared.Host && u.RawQuery == shared.RawQuery && u.User.Username() == shared.User.Username() {
			env[i] = "DATABASE_URL=" + as(role, at)
		}
	}
	return env
}

// Commands of the owner go by DATABASE_URL, whosever DATABASE_DIRECT_URL is, and say whose
// they are where another one runs them.
func TestTheOwnersCommands(t *testing.T) {
	t.Parallel()
	owner := testdatabase.New(t)
	beside := []string{"DATABASE_URL=" + owner, "DATABASE_DIRECT_URL=" + as(postgres.RoleWorker, owner)}
	if out, said, code := run(t, "", "ciclo", beside, "migrate"); code != 0 {
		t.Errorf("ciclo migrate beside a worker's direct URL ends with %d: %s%s", code, out, said)
	}
	for _, args := range [][]string{{"restored", "--force"}, {"restored", "--nothing-lost"}, {"restored", "--force", "--dry-run"}} {
		if out, said, code := run(t, "", "ciclo", []string{"DATABASE_URL=" + as(postgres.RoleOrchestrator, owner)}, args...); code != 1 || !strings.Contains(said, "for the role that owns the schema") {
			t.Errorf("ciclo %s of the orchestrator's role ends with %d: %s%s", strings.Join(args, " "), code, out, said)
		}
		if out, said, code := run(t, "", "ciclo", []string{"DATABASE_URL=" + owner}, args...); code != 0 {
			t.Errorf("ciclo %s of the owner's ends with %d: %s%s", strings.Join(args, " "), code, out, said)
		}
	}
}

// A service with another's role, or a wrong password, isn't ready and says why.
func TestAServiceWithAnothersRole(t *testing.T) {
	t.Parallel()
	owner := testdatabase.New(t)
	wrong := strings.Replace(as(postgres.RoleOrchestrator, owner), rolePassword, "wrong", 1)
	for _, c := range []struct{ name, service, url, want string }{
		{"the worker's", "orchestrator", as(postgres.RoleWorker, owner), "ciclo_worker is the worker's role: give the orchestrator the URL of its own"},
		{"the orchestrator's", "worker", as(postgres.RoleOrchestrator, owner), "ciclo_orchestrator is the orchestrator's role: give the worker the URL of its own"},
		{"a wrong password", "orchestrator", wrong, "the role or the password in DATABASE_URL is refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if conn, err := pgx.Connect(t.Context(), c.url); c.url == wrong && err == nil {
				_ = conn.Close(t.Context())
				t.Skip("this Postgres asks for no password")
			}
			address, said := freePort(t), &safeBuffer{}
			cmd := exec.CommandContext(t.Context(), binary(t, "test/"+c.service)) //nolint:gosec // our own program
			cmd.Env = append(clean(os.Environ()), "DATABASE_URL="+c.url, "CICLO_TOKEN="+token, "CICLO_LISTEN="+address)
			cmd.Stderr = said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait() // it was killed
			})
			eventually(t, 20*time.Second, "it says why it waits", func() bool { return strings.Contains(said.String(), c.want) })
			if c.service == "worker" {
				return
			}
			resp, err := http.Get("http://" + address + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("it answers %s", resp.Status)
			}
		})
	}
}
