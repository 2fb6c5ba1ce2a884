package outside

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// shipped is the shipped orchestrator and worker on a database, and the command
// line in a folder of its own.
type shipped struct {
	t   *testing.T
	dir string
	env []string
}

func newShipped(t *testing.T) *shipped {
	t.Helper()
	address := freePort(t)
	s := &shipped{t: t, dir: t.TempDir(), env: []string{
		"DATABASE_URL=" + testdatabase.New(t), "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + address, "CICLO_URL=http://" + address,
	}}
	start(t, "", "orchestrator", s.env)
	start(t, "", "worker", s.env)
	(&system{t: t, api: &client.Client{URL: "http://" + address, Token: token}}).ready()
	return s
}

func (s *shipped) ciclo(args ...string) (out, said string, code int) {
	s.t.Helper()
	return run(s.t, s.dir, "ciclo", s.env, args...)
}

func (s *shipped) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// predict runs the predictor and returns the execution.
func (s *shipped) predict(args ...string) (client.Execution, int) {
	s.t.Helper()
	out, said, code := s.ciclo(append([]string{"run", "client-value-predictor", "--wait", "--json"}, args...)...)
	var e client.Execution
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		s.t.Fatalf("%v: %s%s", err, out, said)
	}
	return e, code
}

// The conversion is docs/cdnow.md's.
func TestTheCDNOWLog(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("CICLO_DATA_SETS")
	if folder == "" {
		folder = "../../../shared/data"
	}
	log, err := os.Open(filepath.Join(folder, "cdnow", "CDNOW_sample.txt"))
	if err != nil {
		t.Skipf("the CDNOW log is not here (CICLO_DATA_SETS names its folder): %v", err)
	}
	defer log.Close()
	var csv strings.Builder
	csv.WriteString("client_id,paid_at,amount\n")
	lines := 0
	for scanner := bufio.NewScanner(log); scanner.Scan(); lines++ {
		f := strings.Fields(scanner.Text())
		fmt.Fprintf(&csv, "%s,%s-%s-%s,%s\n", f[1], f[2][:4], f[2][4:6], f[2][6:], f[4])
	}
	s := newShipped(t)
	out, said, code := s.ciclo("import", "payments", s.file("cdnow.csv", csv.String()), "--currency", "USD")
	if code != 0 || lines != 6919 || !strings.Contains(out, "Imported 6919 payments; 2357 clients are new") {
		t.Fatalf("import of %d lines: %d %s%s", lines, code, out, said)
	}
	e, code := s.predict("--as-of", "1997-09-30", "--horizon-days", "273")
	var r struct {
		Clients      int `json:"clients"`
		RepeatBuyers int `json:"repeat_buyers"`
		Fits         []struct {
			Model         string
			LogLikelihood float64 `json:"log_likelihood"`
		}
		Segments map[string]int
	}
	if err := json.Unmarshal(e.Result, &r); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s", code, err, e.Raw)
	}
	if r.Clients != 2357 || r.RepeatBuyers != 946 || r.Segments["VIP"] != 118 {
		t.Errorf("the result is %s", e.Result)
	}
	for _, f := range r.Fits { // by days and not by the summary's rounded weeks, so within .01 of the published figure
		if f.Model == "BG/NBD" && (f.LogLikelihood < -9582.44 || f.LogLikelihood > -9582.41) {
			t.Errorf("log-likelihood %f", f.LogLikelihood)
		}
	}
	if again, _ := s.predict("--as-of", "1997-09-30", "--horizon-days", "273"); string(again.Result) != string(e.Result) {
		t.Error("the same payments gave another result")
	}
}

func TestPaymentsThatAreHardToTake(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	bad := s.file("bad.csv", strings.Join([]string{
		"client_id,paid_at,amount,currency",
		"a,2026-01-01,10.50,EUR",
		",2026-01-01,10.50,EUR",
		"b,yesterday,10.50,EUR",
		"b,2026-01-01,NaN,EUR",
		"b,2026-01-01,1e5,EUR",
		"b,2026-01-01,10,euro",
		"b,2999-01-01,10,EUR",
		"b,0001-01-01,10,EUR",
		"b,2026-01-01,10",
		"c\xff,2026-01-01,10,EUR",
	}, "\n"))
	out, said, code := s.ciclo("import", "payments", bad)
	for _, want := range []string{"line 3: client_id", "line 4: paid_at", "line 5: amount", "line 6: amount", "line 7: currency", "line 8: paid_at", "line 9: paid_at", "line 10: wrong number of fields", "line 11: client_id", "--skip-bad"} {
		if !strings.Contains(out+said, want) {
			t.Errorf("the report lacks %q:\n%s%s", want, out, said)
		}
	}
	if code != 1 {
		t.Errorf("bad rows end with %d", code)
	}
	if out, said, code = s.ciclo("import", "payments", bad, "--skip-bad"); code != 0 || !strings.Contains(out, "Imported 1 payments; 1 clients are new; 9 rows") {
		t.Errorf("--skip-bad: %d %s%s", code, out, said)
	}
	if out, said, code = s.ciclo("import", "payments", bad, "--skip-bad"); code != 1 || !strings.Contains(said, "--again") {
		t.Errorf("the same file twice: %d %s%s", code, out, said)
	}
	for name, text := range map[string]string{
		"empty.csv": "", "header.csv": "id,when,amount\n1,2,3\n", "missing.csv": "client_id,amount,currency\n", "nocurrency.csv": "client_id,paid_at,amount\n",
		"cut.csv": "client_id,paid_at,amount,currency\n\"a,2026-01-01,1,EUR\n",
	} {
		if out, said, code = s.ciclo("import", "payments", s.file(name, text)); code != 1 || !strings.Contains(said+out, "line") && !strings.Contains(said, "empty") {
			t.Errorf("%s: %d %s%s", name, code, out, said)
		}
	}
}

func TestPaymentsThatAreHardToScore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows string
		args []string
		code int
		want string // in the result or the error
	}{
		"nothing at all":           {"", nil, 1, "import payments"},
		"one client":               {"a,2026-01-01,10,EUR\n", nil, 0, `"low_confidence": true`},
		"no repeat buyer":          {"a,2026-01-01,10,EUR\nb,2026-01-05,10,EUR\nc,2026-02-01,30,EUR\n", nil, 0, `too few`},
		"only zero amounts":        {"a,2026-01-01,0,EUR\na,2026-02-01,0,EUR\nb,2026-02-01,0,EUR\n", nil, 0, `nothing is expected to be spent`},
		"only refunds":             {"a,2026-01-01,-5,EUR\n", nil, 1, "no clients"},
		"a refund of one":          {"a,2026-01-01,10,EUR\na,2026-02-01,10,EUR\na,2026-02-02,-10,EUR\n", nil, 0, `"repeat_buyers": 0`},
		"two currencies":           {"a,2026-01-01,10,EUR\na,2026-02-01,10,EUR\nb,2026-02-01,5,IDR\n", nil, 1, "EUR 2, IDR 1"},
		"a currency without rates": {"a,2026-01-01,10,EUR\na,2026-02-01,10,EUR\nb,2026-02-01,5,IDR\n", []string{"--currency", "EUR"}, 1, "1 payments in IDR, the first on 2026-02-01"},
		"all after as_of":          {"a,2026-01-01,10,EUR\n", []string{"--as-of", "2025-01-01"}, 1, "choose another as_of"},
		"as of the last one":       {"a,1999-01-01,10,EUR\na,1999-02-01,10,EUR\n", []string{"--as-of", "last_payment"}, 0, `"as_of": "1999-02-01"`},
		"huge and tiny":            {"a,2026-01-01,999999999999.99,EUR\na,2026-02-01,0.001,EUR\nb,2026-02-01,0.001,EUR\n", nil, 0, `"clients": 2`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShipped(t)
			if c.rows != "" {
				if out, said, code := s.ciclo("import", "payments", s.file("p.csv", "client_id,paid_at,amount,currency\n"+c.rows)); code != 0 {
					t.Fatalf("import: %d %s%s", code, out, said)
				}
			}
			e, code := s.predict(c.args...)
			var pretty strings.Builder
			enc := json.NewEncoder(&pretty)
			enc.SetIndent("", " ")
			if err := enc.Encode(e); err != nil {
				t.Fatal(err)
			}
			if code != c.code || !strings.Contains(pretty.String(), c.want) {
				t.Errorf("exit code %d, want %d and %q in:\n%s", code, c.code, c.want, pretty.String())
			}
		})
	}
}

// Clients, payments in two currencies as CSV and JSON lines, and rates: all in.
func TestEveryKindOfFile(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"clients", s.file("clients.csv", "id;name;tags\na;Ana;vip\n"), "--separator", ";"}, "Imported 1 clients; 0 rows were left out."},
		{[]string{"payments", s.file("eur.csv", "id,client_id,paid_at,amount\nP1,a,2026-01-01,10\nP2,a,2026-01-02,10\n"), "--currency", "EUR"}, "Imported 2 payments; 0 clients are new; 0 rows"},
		{[]string{"payments", s.file("usd.jsonl", `{"id":"P3","client_id":"b","paid_at":"2026-01-10","amount":20,"currency":"USD"}`), "--dry-run"}, "Would import 1 payments; 1 clients are new; 0 rows were left out. Nothing was written."},
		{[]string{"payments", filepath.Join(s.dir, "usd.jsonl")}, "Imported 1 payments; 1 clients are new"},
		{[]string{"payments", filepath.Join(s.dir, "usd.jsonl")}, "Imported 0 payments; 0 clients are new; 1 were already there"},
		{[]string{"interactions", s.file("said.ndjson", `{"client_id":"a","channel":"mail","direction":"inbound","kind":"question","occurred_at":"2026-01-01T10:00:00Z"}`)}, "Imported 1 interactions"},
		{[]string{"rates", s.file("rates.csv", "currency,into,day,rate\nEUR,USD,2026-01-01,1.25\n")}, "Imported 1 rates"},
		{[]string{"rates", s.file("rates2.csv", "currency,into,day,rate\nEUR,USD,2026-01-01,1.25\nUSD,EUR\n"), "--skip-bad", "--bad-rows", filepath.Join(s.dir, "bad.jsonl")}, "1 were already there; 1 rows were left out"},
		{[]string{"names", s.file("names.csv", "type,id,name\ncompany,1,PT Sinar Laut\ncompany,1,Sinar Laut\nplanet,2,Mars\n"), "--dry-run", "--skip-bad"}, "Would import 2 names; 1 rows were left out. Nothing was written."},
		{[]string{"names", s.file("names.jsonl", `{"type":"law","id":"6","name":"UU 6/2011"}`+"\n"+`{"type":"law","id":"6","name":"UU 6/2011"}`)}, "Imported 1 names; 1 were already there; 0 rows"},
		{[]string{"rates", filepath.Join(s.dir, "rates.csv"), "--json"}, `"already_there": 1`},
	} {
		if out, said, code := s.ciclo(append([]string{"import"}, c.args...)...); code != 0 || !strings.Contains(out, c.want) || said != "" {
			t.Errorf("%v: %d %s%s, want %q", c.args, code, out, said, c.want)
		}
	}
	if bad, err := os.ReadFile(filepath.Join(s.dir, "bad.jsonl")); err != nil || string(bad) != "{\"line\":3,\"reason\":\"wrong number of fields: 2, the first line names 4\"}\n" {
		t.Errorf("the bad rows are %s, %v", bad, err)
	}
	if _, said, code := s.ciclo("import", "rates", filepath.Join(s.dir, "rates.csv"), "--bad-rows", filepath.Join(s.dir, "rates.csv")); code != 2 || !strings.Contains(said, "is the file to import") {
		t.Errorf("bad rows over the file itself: %d %s", code, said)
	}
	e, code := s.predict("--currency", "EUR")
	var r struct {
		Currency    string
		Payments    int
		Conversions []map[string]any
	}
	if err := json.Unmarshal(e.Result, &r); err != nil || code != 0 || r.Currency != "EUR" || r.Payments != 3 ||
		fmt.Sprint(r.Conversions) != "[map[amount:20 converted:16 currency:USD into:EUR payments:1]]" {
		t.Errorf("%d %v: %s", code, err, e.Raw)
	}
}

func TestTheCommandLine(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"an unknown agent":     {[]string{"run", "nobody"}, 1, "No such agent"},
		"horizon 0":            {[]string{"run", "client-value-predictor", "--horizon-days", "0"}, 2, "horizon_days"},
		"horizon -1":           {[]string{"run", "client-value-predictor", "--horizon-days=-1"}, 2, "horizon_days"},
		"horizon x":            {[]string{"run", "client-value-predictor", "--horizon-days", "x"}, 2, "horizon_days"},
		"a flag without value": {[]string{"run", "client-value-predictor", "--horizon-days"}, 2, "needs a value"},
		"an unknown parameter": {[]string{"run", "client-value-predictor", "--color", "red"}, 2, "color"},
		"no flag":              {[]string{"run", "client-value-predictor", "horizon"}, 2, "not a flag"},
		"a wrong command":      {[]string{"fly"}, 2, "--help"},
		"a wrong id":           {[]string{"status", "nothing"}, 1, "No such execution"},
		"a wrong status":       {[]string{"list", "--status", "done"}, 2, "status"},
		"help":                 {[]string{"--help"}, 0, "Usage: ciclo"},
		"the list":             {[]string{"list", "--json"}, 0, "executions"},
		"a timeout":            {[]string{"run", "client-value-predictor", "--wait", "--timeout", "1ns"}, 4, "goes on"},
	} {
		out, said, code := s.ciclo(c.args...)
		if code != c.code || !strings.Contains(out+said, c.want) {
			t.Errorf("%s: exit code %d, want %d and %q in:\n%s%s", name, code, c.code, c.want, out, said)
		}
	}
	other := &shipped{t: t, dir: t.TempDir(), env: []string{"CICLO_URL=" + strings.TrimPrefix(s.env[3], "CICLO_URL="), "CICLO_TOKEN=wrong-wrong-wrong"}}
	if out, said, code := other.ciclo("status"); code != 1 || !strings.Contains(said, "token") {
		t.Errorf("a wrong token: %d %s%s", code, out, said)
	}
	nowhere := &shipped{t: t, dir: t.TempDir()}
	if out, said, code := nowhere.ciclo("status"); code != 1 || !strings.Contains(said, "ciclo dev") {
		t.Errorf("no orchestrator known: %d %s%s", code, out, said)
	}
}
