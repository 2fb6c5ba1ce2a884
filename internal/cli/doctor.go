package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/service"
)

// doctorCommand must say something useful whatever is away, hangs or isn't Ciclo's.
type doctorCommand struct {
	Timeout time.Duration `default:"10s" help:"How long all of it may take."`
}

// Run exits with 1 where something is wrong.
func (c doctorCommand) Run(ctx context.Context, g *Globals) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	d := &doctor{g: g, step: c.Timeout * 3 / 10, findings: []finding{}}
	if !g.JSON {
		d.tell = func(f finding) { fmt.Fprintln(g.out, f) }
	}
	database := d.askDatabase(ctx) // meanwhile
	d.askOrchestrator(ctx)
	if database != nil {
		d.add(awaitDatabase(ctx, database))
	}
	if g.JSON {
		if err := g.printJSON(d.findings); err != nil {
			return err
		}
	}
	if d.sick {
		return exit{ExitFailed}
	}
	return nil
}

// The states of a check. What is unknown couldn't be looked at, mostly because of
// a problem that was found before.
const (
	ok      = "ok"
	problem = "problem"
	unknown = "unknown"
)

// finding is what one check found.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	// Next is the command to type next where State is problem.
	Next string `json:"next,omitempty"`
}

func (f finding) String() string {
	text := fmt.Sprintf("%-7s  %-13s  %s", f.State, f.Check, f.Detail)
	if f.Next != "" {
		text += "; next: " + f.Next
	}
	return text
}

// doctor is one round of checks.
type doctor struct {
	g        *Globals
	step     time.Duration // what one question may take
	tell     func(finding) // nil: nobody wants to hear of each at once
	findings []finding
	sick     bool
}

func (d *doctor) add(f finding) {
	f.Detail = oneLine(f.Detail)
	d.findings = append(d.findings, f)
	d.sick = d.sick || f.State == problem
	if d.tell != nil {
		d.tell(f)
	}
}

// maxDetail bounds what is shown of a server's answer, in bytes.
const maxDetail = 500

// oneLine is a text in one line that a terminal can show, whatever was answered.
func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return text
}

func (d *doctor) ok(check, format string, args ...any) {
	d.add(finding{check, ok, fmt.Sprintf(format, args...), ""})
}

func (d *doctor) problem(check, next, format string, args ...any) {
	d.add(finding{check, problem, fmt.Sprintf(format, args...), next})
}

func (d *doctor) unknown(why string, checks ...string) {
	for _, check := range checks {
		d.add(finding{check, unknown, why, ""})
	}
}

// The checks, in their order. Those from checkWorkers on are of what GET /status
// and its fellows say.
const (
	checkAddress   = "address"
	checkToken     = "token"
	checkHealth    = "health"
	checkReady     = "ready"
	checkGrant     = "grant"
	checkVersion   = "version"
	checkWorkers   = "workers"
	checkAgents    = "agents"
	checkPaused    = "paused"
	checkSchedules = "schedules"
	checkWaiting   = "waiting"
	checkStalled   = "stalled"
	checkFailures  = "failures"
	checkAudit     = "audit"
	checkMessages  = "messages"
	checkDatabase  = "database"
)

var behindStatus = []string{checkVersion, checkWorkers, checkAgents, checkPaused, checkWaiting, checkSchedules, checkStalled, checkFailures, checkMessages, checkAudit}

// askAgain is after how long a question is asked again that came too soon.
const askAgain = 500 * time.Millisecond

// ask gives one question its time, in which it waits for the rate limit too.
func (d *doctor) ask(ctx context.Context, question func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d.step)
	defer cancel()
	for {
		err := question(ctx)
		var p *client.Problem
		if !errors.As(err, &p) || p.Status != http.StatusTooManyRequests {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(askAgain):
		}
	}
}

func (d *doctor) askOrchestrator(ctx context.Context) {
	api, start, renew := d.find()
	if api.URL == "" {
		d.unknown("no orchestrator is known", append([]string{checkHealth, checkReady, checkGrant}, behindStatus...)...)
		return
	}
	open := *api
	open.Token = "" // one that is wrong must not be taken for an address that is
	if err := d.ask(ctx, open.Health); err != nil {
		d.problem(checkHealth, start, "%s", why(err))
		d.unknown("the orchestrator doesn't answer", append([]string{checkReady, checkGrant}, behindStatus...)...)
		return
	}
	d.ok(checkHealth, "the orchestrator answers")
	d.ready(ctx, &open)
	if api.Token == "" {
		d.unknown("no token is known", append([]string{checkGrant}, behindStatus...)...)
		return
	}
	var s client.Status
	err := d.ask(ctx, func(ctx context.Context) (err error) {
		s, err = api.Status(ctx)
		return err
	})
	if err == nil && (s.Version == "" || s.Agents == nil) {
		err = errors.New("the answer is not one of Ciclo's: is this its address?")
	}
	var p *client.Problem
	switch {
	case errors.As(err, &p) && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden):
		d.problem(checkGrant, renew, "the orchestrator refuses the token: %s", why(err))
		d.unknown("the token may not look", behindStatus...)
	case err != nil:
		d.problem(checkGrant, "ciclo status", "the status can't be had: %s", why(err))
		d.unknown("there is no status", behindStatus...)
	default:
		d.grant(ctx, api)
		d.status(ctx, api, s)
	}
}

// find says where the address and the token come from. An address that is no URL
// is left out; start and renew are what mends either.
func (d *doctor) find() (api *client.Client, start, renew string) {
	w := d.g.where()
	api = &client.Client{URL: w.url, Token: w.token, HTTP: &http.Client{Transport: limited{http.DefaultTransport}}}
	start, renew = "ciclo dev", "export CICLO_TOKEN=$(ciclo token create NAME --scope admin)"
	if w.urlFrom != fromDev {
		start = "orchestrator # on its host; or set CICLO_URL to where it serves"
	}
	if w.tokenFrom == fromDev && w.urlFrom == fromDev {
		renew = "ciclo dev # it makes the token of its folder the orchestrator's"
	}
	u, err := url.Parse(w.url)
	switch {
	case w.url == "":
		d.problem(checkAddress, "ciclo dev", "no orchestrator is known: neither --url nor CICLO_URL is given, and %s has no address of ciclo dev", d.g.Data)
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		d.problem(checkAddress, "export CICLO_URL=http://127.0.0.1:8080", "%q, by %s, is no URL such as http://127.0.0.1:8080", w.url, w.urlFrom)
		api.URL = ""
	default:
		d.ok(checkAddress, "%s, by %s", u.Redacted(), w.urlFrom)
	}
	if w.token == "" {
		d.problem(checkToken, renew, "no token is known: neither --token nor CICLO_TOKEN is given, and %s has none of ciclo dev", d.g.Data)
	} else {
		d.ok(checkToken, "by %s", w.tokenFrom)
	}
	return api, start, renew
}

func (d *doctor) ready(ctx context.Context, api *client.Client) {
	err := d.ask(ctx, api.Ready)
	var p *client.Problem
	switch {
	case err == nil:
		d.ok(checkReady, "it has its database, with its schema")
	case errors.As(err, &p) && p.Type == "urn:ciclo:schema":
		d.problem(checkReady, "ciclo migrate # with the orchestrator's DATABASE_URL", "%s", why(err))
	case errors.As(err, &p) && p.Type == "urn:ciclo:unavailable", errors.Is(err, context.DeadlineExceeded):
		d.problem(checkReady, `psql "$DATABASE_URL" -c 'SELECT 1' # from the orchestrator's host`, "it lacks its database: %s", why(err))
	default:
		d.problem(checkReady, "ciclo health", "%s", why(err))
	}
}

// grant finds out what a token that may look may do beside: a retry of what can't
// exist needs the scope run, a look at the webhooks the scope admin.
func (d *doctor) grant(ctx context.Context, api *client.Client) {
	may := "look"
	for _, probe := range []struct {
		may string
		try func(context.Context) error
	}{
		{"run", func(ctx context.Context) error { _, err := api.Retry(ctx, "-", "", false); return err }},
		{"administer", func(ctx context.Context) error { _, err := api.Webhooks(ctx); return err }},
	} {
		err := d.ask(ctx, probe.try)
		var p *client.Problem
		switch {
		case err == nil, errors.As(err, &p) && p.Status == http.StatusNotFound:
			may += ", " + probe.may
		case p == nil || p.Status != http.StatusForbidden:
			may += ", perhaps " + probe.may
		}
	}
	d.ok(checkGrant, "the token is known and may %s", may)
}

// status looks through what the orchestrator says of the system.
func (d *doctor) status(ctx context.Context, api *client.Client, s client.Status) {
	if own := service.Version(); own == s.Version {
		d.ok(checkVersion, "this program and the orchestrator are %s", own)
	} else {
		d.problem(checkVersion, "ciclo --version # install the orchestrator's", "this program is %s, the orchestrator %s", own, s.Version)
	}
	for _, check := range statusChecks(s) {
		d.add(check)
	}
	d.schedules(ctx, api, s.Scheduling)
	d.messages(ctx, api)
	d.stalled(ctx, api)
	for _, check := range failures(s.Agents) {
		d.add(check)
	}
	d.audit(ctx, api)
}

// limited keeps an answer that doesn't end out of memory.
type limited struct{ http.RoundTripper }

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 16 << 20

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}

// why is an error without what the line says already.
func why(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err.Error()
}

// askDatabase looks at the database of DATABASE_URL; nil where that isn't set.
func (d *doctor) askDatabase(ctx context.Context) <-chan finding {
	url, err := service.Secret(os.Getenv("DATABASE_URL"), os.Getenv("DATABASE_URL_FILE"))
	if url == "" && err == nil {
		return nil
	}
	found := make(chan finding, 1)
	if err != nil {
		found <- finding{checkDatabase, problem, err.Error(), "export DATABASE_URL=postgres://user:password@host/database"}
		return found
	}
	// Nobody waits for its end where the time is up: a pool that is being closed waits
	// for a database that hangs, longer than the process lasts.
	go func() { found <- databaseFinding(ctx, url) }()
	return found
}

func awaitDatabase(ctx context.Context, found <-chan finding) finding {
	select {
	case f := <-found:
		return f
	case <-ctx.Done():
		return finding{checkDatabase, problem, "no answer in time", `psql "$DATABASE_URL" -c 'SELECT 1'`}
	}
}

func databaseFinding(ctx context.Context, url string) finding {
	f := finding{Check: checkDatabase, State: problem, Next: `psql "$DATABASE_URL" -c 'SELECT 1'`}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo doctor", MaxConns: 1, Pooled: true})
	if err != nil {
		f.Detail, f.Next = err.Error(), "export DATABASE_URL=postgres://user:password@host/database"
		return f
	}
	defer pool.Close()
	err = postgres.CheckSchema(ctx, pool)
	var schema *postgres.SchemaError
	switch {
	case err == nil:
		err := postgres.CheckIncarnation(ctx, pool, false)
		if errors.Is(err, postgres.ErrRecovering) {
			f.Detail, f.Next = "the database of DATABASE_URL is a replica or still recovers: it takes no writes", "export DATABASE_URL=… # the primary's: pg_is_in_recovery() is false there"
			return f
		}
		if err != nil {
			f.Detail, f.Next = err.Error(), "ciclo restored --dry-run"
			return f
		}
		have, err := postgres.ReadSchema(ctx, pool)
		if err != nil {
			return finding{checkDatabase, unknown, err.Error(), ""}
		}
		return finding{checkDatabase, ok, fmt.Sprintf("the database of DATABASE_URL answers and has schema version %d, nothing pending", have.Version), ""}
	case errors.As(err, &schema) && schema.Have > schema.Want:
		f.Detail, f.Next = schema.Error(), "ciclo --version # install a newer one"
	case errors.As(err, &schema):
		pending, err := postgres.PendingMigrations(schema.Have)
		f.Detail, f.Next = fmt.Sprintf("the database has schema version %d; pending: %s", schema.Have, cmp.Or(strings.Join(pending, ", "), fmt.Sprint(err))), "ciclo migrate"
	case errors.Is(err, postgres.ErrRiverBehind):
		f.Detail, f.Next = err.Error(), "ciclo migrate"
	default:
		f.Detail = "the database of DATABASE_URL: " + why(err)
	}
	return f
}
