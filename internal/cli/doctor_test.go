package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/service"
)

// statusAs is an answer of GET /status of an agent with a worker, changed by the replacements.
func statusAs(oldnew ...string) string {
	text := fmt.Sprintf(`{"version": %q, "agents": [{"id": "a", "started": 0, "queue_age_seconds": null, "success_rate": 1, "typical_duration_seconds": 100}], "paused": [],
		"workers": [{"worker_id": "w", "alive": true, "stopping_at": null, "concurrency": {"a": 1}}], "recent_executions": []}`, service.Version())
	return strings.NewReplacer(oldnew...).Replace(text)
}

type route = map[string]http.HandlerFunc

func say(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
}

// hang answers nothing. A server sees that its client is gone once it has read all.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// well is an orchestrator where nothing is wrong.
func well() route {
	const api = "/api/autonomous-agents"
	return route{
		"/healthz":                  say(200, `{"status": "ok"}`),
		"/readyz":                   say(200, `{"status": "ready"}`),
		api + "/status":             say(200, statusAs()),
		api + "/executions":         say(200, `{"executions": [{"execution_id": "a_1", "stalled": false}], "next_cursor": null}`),
		api + "/executions/-/retry": say(404, `{"type": "urn:ciclo:execution-unknown", "status": 404}`),
		api + "/webhooks":           say(200, `{"webhooks": []}`),
		api + "/audit":              say(200, `{"violations": 0, "findings": [{"invariant": "i", "count": 0, "checked": true}]}`),
		api + "/schedules":          say(200, `{"schedules": [{"name": "nightly"}]}`),
		api + "/messages":           say(200, `{"messages": [], "next_cursor": null}`),
		api + "/messages/policy":    say(200, `{"channels": ["email"]}`),
	}
}

func serve(t *testing.T, r route) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if handle := r[req.URL.Path]; handle != nil {
			handle(w, req)
		} else if handle = r["*"]; handle != nil {
			handle(w, req)
		} else {
			http.NotFound(w, req)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// states are the checks' worst states, and all that they say.
func examine(t *testing.T, args ...string) (states map[string]string, text string, code int) {
	t.Helper()
	began := time.Now()
	out, said, code := ciclo(t, append([]string{"doctor", "--json", "--timeout", "1s"}, args...)...)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	var findings []finding
	if err := json.Unmarshal([]byte(out), &findings); err != nil || said != "" {
		t.Fatalf("%v: %s%s", err, out, said)
	}
	states = map[string]string{}
	for _, f := range findings {
		if states[f.Check] != problem {
			states[f.Check] = f.State
		}
		if (f.State == problem) != (f.Next != "") || f.Detail == "" || strings.ContainsAny(f.Detail, "\n\r\x1b") || len(f.Detail) > 2*maxDetail {
			t.Errorf("a finding is %q", f)
		}
	}
	return states, out, code
}

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	states, out, code := examine(t, "--url", serve(t, well())+"/", "--token", "t")
	want := map[string]string{checkAddress: ok, checkToken: ok, checkHealth: ok, checkReady: ok, checkGrant: ok}
	for _, check := range behindStatus {
		want[check] = ok
	}
	if code != 0 || !maps.Equal(states, want) || !strings.Contains(out, "look, run, administer") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestDoctorFinds(t *testing.T) {
	t.Parallel()
	const api = "/api/autonomous-agents"
	forbidden := say(403, `{"type": "urn:ciclo:scope-missing", "status": 403, "title": "The token may not do this"}`)
	status := func(oldnew ...string) route { return route{api + "/status": say(200, statusAs(oldnew...))} }
	for name, c := range map[string]struct {
		change   route
		problems []string
		says     string
	}{
		"a schema that is behind": {route{"/readyz": say(503, `{"type": "urn:ciclo:schema", "title": "T", "detail": "version 3"}`)}, []string{checkReady}, "ciclo migrate"},
		"no database":             {route{"/readyz": say(503, `{"type": "urn:ciclo:unavailable", "title": "T"}`)}, []string{checkReady}, "psql"},
		"a hanging readyz":        {route{"/readyz": hang}, []string{checkReady}, "no answer in time"},
		"an unknown token":        {route{api + "/status": say(401, `{"type": "urn:ciclo:token-wrong", "title": "The token is not known"}`)}, []string{checkGrant}, "ciclo token create"},
		"a token that may nothing": {
			route{api + "/status": forbidden}, []string{checkGrant}, "may not",
		},
		"a token that may look":     {route{api + "/executions/-/retry": forbidden, api + "/webhooks": forbidden}, nil, "may look\""},
		"a token that may run":      {route{api + "/webhooks": forbidden}, nil, "may look, run\""},
		"too many requests":         {route{api + "/status": say(429, `{"title": "The token asks too often"}`)}, []string{checkGrant}, "too often"},
		"another version":           {status(service.Version(), "v0.0.1-other"), []string{checkVersion}, "v0.0.1-other"},
		"no worker":                 {status(`{"worker_id": "w", "alive": true, "stopping_at": null, "concurrency": {"a": 1}}`, ""), []string{checkWorkers, checkAgents}, "DATABASE_URL"},
		"workers that are null":     {status(`[{"worker_id": "w", "alive": true, "stopping_at": null, "concurrency": {"a": 1}}]`, "null"), []string{checkWorkers, checkAgents}, ""},
		"a lost worker":             {status(`"alive": true`, `"alive": false`), []string{checkWorkers, checkAgents}, "of 1"},
		"a stopping worker":         {status(`"stopping_at": null`, `"stopping_at": "2026-01-01T00:00:00Z"`), []string{checkWorkers, checkAgents}, ""},
		"nobody for the agent":      {status(`{"a": 1}`, `{"b": 1, "a": 0}`), []string{checkAgents}, "no live worker runs a"},
		"no concurrency":            {status(`{"a": 1}`, `null`), []string{checkAgents}, ""},
		"a pause by hand":           {status(`"paused": []`, `"paused": [{"agent_name": "a", "kind": "hand", "reason": "mend\u001b[31m\nit"}]`), []string{checkPaused}, `"ciclo resume a"`},
		"a pause of all":            {status(`"paused": []`, `"paused": [{"agent_name": "*", "kind": "hand"}]`), []string{checkPaused}, `"ciclo resume all"`},
		"a breaker":                 {status(`"paused": []`, `"paused": [{"agent_name": "a", "kind": "breaker"}]`), []string{checkPaused}, `ciclo list --status failed --agent a`},
		"a wait":                    {status(`"queue_age_seconds": null`, `"queue_age_seconds": 301`), []string{checkWaiting}, "more than 5m0s"},
		"a wait that is usual":      {status(`"queue_age_seconds": null`, `"queue_age_seconds": 299`), nil, ""},
		"a wait of nothing typical": {status(`"queue_age_seconds": null`, `"queue_age_seconds": 61`, `"typical_duration_seconds": 100`, `"typical_duration_seconds": null`), []string{checkWaiting}, "1m1s"},
		"a paused schedule":         {route{api + "/schedules": say(200, `{"schedules": [{"name": "nightly", "paused_at": "2026-01-01T00:00:00Z"}]}`)}, []string{checkSchedules}, `"ciclo schedules resume nightly"`},
		"a broken schedule":         {route{api + "/schedules": say(200, `{"schedules": [{"name": "nightly", "broken": "no zone Mars"}]}`)}, []string{checkSchedules}, "no zone Mars"},
		"a message that is lost":    {route{api + "/messages": say(200, `{"messages": [{"message_id": "message_1", "client_id": "C-1", "channel": "email"}]}`)}, []string{checkMessages}, "ciclo messages resolve message_1"},
		"a channel that is off":     {route{api + "/messages/policy": say(200, `{"channels": []}`), api + "/messages": say(200, `{"messages": [{"message_id": "message_1", "channel": "email"}]}`)}, []string{checkMessages}, "which is off"},
		"no messages to be had":     {route{api + "/messages/policy": hang}, []string{checkMessages}, "in time"},
		"failures":                  {status(`"success_rate": 1`, `"success_rate": 0.5`), []string{checkFailures}, "50 %"},
		"no agents":                 {status(`[{"id": "a", "started": 0, "queue_age_seconds": null, "success_rate": 1, "typical_duration_seconds": 100}]`, `[]`), nil, ""},
		"a stalled execution":       {route{api + "/executions": say(200, `{"executions": [{"execution_id": "a_7", "stalled": true}]}`)}, []string{checkStalled}, "ciclo status a_7"},
		"a list without an end":     {route{api + "/executions": say(200, `{"executions": [], "next_cursor": "again"}`)}, nil, ""},
		"a hanging list":            {route{api + "/executions": hang}, []string{checkStalled}, "in time"},
		"a broken invariant":        {route{api + "/audit": say(200, `{"violations": 2, "findings": [{"invariant": "one job", "count": 2}]}`)}, []string{checkAudit}, "one job (2)"},
		"no audit":                  {route{api + "/audit": say(200, `{}`)}, []string{checkAudit}, ""},
		"a hanging audit":           {route{api + "/audit": hang}, []string{checkAudit}, "in time"},
		"all but health hang":       {route{"/readyz": hang, api + "/status": hang}, []string{checkReady, checkGrant}, ""},
		"all but the status hang":   {route{"/readyz": hang, api + "/executions": hang, api + "/executions/-/retry": hang, api + "/webhooks": hang, api + "/audit": hang}, []string{checkReady, checkStalled, checkAudit}, "may look, perhaps run, perhaps administer\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			routes := well()
			maps.Copy(routes, c.change)
			states, out, code := examine(t, "--url", serve(t, routes), "--token", "t")
			var problems []string
			for check, state := range states {
				if state == problem {
					problems = append(problems, check)
				}
			}
			slices.Sort(problems)
			slices.Sort(c.problems)
			if !slices.Equal(problems, c.problems) || !strings.Contains(out, c.says) || (code != 0) != (len(c.problems) > 0) {
				t.Errorf("exit code %d, problems %v, want %v and %q: %s", code, problems, c.problems, c.says, out)
			}
			if len(states) != len(behindStatus)+5 {
				t.Errorf("checks are missing: %v", states)
			}
		})
	}
}

// Whatever serves at the address, the doctor says so and ends.
func TestDoctorMeetsAnotherServer(t *testing.T) {
	t.Parallel()
	const api = "/api/autonomous-agents"
	endless := func(begin string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, begin)
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, `{"status": "o`)
	}
	closes := func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}
	redirect := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }
	for name, handle := range map[string]http.HandlerFunc{
		"a page":        say(200, "<html><body>Welcome</body></html>"),
		"nothing":       say(200, ""),
		"null":          say(200, "null"),
		"an object":     say(200, "{}"),
		"a list":        say(200, "[]"),
		"a number":      say(200, "1"),
		"another type":  say(200, `{"status": 7, "version": [], "agents": {}}`),
		"404":           say(404, "no\x1b[2Jthing\nhere"),
		"500":           say(500, strings.Repeat("x", 1<<21)),
		"302 to itself": redirect,
		"hangs":         hang,
		"closes":        closes,
		"cuts":          cut,
		"endless":       endless(""),
		"endless JSON":  endless(`{"status": "`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, route{"*": handle})
			states, out, code := examine(t, "--url", url, "--token", "t")
			if code != ExitFailed || states[checkHealth] != problem || states[checkWorkers] != unknown {
				t.Errorf("exit code %d: %s", code, out)
			}
			// The same where its health looks like Ciclo's.
			url = serve(t, route{"*": handle, "/healthz": say(200, `{"status":"ok"}`)})
			if states, out, code = examine(t, "--url", url, "--token", "t"); code != ExitFailed || states[checkGrant] != problem || states[checkWorkers] != unknown {
				t.Errorf("with a health: exit code %d: %s", code, out)
			}
			// The same where all but what follows the status is.
			routes := well()
			for _, path := range []string{"/schedules", "/executions", "/executions/-/retry", "/webhooks", "/audit"} {
				routes[api+path] = handle
			}
			if _, out, code = examine(t, "--url", serve(t, routes), "--token", "t"); code != ExitFailed {
				t.Errorf("with a status: exit code %d: %s", code, out)
			}
		})
	}
}

func TestDoctorFindsNobody(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connections are made, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nothing is known":   {nil, "ciclo dev"},
		"no token":           {[]string{"--url", serve(t, well())}, "no token is known"},
		"nobody listens":     {[]string{"--url", "http://" + closed.Addr().String(), "--token", "t"}, "refused"},
		"nobody answers":     {[]string{"--url", "http://" + silent.Addr().String(), "--token", "t"}, "no answer in time"},
		"no such host":       {[]string{"--url", "http://nowhere.invalid", "--token", "t"}, "orchestrator #"},
		"no scheme":          {[]string{"--url", "localhost:8080", "--token", "t"}, "is no URL"},
		"another scheme":     {[]string{"--url", "postgres://localhost:8080", "--token", "t"}, "is no URL"},
		"no URL":             {[]string{"--url", "http://[::1", "--token", "t"}, "is no URL"},
		"TLS where none is":  {[]string{"--url", "https" + strings.TrimPrefix(serve(t, well()), "http"), "--token", "t"}, "HTTP"},
		"no header's token":  {[]string{"--url", serve(t, well()), "--token", "a\nb"}, "the status can't be had"},
		"a folder of no use": {[]string{"--data", filepath.Join(t.TempDir(), "none")}, "no orchestrator is known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			states, out, code := examine(t, c.args...)
			if code != ExitFailed || !strings.Contains(out, c.want) || states[checkWorkers] != unknown {
				t.Errorf("exit code %d, want %q: %s", code, c.want, out)
			}
		})
	}
}

func TestDoctorMeetsADatabaseThatHangs(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	api := serve(t, well())
	for name, url := range map[string]string{
		"it hangs":       "postgres://postgres:secret-word@" + silent.Addr().String() + "/x",
		"nobody listens": "postgres://postgres:secret-word@127.0.0.1:1/x",
		"no URL":         "postgres://postgres:secret-word@127.0.0.1:port/x",
		"another server": strings.Replace(api, "http://", "postgres://postgres:secret-word@", 1) + "/x?sslmode=disable",
	} {
		t.Setenv("DATABASE_URL", url)
		states, out, code := examine(t, "--url", api, "--token", "t")
		if code != ExitFailed || states[checkDatabase] != problem || states[checkAudit] != ok || strings.Contains(out, "secret-word") {
			t.Errorf("%s: exit code %d: %s", name, code, out)
		}
	}
	t.Setenv("DATABASE_URL", "")
	t.Setenv("DATABASE_URL_FILE", filepath.Join(t.TempDir(), "none"))
	if states, out, code := examine(t, "--url", api, "--token", "t"); code != ExitFailed || states[checkDatabase] != problem {
		t.Errorf("no file: exit code %d: %s", code, out)
	}
}

func TestDoctorForPeople(t *testing.T) {
	t.Parallel()
	routes := well()
	routes["/readyz"] = say(503, `{"type": "urn:ciclo:schema", "title": "The schema differs"}`)
	out, said, code := ciclo(t, "doctor", "--url", serve(t, routes), "--token", "t")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != ExitFailed || said != "" || len(lines) != len(behindStatus)+5 {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
	if want := "problem  ready          The schema differs (503); next: ciclo migrate # with the orchestrator's DATABASE_URL"; lines[3] != want {
		t.Errorf("%q, want %q", lines[3], want)
	}
}
