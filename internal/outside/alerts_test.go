package outside

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tool is a program of Prometheus, or PgBouncer. A test that needs it fails in CI without it, and
// says what it needs elsewhere.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	from := "prometheus"
	if name == "pgbouncer" {
		from = name
		if path, err := exec.LookPath("/usr/sbin/" + name); err == nil {
			return path // not on everybody's path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %v", name, err)
	}
	t.Skipf("%s isn't here; on Debian: apt-get install --no-install-recommends %s", name, from)
	return ""
}

const prometheusFolder = "../../deploy/prometheus"

func promtool(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, "promtool"), args...)
	cmd.Dir, cmd.Stdin = prometheusFolder, strings.NewReader(stdin)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	return string(text)
}

func TestTheAlertsAreRight(t *testing.T) {
	t.Parallel()
	promtool(t, "", "check", "rules", "alerts.yml")
	promtool(t, "", "check", "config", "prometheus.yml")
	promtool(t, "", "test", "rules", "alerts_test.yml")
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each alert says what it is and where what to do is written, fires in a test of its
// own, and is in the table of docs/telemetry.md.
func TestEachAlertIsExplained(t *testing.T) {
	t.Parallel()
	rules, tests := read(t, prometheusFolder+"/alerts.yml"), read(t, prometheusFolder+"/alerts_test.yml")
	operating, table := read(t, "../../docs/operating.md"), section(t, read(t, "../../docs/telemetry.md"), "## Alerts")
	listed := map[string]bool{}
	for _, found := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\|").FindAllStringSubmatch(table, -1) {
		listed[found[1]] = true
	}
	anchors := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(operating, -1) {
		anchors[strings.ReplaceAll(strings.ToLower(found[1]), " ", "-")] = true
	}
	all := strings.Split(rules, "- alert: ")[1:]
	if len(all) < 12 {
		t.Fatalf("only %d alerts were found", len(all))
	}
	for _, text := range all {
		name, _, _ := strings.Cut(text, "\n")
		for _, annotation := range []string{"summary", "description"} {
			if !regexp.MustCompile(`(?m)^ +` + annotation + `: .+`).MatchString(text) {
				t.Errorf("%s has no %s", name, annotation)
			}
		}
		do := regexp.MustCompile(`(?m)^ +do: docs/operating\.md#(\S+)$`).FindStringSubmatch(text)
		if do == nil || !anchors[do[1]] {
			t.Errorf("%s names no section of docs/operating.md: %v", name, do)
		}
		if !regexp.MustCompile(`(?m)^ +labels: \{severity: (page|warn|info)\}$`).MatchString(text) {
			t.Errorf("%s has no severity", name)
		}
		if !strings.Contains(tests, `labels: 'ALERTS{alertname="`+name+`", alertstate="firing"`) {
			t.Errorf("%s fires in no test of alerts_test.yml", name)
		}
		if !listed[name] {
			t.Errorf("%s is not in the table of docs/telemetry.md", name)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("the table of docs/telemetry.md has %s, which is no alert", name)
	}
}

// section is a part of a document, from its heading to the next one of its level.
func section(t *testing.T, document, heading string) string {
	t.Helper()
	_, text, found := strings.Cut("\n"+document, "\n"+heading+"\n")
	if !found {
		t.Fatalf("there is no %q", heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	text, _, _ = strings.Cut(text, "\n"+level+" ")
	return text
}
