package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/internal/config"
)

// libraries are variables that no program of ours reads, but what it is made of.
func libraries() [][2]string {
	return [][2]string{
		{"`PGHOST`, `PGUSER`, `PGPASSFILE`, `PGSSLMODE`, `PGSSLROOTCERT`, …", "what a database URL doesn't say, as libpq has it (`PGSERVICEFILE` too); Postgres' own binaries, which `ciclo dev` starts, read them as well"},
		{"`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`", "the proxy for Twilio, GitHub, git over https, and the collector of traces"},
		{"`SSL_CERT_FILE`, `SSL_CERT_DIR`", "the certificate authorities that are trusted"},
		{"`OTEL_EXPORTER_OTLP_TIMEOUT`, `_COMPRESSION`, `_CERTIFICATE`, `_CLIENT_CERTIFICATE`, `_CLIENT_KEY`, their `_TRACES_` forms, `OTEL_BSP_…`, `OTEL_SPAN_…`", "as OpenTelemetry says: [telemetry.md](telemetry.md)"},
		{"`GOGC`, `GOMEMLIMIT`, `GOMAXPROCS`", "Go's own; without `GOGC` the services set it to 400"},
		{"`HOME`, `PATH`, `TZ`", "the machine's: where `known_hosts` and the programs are; Ciclo itself counts in UTC and in `CICLO_ZONE`"},
	}
}

// page is docs/configuration.md.
func page(all []listed) string {
	var b strings.Builder
	b.WriteString(`<!-- Made by internal/outside's TestTheConfigurationsPage -update: don't edit. -->
# Configuration
Every variable of every program. Each has a flag of the same meaning too, where one is named; a flag has the last word. ` + "`ciclo config variables`" + ` prints this list for the programs that are installed.

- A variable that is set to nothing is not set.
- A secret can stand in a file instead, whose name goes into the variable with ` + "`_FILE`" + `: then it is in no environment and no ` + "`docker inspect`" + `. The line's end is cut off. Both at once is an error. A flag for a secret shows in the process list: don't use it outside of a laptop.
- A duration has a unit: ` + "`500ms`, `10s`, `2m`, `1h30m`" + `.
- A service that is configured wrongly prints every mistake, a line in its log each, and ends with exit code 78 (EX_CONFIG), which no crash has: a supervisor need not start it again. 2 is a mistake on the command line, 1 any other error. Warnings don't stop it.
- A variable ` + "`CICLO_…`" + ` that nothing reads is a warning, which names the nearest one that there is.

`)
	b.WriteString("`ciclo config check` shows what would hold here: it reads the environment as the services would, prints each value (secrets as `set`, `set by file` or `-`), all errors and warnings, and asks the database for its version, schema, rights, TLS, clock and connections, unless `--offline` is given. `--of orchestrator` or `--of worker` looks at one of them; `--orchestrators 2 --workers 3` counts connections for so many. It exits with 1 where something is wrong, and never shows a secret. In a container: `docker-compose exec orchestrator ciclo config check --of orchestrator`.\n\n")
	b.WriteString("<!-- run by internal/outside/config_test.go -->\n```sh\nciclo config check --offline\nciclo config variables\n```\n")
	groups := []struct {
		title string
		in    func(listed) bool
	}{
		{"Both services", func(v listed) bool {
			return slices.Contains(v.Of, orchestratorProgram) && slices.Contains(v.Of, workerProgram)
		}},
		{"The orchestrator", func(v listed) bool { return slices.Contains(v.Of, orchestratorProgram) }},
		{"The worker", func(v listed) bool { return slices.Contains(v.Of, workerProgram) }},
		{"The command line", func(listed) bool { return true }},
	}
	done := map[string]bool{}
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n| variable | default | unit | of | what |\n|---|---|---|---|---|\n", g.title)
		for _, v := range all {
			if done[v.Name] || !g.in(v) {
				continue
			}
			done[v.Name] = true
			writeRow(&b, v)
		}
	}
	b.WriteString("\n## What libraries read\n| variable | what |\n|---|---|\n")
	for _, l := range libraries() {
		fmt.Fprintf(&b, "| %s | %s |\n", l[0], l[1])
	}
	b.WriteString("\n## Elsewhere\nOf containers, scripts and tests; no program reads them.\n\n| variable | of what, and what |\n|---|---|\n")
	elsewhere := config.Elsewhere()
	for _, name := range slices.Sorted(maps.Keys(elsewhere)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, elsewhere[name])
	}
	return b.String()
}

func writeRow(b *strings.Builder, v listed) {
	name := "`" + v.Name + "`"
	if v.Flag != "" {
		name += ", `" + v.Flag + "`"
	}
	what := v.Help
	if v.Secret {
		what = "Secret. " + what
	}
	if len(v.Others) > 0 {
		what += " (" + strings.Join(v.Others, " ") + ")"
	}
	value := ""
	if v.Default != "" {
		value = "`" + v.Default + "`"
	}
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", name, value, cell.Replace(v.Unit), strings.Join(v.Of, ", "), cell.Replace(what))
}
