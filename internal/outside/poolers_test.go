package outside

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// ini is the configuration of PgBouncer that the page shows.
func ini(t *testing.T) string {
	t.Helper()
	_, rest, _ := strings.Cut(read(t, "../../docs/poolers-and-replicas.md"), "```ini\n")
	text, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the page shows no configuration of PgBouncer")
	}
	return text
}

// pooled puts Debian's PgBouncer before a database, configured as the page says with
// more lines after that, and returns the URL that leads through it.
func pooled(t *testing.T, database string, more ...string) string {
	t.Helper()
	behind, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "ciclo-pgbouncer-") // another user must get in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // as above
		t.Fatal(err)
	}
	address := freePort(t)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	users := filepath.Join(dir, "userlist.txt")
	text := ini(t)
	for pattern, value := range map[string]string{
		`(?m)^ciclo = .*$`:       fmt.Sprintf("%s = host=%s port=%s dbname=%[1]s", strings.TrimPrefix(behind.Path, "/"), behind.Hostname(), behind.Port()),
		`(?m)^listen_addr = .*$`: "listen_addr = " + host,
		`(?m)^listen_port = .*$`: "listen_port = " + port,
		`(?m)^auth_file = .*$`:   "auth_file = " + users,
	} {
		line := regexp.MustCompile(pattern)
		if !line.MatchString(text) {
			t.Fatalf("the page's configuration has no %s", pattern)
		}
		text = line.ReplaceAllString(text, value)
	}
	text += strings.Join(append([]string{"unix_socket_dir ="}, more...), "\n") + "\n"
	password, _ := behind.User.Password()
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // the password is of a test
			t.Fatal(err)
		}
	}
	write(users, fmt.Sprintf("%q %q\n", behind.User.Username(), password))
	config := filepath.Join(dir, "pgbouncer.ini")
	write(config, text)
	args := []string{config}
	if os.Getuid() == 0 { // it won't run as root
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		args = []string{"-u", nobody.Username, config}
	}
	start(t, dir, tool(t, "pgbouncer"), nil, args...)
	through := *behind
	through.Host = address
	eventually(t, 20*time.Second, "PgBouncer answers", func() bool {
		conn, err := pgx.Connect(t.Context(), through.String())
		return err == nil && conn.Close(t.Context()) == nil
	})
	return through.String()
}

// prepared sets for a database what the page has set for the role.
func prepared(t *testing.T, database string, stall time.Duration) {
	t.Helper()
	role := asked[string](t, database, `SELECT current_user`)
	name := asked[string](t, database, `SELECT current_database()`)
	for _, setting := range []string{"idle_in_transaction_session_timeout = " + strconv.FormatInt(stall.Milliseconds(), 10), "jit = off"} {
		asked[string](t, database, fmt.Sprintf(`ALTER ROLE %s IN DATABASE %s SET %s`, pgx.Identifier{role}.Sanitize(), pgx.Identifier{name}.Sanitize(), setting))
	}
}

// asked is the first value of a query's answer; zero where it has none.
func asked[T any](t *testing.T, database, query string, args ...any) (value T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if len(rows.FieldDescriptions()) > 0 && rows.Next() {
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

const lease = 2 * time.Second // quick's

func TestThroughAPooler(t *testing.T) {
	t.Parallel()
	database := testdatabase.Empty(t)
	prepared(t, database, lease/2)
	through := pooled(t, database)
	for _, direct := range []bool{false, true} {
		env := append([]string{"DATABASE_POOLER=transaction"}, quick...)
		if direct {
			env = append(env, "DATABASE_DIRECT_URL="+database+"&target_session_attrs=read-write") // as with several hosts
		}
		if out, said, code := run(t, t.TempDir(), "ciclo", append(env, "DATABASE_URL="+through), "migrate"); code != 0 {
			t.Fatalf("ciclo migrate through the pooler: %d, %s%s", code, out, said)
		}
		throughPooler(t, through, database, direct, env)
	}
}

// throughPooler is what executions go through, on a system behind a pooler.
func throughPooler(t *testing.T, through, database string, direct bool, env []string) {
	t.Helper()
	s := newSystem(t, through, env...)
	first := s.worker()
	started := fmt.Sprintf(`"poll_only":%t`, !direct)
	eventually(t, 20*time.Second, "the worker says whether it polls", func() bool { return strings.Contains(first.err.String(), started) })

	// Who runs is known to whoever is about to migrate, whatever the sessions are called.
	eventually(t, 20*time.Second, "both services show in the plan", func() bool {
		p := planOf(t, "ciclo", append([]string{"DATABASE_URL=" + database}, quick...))
		seen := map[string]bool{}
		for _, s := range p.Sessions {
			seen[s.Service] = s.SchemaVersion == p.SchemaVersion
		}
		return seen["worker"] && seen["orchestrator"]
	})

	// Steps and effects to the end, and what pollers, streams and pages see of it.
	whole := s.run("test-steps", map[string]any{"steps": 3, "millis": 5})
	events := s.get("/api/autonomous-agents/executions/" + whole + "/events")
	if !strings.Contains(string(events), "completed") {
		t.Errorf("the stream ends without the end: %s", events)
	}
	for _, path := range []string{"/api/autonomous-agents/status", "/api/autonomous-agents/executions", "/api/autonomous-agents/activity?by=hour", "/api/autonomous-agents/audit", "/api/autonomous-agents/cycles", "/api/autonomous-agents/executions/" + whole + "/steps", "/api/autonomous-agents/graph/summary"} {
		s.get(path)
	}
	dry, err := s.api.DryRun(t.Context(), "", "test-noop", nil)
	if err != nil {
		t.Fatal(err)
	}
	if e := s.await(dry.ID, 20*time.Second, "the dry run ends", client.Execution.Final); direct != (e.Status == "completed") || !direct && !strings.Contains(e.Error.Text, "DATABASE_DIRECT_URL") {
		t.Errorf("a dry run, direct %t, ends as %s, %+v", direct, e.Status, e.Error)
	}

	// Killed in the middle.
	killed := s.run("test-steps", map[string]any{"steps": 20, "millis": 100})
	s.await(killed, 20*time.Second, "some steps are done", func(e client.Execution) bool { return e.Progress != nil && e.Progress.Done >= 2 })
	first.signal(syscall.SIGKILL)
	second := s.worker()
	if e := s.await(killed, 30*time.Second, "it is completed", client.Execution.Final); e.Status != "completed" || e.Attempt != 2 || e.Failures != 1 {
		t.Errorf("after the kill it ended as %+v", e)
	}

	// Frozen while it holds the execution's row in a transaction.
	frozen := s.run("test-slow", map[string]any{"millis": 3000, "locked": true})
	eventually(t, 20*time.Second, "it waits in its transaction", func() bool {
		return asked[int](t, database, `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction' AND query LIKE '%waits in its transaction%'`) == 1
	})
	second.signal(syscall.SIGSTOP)
	third := s.worker()
	s.await(frozen, 30*time.Second, "another worker runs it", func(e client.Execution) bool { return e.Attempt == 2 })
	second.signal(syscall.SIGCONT)
	if e := s.await(frozen, 30*time.Second, "it is completed", client.Execution.Final); e.Status != "completed" || e.Attempt != 2 {
		t.Errorf("after the freeze it ended as %+v", e)
	}
	second.signal(syscall.SIGTERM)
	second.wait(30 * time.Second)
	third.signal(syscall.SIGTERM)
	if code := third.wait(30 * time.Second); code != 0 {
		t.Errorf("a graceful stop ends with %d", code)
	}
}

func TestAPoolerThatNobodySpokeOf(t *testing.T) {
	t.Parallel()
	database := testdatabase.New(t)
	strict := pooled(t, database)
	lenient := pooled(t, database, "ignore_startup_parameters = jit,idle_in_transaction_session_timeout,tcp_user_timeout")
	const unset = "ALTER ROLE"
	for _, c := range []struct {
		name, program, says string
		env                 []string
	}{
		{"refused settings", "worker", "DATABASE_POOLER=transaction", []string{"DATABASE_URL=" + strict}},
		{"dropped settings", "worker", "DATABASE_POOLER=transaction", []string{"DATABASE_URL=" + lenient}},
		{"refused settings", "orchestrator", "DATABASE_POOLER=transaction", []string{"DATABASE_URL=" + strict}},
		{"dropped settings", "orchestrator", "DATABASE_POOLER=transaction", []string{"DATABASE_URL=" + lenient}},
		{"silence is not ended", "worker", unset, []string{"DATABASE_URL=" + strict, "DATABASE_POOLER=transaction"}},
		{"silence is not ended", "orchestrator", unset, []string{"DATABASE_URL=" + strict, "DATABASE_POOLER=transaction"}},
	} {
		env := append(slices.Clone(c.env), "CICLO_TOKEN="+token, "CICLO_LISTEN="+freePort(t))
		if _, said, code := run(t, "", "test/"+c.program, env); code != 1 || !strings.Contains(said, c.says) {
			t.Errorf("%s, %s: exit code %d, %s", c.name, c.program, code, said)
		}
		if out, said, code := run(t, "", "ciclo", env, "config", "check", "--of", c.program); code != 1 || !strings.Contains(out+said, c.says) {
			t.Errorf("%s: ciclo config check of the %s ends with %d, %s%s", c.name, c.program, code, out, said)
		}
	}
	prepared(t, database, 5*time.Second)
	fresh := pooled(t, database) // the others' sessions know nothing of it
	env := []string{"DATABASE_URL=" + fresh, "DATABASE_POOLER=transaction", "CICLO_TOKEN=" + token}
	for name, direct := range map[string]string{"the pooler again": fresh, "another database": testdatabase.New(t)} {
		t.Run("directly to "+name, func(t *testing.T) {
			t.Parallel()
			if _, said, code := run(t, "", "test/worker", append(slices.Clone(env), "DATABASE_DIRECT_URL="+direct)); code != 1 || !strings.Contains(said, "DATABASE_DIRECT_URL") {
				t.Errorf("exit code %d, %s", code, said)
			}
			if out, said, code := run(t, "", "ciclo", append(slices.Clone(env), "DATABASE_DIRECT_URL="+direct), "config", "check", "--of", "worker"); code != 1 || !strings.Contains(out+said, "carries no notices") {
				t.Errorf("ciclo config check ends with %d, %s%s", code, out, said)
			}
		})
	}
	if out, said, code := run(t, "", "ciclo", append(slices.Clone(env), "DATABASE_DIRECT_URL="+database), "config", "check", "--of", "worker"); code != 0 {
		t.Errorf("ciclo config check of what is right ends with %d, %s%s", code, out, said)
	}
}
