package orchestrator_test

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/orchestrator"
	"github.com/nuzantara/ciclo/orchestrator/dashboard"
)

// routes is what each route needs; empty where anybody may.
var routes = map[string]orchestrator.Scope{
	"GET /healthz":                                                "",
	"GET /readyz":                                                 "",
	"GET /openapi.json":                                           orchestrator.Read,
	"GET /metrics":                                                orchestrator.Read,
	"GET /docs":                                                   orchestrator.Read,
	"POST " + prefix + "/:agent/run":                              orchestrator.Run,
	"POST " + prefix + "/:agent/pause":                            orchestrator.Admin,
	"POST " + prefix + "/:agent/resume":                           orchestrator.Admin,
	"GET " + prefix + "/status":                                   orchestrator.Read,
	"GET " + prefix + "/executions":                               orchestrator.Read,
	"GET " + prefix + "/executions/:id":                           orchestrator.Read,
	"GET " + prefix + "/executions/:id/effects":                   orchestrator.Read,
	"GET " + prefix + "/executions/:id/calls":                     orchestrator.Read,
	"GET " + prefix + "/executions/:id/events":                    orchestrator.Read,
	"GET " + prefix + "/executions/:id/steps":                     orchestrator.Read,
	"GET " + prefix + "/executions/:id/attempts":                  orchestrator.Read,
	"GET " + prefix + "/executions/:id/transitions":               orchestrator.Read,
	"POST " + prefix + "/executions/:id/retry":                    orchestrator.Run,
	"POST " + prefix + "/executions/:id/cancel":                   orchestrator.Run,
	"GET " + prefix + "/audit":                                    orchestrator.Read,
	"GET " + prefix + "/changes":                                  orchestrator.Read,
	"GET " + prefix + "/activity":                                 orchestrator.Read,
	"GET " + prefix + "/costs":                                    orchestrator.Read,
	"GET " + prefix + "/schedules":                                orchestrator.Read,
	"POST " + prefix + "/schedules":                               orchestrator.Admin,
	"GET " + prefix + "/schedules/:name":                          orchestrator.Read,
	"PATCH " + prefix + "/schedules/:name":                        orchestrator.Admin,
	"POST " + prefix + "/schedules/:name/pause":                   orchestrator.Admin,
	"POST " + prefix + "/schedules/:name/resume":                  orchestrator.Admin,
	"POST " + prefix + "/schedules/:name/run":                     orchestrator.Run,
	"POST " + prefix + "/schedules/:name/backfill":                orchestrator.Admin,
	"GET " + prefix + "/schedules/:name/slots":                    orchestrator.Read,
	"GET " + prefix + "/cycles":                                   orchestrator.Read,
	"POST " + prefix + "/cycles":                                  orchestrator.Run,
	"GET " + prefix + "/cycles/:id":                               orchestrator.Read,
	"POST " + prefix + "/cycles/:id/cancel":                       orchestrator.Run,
	"GET " + prefix + "/patterns":                                 orchestrator.Read,
	"GET " + prefix + "/prompts":                                  orchestrator.Read,
	"GET " + prefix + "/prompts/:id":                              orchestrator.Read,
	"GET " + prefix + "/prompts/:id/effect":                       orchestrator.Read,
	"GET " + prefix + "/patterns/history":                         orchestrator.Read,
	"POST " + prefix + "/conversations/:id/rating":                orchestrator.Run,
	"GET " + prefix + "/messages":                                 orchestrator.Read,
	"GET " + prefix + "/messages/:id":                             orchestrator.Read,
	"POST " + prefix + "/messages/:id/approve":                    orchestrator.Approve,
	"POST " + prefix + "/messages/:id/reject":                     orchestrator.Approve,
	"POST " + prefix + "/messages/:id/resolve":                    orchestrator.Approve,
	"GET " + prefix + "/messages/policy":                          orchestrator.Read,
	"PATCH " + prefix + "/messages/policy":                        orchestrator.Admin,
	"GET " + prefix + "/messages/templates":                       orchestrator.Read,
	"PUT " + prefix + "/messages/templates/:name/:language":       orchestrator.Admin,
	"GET " + prefix + "/messages/opt-outs":                        orchestrator.Read,
	"POST " + prefix + "/messages/opt-outs":                       orchestrator.Approve,
	"DELETE " + prefix + "/messages/opt-outs/:id":                 orchestrator.Admin,
	"POST " + prefix + "/messages/inbound/twilio":                 "",
	"POST " + prefix + "/webhooks":                                orchestrator.Admin,
	"GET " + prefix + "/webhooks":                                 orchestrator.Admin,
	"DELETE " + prefix + "/webhooks/:id":                          orchestrator.Admin,
	"GET " + prefix + "/webhooks/:id/deliveries":                  orchestrator.Admin,
	"POST " + prefix + "/webhooks/:id/deliveries/:delivery/retry": orchestrator.Admin,
	"GET " + prefix + "/clients/values":                           orchestrator.Read,
	"GET " + prefix + "/clients/values.csv":                       orchestrator.Read,
	"GET " + prefix + "/clients/values/summary":                   orchestrator.Read,
	"GET " + prefix + "/clients/segment-changes":                  orchestrator.Read,
	"GET " + prefix + "/clients/:id/values":                       orchestrator.Read,
	"POST " + prefix + "/clients/:id/erase":                       orchestrator.Admin,
	"GET " + prefix + "/graph/entities":                           orchestrator.Read,
	"GET " + prefix + "/graph/entities/:id":                       orchestrator.Read,
	"GET " + prefix + "/graph/entities/:id/mentions":              orchestrator.Read,
	"GET " + prefix + "/graph/entities/:id/neighbours":            orchestrator.Read,
	"GET " + prefix + "/graph/path":                               orchestrator.Read,
	"GET " + prefix + "/graph/edges/:id/evidence":                 orchestrator.Read,
	"GET " + prefix + "/graph/summary":                            orchestrator.Read,
	"GET " + prefix + "/graph/export":                             orchestrator.Read,
	"GET " + prefix + "/graph/reviews":                            orchestrator.Read,
	"POST " + prefix + "/graph/reviews/:id":                       orchestrator.Approve,
	"POST " + prefix + "/graph/merges":                            orchestrator.Approve,
	"POST " + prefix + "/graph/merges/:id/undo":                   orchestrator.Approve,
	"GET " + prefix + "/workers":                                  orchestrator.Read,
	"GET " + prefix + "/workers/:id/drain-plan":                   orchestrator.Read,
	"POST " + prefix + "/workers/:id/drain":                       orchestrator.Admin,
	"GET /river":                                                  orchestrator.Admin,
	"GET /river/*":                                                orchestrator.Admin,
	"HEAD /river":                                                 orchestrator.Admin,
	"HEAD /river/*":                                               orchestrator.Admin,
	"POST /river":                                                 orchestrator.Admin,
	"POST /river/*":                                               orchestrator.Admin,
	"PUT /river":                                                  orchestrator.Admin,
	"PUT /river/*":                                                orchestrator.Admin,
	"PATCH /river":                                                orchestrator.Admin,
	"PATCH /river/*":                                              orchestrator.Admin,
	"DELETE /river":                                               orchestrator.Admin,
	"DELETE /river/*":                                             orchestrator.Admin,
}

// may says which scopes allow what another one stands for.
var may = map[orchestrator.Scope][]orchestrator.Scope{
	orchestrator.Read:    {orchestrator.Read},
	orchestrator.Run:     {orchestrator.Run, orchestrator.Read},
	orchestrator.Approve: {orchestrator.Approve, orchestrator.Read},
	orchestrator.Admin:   orchestrator.Scopes,
}

func (a *api) store() *postgres.Store {
	a.t.Helper()
	store, err := postgres.New(a.pool)
	if err != nil {
		a.t.Fatal(err)
	}
	return store
}

func (a *api) newToken(name string, scopes ...string) string {
	a.t.Helper()
	text, hash := postgres.NewToken()
	if err := a.store().CreateToken(a.t.Context(), name, hash, scopes); err != nil {
		a.t.Fatal(err)
	}
	return text
}

// Each route by each scope, without a token, and by a revoked and a wrong one.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, r := range a.handler.(*echo.Echo).Routes() {
		if _, known := routes[r.Method+" "+r.Path]; !known && r.Method != echo.RouteNotFound && !slices.Contains(dashboard.Patterns(), r.Path) { // whose visitors pages_test.go tries
			t.Errorf("%s %s is not in the table", r.Method, r.Path)
		}
	}
	given := map[string][]orchestrator.Scope{"": nil, "Bearer nobody-made-this-one": nil, "Basic " + token: nil, "Bearer " + token: orchestrator.Scopes}
	for _, s := range orchestrator.Scopes {
		given["Bearer "+a.newToken("of-"+string(s), string(s))] = may[s]
	}
	given["Bearer "+a.newToken("both", "run", "approve")] = slices.Concat(may[orchestrator.Run], []orchestrator.Scope{orchestrator.Approve})
	gone := a.newToken("gone", "admin")
	if err := a.store().RevokeToken(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	given["Bearer "+gone] = nil
	id := a.run("test-noop", "")
	a.send("POST", prefix+"/executions/"+id+"/cancel", "") // so that its events end
	for route, needed := range routes {
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer(":agent", "nobody", ":id", id).Replace(path)
		for header, scopes := range given {
			send := a.send
			if strings.HasPrefix(path, "/river") { // which the API's document doesn't tell of
				send = a.sendPlain
			}
			r := send(method, path, "", "Authorization", header)
			refused := r.status == http.StatusUnauthorized || r.status == http.StatusForbidden
			want := 0
			switch {
			case needed == "":
			case len(scopes) == 0:
				want = http.StatusUnauthorized
			case !contains(scopes, needed):
				want = http.StatusForbidden
			}
			if refused != (want != 0) || refused && r.status != want {
				t.Errorf("%s with %q (%v): %d, want %d: %s", route, header, scopes, r.status, want, r.body)
			}
			if header != "" && bytes.Contains(r.body, []byte(strings.TrimPrefix(header, "Bearer "))) {
				t.Errorf("%s: the answer holds the token: %s", route, r.body)
			}
		}
	}
	if r := a.send("GET", prefix+"/nowhere", "", "Authorization", ""); r.status != http.StatusUnauthorized {
		t.Errorf("a stranger learns that there is no such route: %d", r.status)
	}
}

func contains(scopes []orchestrator.Scope, s orchestrator.Scope) bool {
	for _, one := range scopes {
		if one == s {
			return true
		}
	}
	return false
}

func TestWhoDidWhatIsLogged(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	crm := a.newToken("crm", "run")
	ran := a.send("POST", prefix+"/test-noop/run", "", "Authorization", "Bearer "+crm)
	id := ran.field(t, "execution_id").(string)
	if got := a.send("GET", prefix+"/executions/"+id, ""); got.field(t, "requested_by") != "crm" {
		t.Errorf("it was asked for by %s", got.body)
	}
	a.send("POST", prefix+"/executions/"+id+"/cancel", "", "Authorization", "Bearer "+crm)
	a.send("POST", prefix+"/executions/noop_nobody/cancel", "")
	a.send("POST", prefix+"/test-noop/pause", "", "Authorization", "Bearer "+crm) // 403: nothing is changed
	var log string
	err := a.pool.QueryRow(t.Context(), `SELECT string_agg(token || ' ' || method || ' ' || path || ' ' || status, E'\n' ORDER BY id) FROM ciclo.audit_log`).Scan(&log)
	want := "crm POST " + prefix + "/executions/" + id + "/cancel 202\nCICLO_TOKEN POST " + prefix + "/executions/noop_nobody/cancel 404"
	if err != nil || log != want {
		t.Errorf("the log is\n%s\nwant\n%s\n%v", log, want, err)
	}
}

func TestTokensAreRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	store := a.store()
	a.newToken("crm", "read")
	_, hash := postgres.NewToken()
	if err := store.CreateToken(t.Context(), "crm", hash, []string{"read"}); err == nil {
		t.Error("two living tokens have one name")
	}
	for name, bad := range map[string]struct {
		name   string
		hash   []byte
		scopes []string
	}{
		"no name":          {"", hash, []string{"read"}},
		"a name of spaces": {"a b", hash, []string{"read"}},
		"no scope":         {"x", hash, []string{}},
		"no such scope":    {"x", hash, []string{"read", "root"}},
		"a text, no hash":  {"x", []byte("secret"), []string{"read"}},
	} {
		if err := store.CreateToken(t.Context(), bad.name, bad.hash, bad.scopes); !postgres.Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := store.RevokeToken(t.Context(), "crm"); err != nil {
		t.Error(err)
	}
	if err := store.RevokeToken(t.Context(), "crm"); err == nil {
		t.Error("a revoked token is revoked again")
	}
	a.newToken("crm", "read") // the name is free again
}

func TestATokenThatAsksTooOften(t *testing.T) {
	t.Parallel()
	a := newAPIOn(t, testdatabase.New(t), io.Discard, func(c *orchestrator.Config) { c.RateLimit = 0.01 })
	other := a.newToken("other", "read")
	if r := a.send("GET", prefix+"/workers", ""); r.status != http.StatusOK {
		t.Errorf("the first one: %d %s", r.status, r.body)
	}
	r := a.send("GET", prefix+"/workers", "")
	if seconds, err := strconv.Atoi(r.header.Get("Retry-After")); r.status != http.StatusTooManyRequests || err != nil || seconds < 1 || seconds > 100 {
		t.Errorf("the second one: %d %v %s", r.status, r.header, r.body)
	}
	if r := a.send("GET", prefix+"/workers", "", "Authorization", "Bearer "+other); r.status != http.StatusOK {
		t.Errorf("another token: %d %s", r.status, r.body)
	}
	if r := a.send("GET", "/readyz", ""); r.status != http.StatusOK {
		t.Errorf("without a token: %d %s", r.status, r.body)
	}
	for _, limit := range []float64{-1, math.NaN(), math.Inf(1)} {
		if _, err := orchestrator.New(orchestrator.Config{RateLimit: limit}); err == nil {
			t.Errorf("a limit of %v is taken", limit)
		}
	}
}
