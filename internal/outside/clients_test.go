package outside

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What real runs of the shipped programs wrote, by every command of ciclo clients.
func TestClientsForPeople(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	if out, said, code := s.ciclo("clients", "values"); code != 1 || !strings.Contains(said, "no complete run") {
		t.Errorf("before the first run: %d %s%s", code, out, said)
	}
	var rows strings.Builder
	rows.WriteString("client_id,paid_at,amount,currency\n")
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 60 {
		for n := range 1 + i%6 {
			fmt.Fprintf(&rows, "c/%d,%s,%d.50,EUR\n", i, day.AddDate(0, 0, i%40+n*45).Format(time.DateOnly), 10+i*i)
		}
	}
	if out, said, code := s.ciclo("import", "payments", s.file("p.csv", rows.String())); code != 0 {
		t.Fatal(out, said)
	}
	first, code := s.predict("--as-of", "2025-08-31")
	second, code2 := s.predict("--as-of", "2025-12-31")
	if code != 0 || code2 != 0 {
		t.Fatal(first, second)
	}
	file := filepath.Join(s.dir, "values.csv")
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"the values":       {[]string{"values"}, 0, []string{second.ID, "EUR over 365 days", "CHURN RISK 90 D", "c/", "--cursor"}},
		"of a run":         {[]string{"values", "--execution", first.ID, "--segment", "vip", "--sort", "churn_risk_90"}, 0, []string{first.ID, "VIP"}},
		"as JSON":          {[]string{"values", "--limit", "1", "--json"}, 0, []string{`"clv"`, `"next_cursor"`}},
		"a wrong segment":  {[]string{"values", "--segment", "best"}, 2, []string{"segment"}},
		"the summary":      {[]string{"summary"}, 0, []string{"60 clients", "VIP", "LOW", "▇", "CHURN RISK 90 D"}},
		"the same as JSON": {[]string{"summary", "--json"}, 0, []string{`"histogram"`}},
		"a history":        {[]string{"history", "c/7"}, 0, []string{"2025-12-31", "2025-08-31", first.ID, second.ID}},
		"the same in JSON": {[]string{"history", "c/7", "--limit", "1", "--json"}, 0, []string{`"next_cursor": "`}},
		"nobody's":         {[]string{"history", "nobody"}, 1, []string{"No complete run has scored"}},
		"changes":          {[]string{"changes", "--after", "0"}, 0, []string{"CHANGE", "--after"}},
		"an export":        {[]string{"export", file, "--json"}, 0, []string{`"bytes"`}},
		"to stdout":        {[]string{"export", "-", "--sort", "client_id"}, 0, []string{"client_id,name,segment", "\nc/0,,"}},
		"both to stdout":   {[]string{"export", "-", "--json"}, 2, []string{"name a file"}},
		"over a file":      {[]string{"export", s.file("there.csv", "mine")}, 2, []string{"there already"}},
	} {
		out, said, code := s.ciclo(append([]string{"clients"}, c.args...)...)
		for _, want := range c.want {
			if code != c.code || !strings.Contains(out+said, want) {
				t.Errorf("%s: exit code %d, want %d and %q in:\n%s%s", name, code, c.code, want, out, said)
			}
		}
		if strings.Contains(strings.Join(c.args, " "), "--json") && code == 0 && !json.Valid([]byte(out)) {
			t.Errorf("%s is not JSON alone: %s", name, out)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), "\r\n") != 61 {
		t.Errorf("the file: %v %s", err, text)
	}
	if left, err := filepath.Glob(file + ".part*"); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
