package orchestrator_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// failed makes an execution that finished some steps and effects before it failed.
func (a *api) failed() string {
	a.t.Helper()
	id := a.run("test-steps", `{"steps": 7}`)
	store, ctx, worker := a.store(), a.t.Context(), uuid.NewString()
	must := func(err error) {
		if err != nil {
			a.t.Fatal(err)
		}
	}
	must(store.Register(ctx, postgres.Worker{ID: worker, Host: "h", PID: 1, Concurrency: map[string]int{"test-steps": 1}}, time.Minute))
	var job int64
	must(a.pool.QueryRow(ctx, `SELECT river_job_id FROM ciclo.executions WHERE id = $1`, id).Scan(&job))
	attempts, err := store.Claim(ctx, []postgres.Delivery{{ExecutionID: id, JobID: job}}, worker, time.Minute)
	must(err)
	attempt := attempts[0]
	for _, name := range []string{"load", "fit", "score", "publish"} {
		must(store.RecordStep(ctx, attempt, name, time.Now(), name == "score", false, func(pgx.Tx) (json.RawMessage, error) { return json.RawMessage(`"` + name + `"`), nil }))
		_, _, err := store.IntendEffect(ctx, attempt, "mail after "+name, id+name, "once", false)
		must(err)
		if name != "publish" {
			must(store.SettleEffect(ctx, attempt, "mail after "+name, "done", json.RawMessage(`1`)))
		}
	}
	_, err = store.Fail(ctx, attempt, postgres.Failure{Class: "permanent", Text: "no", Permanent: true})
	must(err)
	return id
}

func TestRetry(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	old := a.failed()
	retry := prefix + "/executions/" + old + "/retry"
	for body, want := range map[string]struct{ steps, effects []string }{
		``:                      {},
		`{}`:                    {},
		`{"from_step": "load"}`: {},
		`{"from_step": "publish"}`: { // what score wrote belongs to the old one
			[]string{"load", "fit"}, []string{"mail after load", "mail after fit", "mail after score"},
		},
		`{"resume": true}`: {
			[]string{"load", "fit", "publish"}, []string{"mail after load", "mail after fit", "mail after score", "mail after publish"},
		},
	} {
		r := a.send("POST", retry, body)
		if r.status != http.StatusAccepted || r.field(t, "retry_of") != old || r.field(t, "parameters", "steps") != 7. {
			t.Errorf("%s: %d %s", body, r.status, r.body)
			continue
		}
		at := prefix + "/executions/" + r.field(t, "execution_id").(string)
		if got := a.send("GET", at, ""); got.field(t, "retry_of") != old || got.field(t, "status") != "started" {
			t.Errorf("%s: %s", body, got.body)
		}
		if got := a.names(at, "steps"); !slices.Equal(got, want.steps) {
			t.Errorf("%s: reuses the steps %q, want %q", body, got, want.steps)
		}
		if got := a.names(at, "effects"); !slices.Equal(got, want.effects) {
			t.Errorf("%s: knows the effects %q, want %q", body, got, want.effects)
		}
	}
	// One that was reused already is reused again, from where it was done.
	first := a.send("POST", retry, `{"resume": true}`).field(t, "execution_id").(string)
	a.send("POST", prefix+"/executions/"+first+"/cancel", "")
	second := a.send("POST", prefix+"/executions/"+first+"/retry", `{"resume": true}`).field(t, "execution_id").(string)
	steps := a.send("GET", prefix+"/executions/"+second+"/steps", "").field(t, "steps").([]any)
	if len(steps) != 3 || steps[0].(map[string]any)["copied_from"] != old {
		t.Errorf("the steps of a retry of a retry are %v", steps)
	}
	if r := a.send("GET", prefix+"/executions?status=cancelled&retry_of="+old, ""); len(r.field(t, "executions").([]any)) != 1 {
		t.Errorf("the cancelled retry of it is %s", r.body)
	}
	if r := a.send("GET", prefix+"/executions?retry_of="+old, ""); len(r.field(t, "executions").([]any)) != 6 {
		t.Errorf("its retries are %s", r.body)
	}
	if broken := a.send("GET", prefix+"/audit", "").field(t, "violations"); broken != 0. {
		t.Errorf("the audit finds %v", broken)
	}

	key := []string{"Idempotency-Key", "again"}
	once := a.send("POST", retry, `{"resume": true}`, key...)
	if twice := a.send("POST", retry, ` { "resume" : true } `, key...); twice.field(t, "execution_id") != once.field(t, "execution_id") {
		t.Errorf("the same key gave another one: %s", twice.body)
	}
	alive := prefix + "/executions/" + second + "/retry"
	for name, c := range map[string]struct {
		path, body string
		status     int
	}{
		"the same key for another retry": {retry, `{}`, 422},
		"a step that isn't there":        {retry, `{"from_step": "nothing"}`, 422},
		"both":                           {retry, `{"from_step": "fit", "resume": true}`, 422},
		"an unknown field":               {retry, `{"step": "fit"}`, 422},
		"no object":                      {retry, `[]`, 422},
		"no JSON":                        {retry, `{`, 400},
		"a query":                        {retry + "?from_step=fit", ``, 422},
		"nobody's":                       {prefix + "/executions/steps_nobody/retry", ``, 404},
		"one that is alive":              {alive, ``, 409},
	} {
		headers := key
		if name != "the same key for another retry" {
			headers = nil
		}
		if r := a.send("POST", c.path, c.body, headers...); r.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, r.status, r.body, c.status)
		}
	}
}

// names are the names in a list of an execution.
func (a *api) names(at, list string) (names []string) {
	a.t.Helper()
	for _, item := range a.send("GET", at+"/"+list, "").field(a.t, list).([]any) {
		names = append(names, item.(map[string]any)["name"].(string))
	}
	return names
}
