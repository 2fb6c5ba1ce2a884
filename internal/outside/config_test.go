package outside

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/internal/config"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

var update = flag.Bool("update", false, "write docs/configuration.md and internal/config/names.txt anew")

// held compares a file that is made with what it should be, or writes it.
func held(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil { //nolint:gosec // it is for all to read
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Errorf("%s differs from the programs (go test ./internal/outside -run %s -update):\n%s", path, t.Name(), diff)
	}
}

// The page and the list of names are the programs' own word.
func TestTheConfigurationsPage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, said, code := run(t, dir, "ciclo", nil, "config", "variables", "--markdown")
	if code != 0 || said != "" {
		t.Fatalf("exit code %d: %s", code, said)
	}
	held(t, "../../docs/configuration.md", out)

	out, said, code = run(t, dir, "ciclo", []string{"DATABASE_URL=postgres://u:s3cr3t@h/d"}, "config", "variables", "--json")
	if code != 0 || strings.Contains(out, "s3cr3t") {
		t.Fatalf("exit code %d: %s%s", code, out, said)
	}
	var list struct {
		Variables []struct {
			Name, Help, Unit, Value string
			Of                      []string
			Secret                  bool
			File                    string
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range list.Variables {
		names = append(names, v.Name)
		if v.Help == "" || v.Unit == "" || len(v.Of) == 0 || v.Value != "" {
			t.Errorf("%+v has a gap", v)
		}
		secret := regexp.MustCompile(`(TOKEN|PASSWORD|PASSPHRASE|SECRET|HEADERS|_KEY|DATABASE_[A-Z_]*URL|SMTP|WEBHOOK|MAIL_SERVER)$`).MatchString(v.Name)
		if secret != (v.Secret && v.File != "") {
			t.Errorf("%s: secret %v, its file's variable %q", v.Name, v.Secret, v.File)
		}
	}
	slices.Sort(names)
	held(t, "../config/names.txt", strings.Join(names, "\n")+"\n")

	// Whatever stands in the files of containers is known.
	for _, pattern := range []string{"../../docker-compose*.yml", "../../deploy/*", "../../.env*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue // a folder
			}
			for _, name := range regexp.MustCompile(`\bCICLO_[A-Z_]*[A-Z]\b`).FindAllString(string(text), -1) {
				if _, known := config.Elsewhere()[name]; !known && !slices.Contains(names, name) && !strings.HasPrefix(name, "CICLO_TEST_") {
					t.Errorf("%s names %s, which nothing reads: internal/config/unknown.go lists those of scripts", file, name)
				}
			}
		}
	}
}

// The page's commands, as they stand there.
func TestTheConfigurationsCommands(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```sh\n")
	block, _, _ = strings.Cut(block, "```")
	for line := range strings.Lines(block) {
		if out, said, code := run(t, t.TempDir(), "ciclo", []string{"DATABASE_URL=postgres://u@h/d"}, strings.Fields(line)[1:]...); code != 0 || !strings.Contains(out, "CICLO_LEASE") {
			t.Errorf("%s: exit code %d, %s%s", line, code, out, said)
		}
	}
	if strings.Count(block, "\n") != 2 {
		t.Errorf("the page's commands are %q", block)
	}
}

// Five mistakes are five lines, each with its variable, and no secret.
func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-of-nobody"
	mail := filepath.Join(t.TempDir(), "smtp")
	if err := os.WriteFile(mail, []byte("smtp://user:"+secret+"#@host"), 0o600); err != nil {
		t.Fatal(err)
	}
	for program, c := range map[string]struct{ env, wrong, odd []string }{
		"orchestrator": {
			env: []string{
				"DATABASE_URL=postgres://user:" + secret + "/@host/x", "CICLO_LEASE=ten", "CICLO_MAX_CONNS=1", "CICLO_LISTEN=8080", "CICLO_TOKEN=too-short", "CICLO_REAP_EVERY=0s",
				"CICLO_RETENTION=2h", "CICLO_RATE_LIMIT=-1", "CICLO_ZONE=Mars/Olympus", "CICLO_PUBLIC_URL=firm.example", "ENABLE_ORCHESTRATOR=perhaps", "CICLO_LOG_LEVEL=loud",
				"CICLO_NOTICE_SMTP_FILE=" + mail, "CICLO_NOTICE_FROM=nobody", "CICLO_NOTICE_WEBHOOK=nowhere", "CICLO_TWILIO_AUTH_TOKEN=" + secret, "CICLO_TWILIO_AUTH_TOKEN_FILE=" + mail,
				"CICLO_METRICS_LISTEN=:99999", "CICLO_LEASES=4s", "OTEL_TRACES_EXPORTER=zipkin",
			},
			wrong: []string{
				"CICLO_LEASE", "CICLO_LISTEN", "CICLO_LOG_LEVEL", "CICLO_MAX_CONNS", "CICLO_METRICS_LISTEN", "CICLO_NOTICE_FROM", "CICLO_NOTICE_SMTP", "CICLO_NOTICE_TO", "CICLO_NOTICE_WEBHOOK",
				"CICLO_PUBLIC_URL", "CICLO_RATE_LIMIT", "CICLO_REAP_EVERY", "CICLO_RETENTION", "CICLO_TOKEN", "CICLO_TWILIO_AUTH_TOKEN", "CICLO_ZONE", "DATABASE_URL", "ENABLE_ORCHESTRATOR",
			},
			odd: []string{"CICLO_LEASES", "OTEL_TRACES_EXPORTER"},
		},
		"worker": {
			env: []string{
				"DATABASE_URL_FILE=/nowhere/at/all", "CICLO_LEASE=4s", "CICLO_BEAT=3s", "CICLO_DRAIN=-1s", "CICLO_FETCH_COOLDOWN=0s", "CICLO_CONCURRENCY=client-value-predictor=0", "CICLO_MESSAGE_SETTLE=0s",
				"CICLO_TWILIO_ACCOUNT_SID=mine", "CICLO_TWILIO_FROM=nobody", "CICLO_TWILIO_TEMPLATES=a=b", "CICLO_TWILIO_URL=http://elsewhere.example", "CICLO_MAIL_SERVER=smtp://user:" + secret + "@host", "CICLO_MAIL_FROM=nobody",
				"CICLO_MAIL_UNSUBSCRIBE=here", "CICLO_GIT_TOKEN=" + secret, "CICLO_GIT_KNOWN_HOSTS=/nowhere", "CICLO_GIT_SSH_PASSPHRASE=" + secret, "CICLO_TRAINER_PROMPT=/etc/passwd", "CICLO_GIT_TIMEOUT=2",
			},
			wrong: []string{
				"CICLO_BEAT", "CICLO_CONCURRENCY", "CICLO_DRAIN", "CICLO_FETCH_COOLDOWN", "CICLO_GIT_KNOWN_HOSTS", "CICLO_GIT_SSH_PASSPHRASE", "CICLO_GIT_TIMEOUT", "CICLO_GIT_TOKEN", "CICLO_MAIL_FROM", "CICLO_MAIL_UNSUBSCRIBE",
				"CICLO_MESSAGE_SETTLE", "CICLO_TRAINER_PROMPT", "CICLO_TWILIO_ACCOUNT_SID", "CICLO_TWILIO_AUTH_TOKEN", "CICLO_TWILIO_FROM", "CICLO_TWILIO_TEMPLATES", "CICLO_TWILIO_URL", "DATABASE_URL_FILE",
			},
		},
	} {
		out, said, code := run(t, "", program, c.env)
		var wrong, odd []string
		for line := range strings.Lines(said) {
			var entry struct{ Level, Msg, Variable, Problem string }
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Errorf("%v: %s", err, line)
			}
			switch entry.Msg {
			case "the configuration is wrong":
				wrong = append(wrong, entry.Variable)
			case "the configuration is odd":
				odd = append(odd, entry.Variable)
			}
			if entry.Variable != "" && !strings.HasPrefix(entry.Problem, entry.Variable) {
				t.Errorf("%q doesn't begin with %s", entry.Problem, entry.Variable)
			}
		}
		slices.Sort(wrong)
		slices.Sort(odd)
		if diff := cmp.Diff(c.wrong, wrong) + cmp.Diff(c.odd, odd); code != service.ExitConfig || diff != "" || strings.Contains(out+said, secret) || strings.Contains(said, "nobody-at") {
			t.Errorf("%s: exit code %d\n%s\n%s", program, code, diff, said)
		}
		// What the check says is the same, offline as it is.
		out, said, code = run(t, t.TempDir(), "ciclo", append(c.env, "CICLO_LOG_LEVEL=info"), "config", "check", "--offline", "--of", program)
		if code != 1 || strings.Contains(out+said, secret) {
			t.Errorf("config check: exit code %d, %s%s", code, out, said)
		}
		for _, variable := range c.wrong {
			if variable != "CICLO_LOG_LEVEL" && !strings.Contains(out, "\nproblem  "+variable) {
				t.Errorf("config check says nothing of %s: %s", variable, out)
			}
		}
		if program == "orchestrator" && !strings.Contains(out, "is CICLO_LEASE meant?") {
			t.Errorf("the typo isn't shown: %s", out)
		}
	}
}

// configuration is what config check --json says.
type configuration struct {
	OK       bool
	Programs []struct {
		Program   string
		Variables []struct{ Name, Value, From string }
	}
	Databases []struct {
		Variable, Server, Version, Role, TLS string
		Schema                               int64 `json:"schema_version"`
		Superuser, Owner                     bool
		MaxConnections                       int `json:"max_connections"`
		Errors, Warnings                     []string
	}
	Connections       int
	DirectConnections int `json:"direct_connections"`
}

func checkConfig(t *testing.T, env []string, args ...string) (found configuration, text string, code int) {
	t.Helper()
	out, said, code := run(t, t.TempDir(), "ciclo", env, append([]string{"config", "check", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatalf("%v: %s%s", err, out, said)
	}
	return found, out + said, code
}

func TestConfigCheckOfADatabase(t *testing.T) {
	t.Parallel()
	owner := testdatabase.New(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(url string, more ...string) []string {
		return append([]string{"DATABASE_URL=" + url, "CICLO_TOKEN_FILE=" + file}, more...)
	}
	check := func(what string, wantCode int, wantError string, env []string, args ...string) configuration {
		t.Helper()
		found, text, code := checkConfig(t, env, args...)
		var all []string
		for _, d := range found.Databases {
			all = append(all, d.Errors...)
		}
		if errors := strings.Join(all, "; "); code != wantCode || found.OK != (code == 0) || (wantError == "") != (errors == "") || !strings.Contains(errors, wantError) {
			t.Errorf("%s: exit code %d, want %d with %q: %s", what, code, wantCode, wantError, text)
		}
		if strings.Contains(text, token) || strings.Contains(text, rolePassword) {
			t.Errorf("%s: a secret is shown: %s", what, text)
		}
		return found
	}
	found := check("the owner", 0, "", env(owner))
	if len(found.Databases) != 1 || found.Connections != 40 {
		t.Fatalf("%+v", found)
	}
	if d := found.Databases[0]; !d.Owner || d.Version == "" || d.Schema == 0 || d.MaxConnections == 0 || strings.Contains(d.Server, "password") {
		t.Errorf("%+v", d)
	}
	for _, v := range found.Programs[0].Variables {
		want := map[string]string{"DATABASE_URL": "set environment", "CICLO_TOKEN": "set by file file", "CICLO_LEASE": "10s default", "CICLO_ZONE": "UTC default", "CICLO_PUBLIC_URL": "- "}[v.Name]
		if got := v.Value + " " + v.From; want != "" && got != want {
			t.Errorf("%s is %q, want %q", v.Name, got, want)
		}
	}
	check("the orchestrator's role", 0, "", env(as(postgres.RoleOrchestrator, owner)), "--of", "orchestrator")
	check("the worker's role", 0, "", env(as(postgres.RoleWorker, owner)), "--of", "worker")
	check("another's role", 1, "INSERT on ciclo.executions", env(as(postgres.RoleWorker, owner)), "--of", "orchestrator")
	check("too many connections", 1, "raise max_connections", env(owner, "CICLO_MAX_CONNS=40"), "--workers", "50")
	pooled := env(owner, "DATABASE_POOLER=transaction", "DATABASE_DIRECT_URL="+owner, "CICLO_MAX_CONNS=900")
	check("a pooler whose sessions lack a setting", 1, "ALTER ROLE", pooled, "--workers", "3")
	prepared(t, owner, 5*time.Second)
	pooled = env(owner, "DATABASE_POOLER=transaction", "DATABASE_DIRECT_URL="+owner, "CICLO_MAX_CONNS=900") // the pool's are the pooler's
	if found := check("a pooler", 0, "", pooled, "--workers", "3"); found.Connections != 3*902+902 || found.DirectConnections != 3*6 || len(found.Databases) != 2 {
		t.Errorf("past a pooler %d of %d connections", found.DirectConnections, found.Connections)
	}
	check("too many past a pooler", 1, "up to 60000 connections", pooled, "--workers", "10000")
	copied := testdatabase.New(t)
	statement(t, copied, `UPDATE ciclo.incarnation SET system_identifier = 1, database_oid = 1, timeline = 1, noted_at = now()`)
	check("a copy", 1, "is a copy of the one", env(copied))
	check("no schema", 1, "ciclo migrate", env(testdatabase.Empty(t)))
	check("a wrong database", 1, "does not exist", env(strings.Replace(owner, "/ciclo_", "/nobody_", 1)))
	check("nobody there", 1, "connect", env("postgres://nobody:"+rolePassword+"@127.0.0.1:1/x"))
	check("offline", 0, "", env("postgres://nobody:"+rolePassword+"@127.0.0.1:1/x"), "--offline")
}
