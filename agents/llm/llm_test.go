package llm

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/agents"
)

// whole is a file in which nothing is wrong.
const whole = `{
	"providers": {
		"claude": {"format": "anthropic", "key_variable": "KEY", "requests_per_minute": 50, "tokens_per_minute": 40000},
		"own": {"format": "openai", "url": "http://127.0.0.1:11434/v1", "stall_seconds": 5}},
	"agents": {
		"client-value-predictor": {"provider": "claude", "model": "big", "redact": true, "budgets": {"execution": {"dollars": 0.5}, "agent": {"tokens": 1000000}}},
		"knowledge-graph-builder": {"provider": "own", "model": "small"}},
	"prices": [
		{"model": "big", "from": "2026-06-01", "input": 2, "output": 10},
		{"model": "big", "from": "2026-01-01", "input": 3, "output": 15},
		{"model": "small", "from": "2026-01-01", "input": 0, "output": 0}],
	"budgets": {"execution": {"dollars": 5}, "day": {"dollars": 20}},
	"keep_days": 30}`

func environment(name string) string { return map[string]string{"KEY": "sk-1"}[name] }

func noFile(string) ([]byte, error) { return nil, errors.New("no such file") }

func TestTheModelsFile(t *testing.T) {
	t.Parallel()
	models, err := read([]byte(whole), environment, noFile)
	if err != nil {
		t.Fatal(err)
	}
	if models.For("conversation-trainer") != nil || strings.Join(models.Agents(), " ") != "client-value-predictor knowledge-graph-builder" {
		t.Errorf("agents with models: %v", models.Agents())
	}
	m := models.For("client-value-predictor")
	if m.Engine() != "claude/big" || !m.Redact || m.RequestsPerMinute != 50 || m.Keep != 30*24*time.Hour || m.Timeout != defaultTimeout {
		t.Errorf("%+v", m)
	}
	want := []agents.Budget{{Scope: "execution", Cost: 500_000_000}, {Scope: "agent", Tokens: 1_000_000}, {Scope: "day", Cost: 20_000_000_000}}
	if diff := cmp.Diff(want, m.Budgets); diff != "" {
		t.Errorf("budgets: %s", diff)
	}
	for day, want := range map[string]string{"2025-12-31": "none", "2026-01-01": "0.018000000", "2026-05-31": "0.018000000", "2026-06-01": "0.012000000"} {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		got := "none"
		if p, has := m.prices.at(at); has {
			got = p.cost(Usage{Input: 1000, Output: 1000}).String()
		}
		if got != want {
			t.Errorf("on %s it costs %s, want %s", day, got, want)
		}
	}
}

func TestWhatTheModelsFileRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, want string }{
		"no JSON":                     {whole, `{`, "unexpected EOF"},
		"two objects":                 {whole, whole + "{}", "more after the object"},
		"an unknown field":            {`"keep_days"`, `"keepdays"`, "keepdays"},
		"an unknown format":           {`"anthropic"`, `"claude"`, `provider claude: format is "claude"`},
		"a key that isn't set":        {`"KEY"`, `"OTHER"`, "OTHER is not set"},
		"no key":                      {`"key_variable": "KEY",`, ``, "a key is missing"},
		"two keys":                    {`"key_variable": "KEY",`, `"key_variable": "KEY", "key_file": "k",`, "one is enough"},
		"a key's file that isn't":     {`"key_variable": "KEY",`, `"key_file": "k",`, "no such file"},
		"no URL":                      {`http://127.0.0.1:11434/v1`, `127.0.0.1:11434`, "url is none"},
		"a URL with a password":       {`http://127`, `http://a:b@127`, "url is none"},
		"Anthropic in the background": {`"key_variable": "KEY",`, `"key_variable": "KEY", "background": true,`, "no such calls"},
		"stored, in the background":   {`"key_variable": "KEY",`, `"key_variable": "KEY", "background": true, "stored": true,`, "background alone is enough"},
		"Anthropic stores":            {`"key_variable": "KEY",`, `"key_variable": "KEY", "stored": true,`, "lists no messages"},
		"an unknown provider":         {`"provider": "own"`, `"provider": "other"`, `there is no provider "other"`},
		"no model":                    {`"model": "small"}`, `"model": ""}`, "names no model"},
		"a model without a price":     {`"model": "small"}`, `"model": "tiny"}`, `model "tiny" has no price`},
		"a price from no day":         {`"2026-06-01"`, `"June"`, "from is no day"},
		"a price below nothing":       {`"input": 2`, `"input": -2`, "in 0..10000"},
		"a budget of a year":          {`"day"`, `"year"`, "budget year"},
		"a budget of nothing":         {`{"dollars": 20}`, `{}`, "one of them above 0"},
		"a budget below nothing":      {`{"dollars": 20}`, `{"dollars": -1}`, "budget day"},
		"a rate below nothing":        {`50`, `-50`, "requests_per_minute"},
		"a stall of a day":            {`"stall_seconds": 5`, `"stall_seconds": 86400`, "stall_seconds"},
		"a seal's key that is short":  {`"keep_days": 30`, `"keep_days": 30, "seal_key_variable": "KEY"`, "not 32 bytes in base64"},
		"texts are kept for ever":     {`"keep_days": 30`, `"keep_days": 99999`, "keep_days"},
		"two mistakes, both named":    {`"day": {"dollars": 20}`, `"year": {"dollars": 20}, "month": {"tokens": 1}`, "budget month"},
		"a model's budget is wrong":   {`{"tokens": 1000000}`, `{"tokens": -1}`, "agent client-value-predictor: budget agent"},
	} {
		text := strings.Replace(whole, c.from, c.to, 1)
		if text == whole {
			t.Errorf("%s changes nothing", name)
		}
		if _, err := read([]byte(text), environment, noFile); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "sk-1") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A file that is empty is a place for one; one that isn't there is a mistake.
func TestAnEmptyModelsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "models")
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []Config{{}, {ModelsFile: file}} {
		if models, err := c.Open(); err != nil || len(models.Agents()) != 0 || models.For("x") != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	c := Config{ModelsFile: file + "x"}
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "CICLO_MODELS") {
		t.Errorf("a file that isn't there: %v", err)
	}
	own := strings.ReplaceAll(whole, `"key_variable": "KEY"`, `"key_variable": "PATH"`) // whatever it holds
	if err := os.WriteFile(file, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	c = Config{ModelsFile: file, Askers: []string{"client-value-predictor"}}
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), `agent "knowledge-graph-builder" asks no model: those that can are client-value-predictor`) {
		t.Errorf("an agent that asks none: %v", err)
	}
	c.Askers = append(c.Askers, "knowledge-graph-builder")
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}

func TestRedaction(t *testing.T) {
	t.Parallel()
	r := Request{
		System: "Write to Made Wirawan.", Names: []string{"Made  Wirawan", "Jo"}, Schema: json.RawMessage(`{}`),
		Messages: []Message{
			{User, "I am MADE, made.wirawan@firm.example or Made.Wirawan@firm.example, call +62 812-3456-7890 or (0361) 123 4567 before 2026-11-27."},
			{User, "Mademoiselle Jo paid 1,250,000.00 on 27.11.2026 to Wirawan\nMade  Wirawan [name 9]"},
		},
	}
	was := r.Messages[0].Text
	d := redact(&r)
	want := []Message{
		{User, "I am [name 2], [e-mail 1] or [e-mail 1], call [phone 1] or [phone 2] before 2026-11-27."},
		{User, "Mademoiselle Jo paid 1,250,000.00 on 27.11.2026 to [name 4]\n[name 3] [name 9]"},
	}
	if diff := cmp.Diff(want, r.Messages); diff != "" || r.System != "Write to [name 1]." {
		t.Errorf("%s: %s", r.System, diff)
	}
	if got := d.restore(want[0].Text); !strings.EqualFold(got, was) {
		t.Errorf("restored it is %s", got)
	}
	// Inside of JSON an escape is no part of a name, or of an address.
	r = Request{Messages: []Message{{User, `{"said": "hello\nAnna, \u003canna@firm.example\u003e,\tanna\nno.tanna@firm.example and nAnna"}`}}, Names: []string{"Anna"}}
	d = redact(&r)
	if got, want := r.Messages[0].Text, `{"said": "hello\n[name 1], \u003c[e-mail 1]\u003e,\t[name 1]\n[e-mail 2] and nAnna"}`; got != want || !json.Valid([]byte(d.restore(got))) {
		t.Errorf("inside of JSON it is %s, want %s", got, want)
	}
	for text, want := range map[string]string{
		`my number:\n081234567890`: `my number:\n[phone 1]`, `\t(0812) 345 678`: `\t[phone 1]`, `\u20280812345678`: `\u2028[phone 1]`, "0812\u00a0345\u2011678 90": "[phone 1]", "٠٨١٢٣٤٥٦٧٨": "[phone 1]",
		"INV0012345678": "INV0012345678", "12345678901234567890": "12345678901234567890", "2026-11-27": "2026-11-27",
	} {
		r := Request{Messages: []Message{{User, text}}}
		if redact(&r); r.Messages[0].Text != want {
			t.Errorf("%s becomes %s, want %s", text, r.Messages[0].Text, want)
		}
	}
	r = Request{Messages: []Message{{User, `"Anna" Weber`}}, Names: []string{`"Anna" Weber`}, Schema: json.RawMessage(`{}`)}
	d = redact(&r)
	if got := d.restore(`{"to": "` + r.Messages[0].Text + `"}`); !json.Valid([]byte(got)) || !strings.Contains(got, "Anna") {
		t.Errorf("restored into JSON it is %s", got)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0.5": 500 * time.Millisecond, "-3": 0, "soon": 0, "86400": longestAfter,
		"Fri, 27 Nov 2026 12:00:30 GMT": 30 * time.Second, "Fri, 27 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
	if got := retryAfter(http.Header{"Retry-After-Ms": {"250"}, "Retry-After": {"9"}}, now); got != 250*time.Millisecond {
		t.Errorf("in milliseconds it is %s", got)
	}
}

// The same request has the same hash in every process, and no two others have it.
func TestTheHashOfARequest(t *testing.T) {
	t.Parallel()
	base := func() Request {
		return Request{System: "s", Messages: []Message{{User, "a"}}, Schema: json.RawMessage(`{"type":"object"}`), MaxTokens: 9}
	}
	hash := func(engine string, change func(*Request)) string {
		r := base()
		if change != nil {
			change(&r)
		}
		h, text, err := r.hash(engine)
		if err != nil || !json.Valid(text) {
			t.Fatal(err)
		}
		return h
	}
	first := hash("p/m", nil)
	if first != hash("p/m", func(r *Request) { r.About, r.Names = []string{"c"}, []string{"n"} }) {
		t.Error("whom it is about changes the hash")
	}
	seen := map[string]bool{first: true}
	for name, h := range map[string]string{
		"another engine": hash("p/n", nil), "another system": hash("p/m", func(r *Request) { r.System = "t" }),
		"another role":      hash("p/m", func(r *Request) { r.Messages[0].Role = Assistant }),
		"another schema":    hash("p/m", func(r *Request) { r.Schema = nil }),
		"another limit":     hash("p/m", func(r *Request) { r.MaxTokens = 8 }),
		"one more messages": hash("p/m", func(r *Request) { r.Messages = append(r.Messages, Message{User, "a"}) }),
	} {
		if seen[h] {
			t.Errorf("%s has the hash of another", name)
		}
		seen[h] = true
	}
}

func TestMoney(t *testing.T) {
	t.Parallel()
	for n, want := range map[agents.Nanodollars]string{0: "0.000000000", 1: "0.000000001", 1_500_000_000: "1.500000000", -1: "-0.000000001"} {
		if got := n.String(); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	if got := (Price{Input: .0375, Output: .15}).cost(Usage{Input: 1, Output: 3}); got != 38+450 {
		t.Errorf("a part of a billionth is rounded to %d", got)
	}
}

func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	key, err := newSeal("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
	if err != nil {
		t.Fatal(err)
	}
	other, err := newSeal("MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	if err != nil {
		t.Fatal(err)
	}
	const said = "the words of a client"
	kept := func(s seal) []byte {
		text, err := s.close("answer 1", []byte(said))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if text := kept(key); strings.Contains(string(text), "client") || string(text) == string(kept(key)) {
		t.Errorf("under a key it is %q", text)
	}
	cut := kept(key)
	for name, c := range map[string]struct {
		by   seal
		of   string
		kept []byte
		want string
	}{
		"plain":                {seal{}, "answer 1", kept(seal{}), ""},
		"plain, with a key":    {key, "answer 1", kept(seal{}), ""},
		"sealed":               {key, "answer 1", kept(key), ""},
		"sealed, without key":  {seal{}, "answer 1", kept(key), "no key"},
		"sealed, another key":  {other, "answer 1", kept(key), "another key"},
		"another call's":       {key, "answer 2", kept(key), "another key"},
		"cut off":              {key, "answer 1", cut[:len(cut)-1], "another key"},
		"hardly there":         {key, "answer 1", cut[:3], "cut off"},
		"gone":                 {key, "answer 1", nil, "no longer kept"},
		"of a version to come": {key, "answer 1", []byte("x?"), "doesn't know"},
	} {
		text, err := c.by.open(c.of, c.kept)
		if (c.want == "") != (err == nil) || (err == nil && string(text) != said) || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
