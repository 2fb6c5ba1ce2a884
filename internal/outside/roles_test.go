package outside

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
