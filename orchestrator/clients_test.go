package orchestrator_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/nuzantara/ciclo/internal/testdatabase"
)

const clients = prefix + "/clients"

func (a *api) exec(sql string, args ...any) {
	a.t.Helper()
	if _, err := a.pool.Exec(a.t.Context(), sql, args...); err != nil {
		a.t.Fatalf("%s: %v", sql, err)
	}
}

// valueRun writes an execution of the predictor, so many days ago.
func (a *api) valueRun(status string, daysAgo int, dry bool) (id string) {
	a.t.Helper()
	id = "client_predictor_" + uuid.Must(uuid.NewV7()).String()
	a.exec(`
		INSERT INTO ciclo.executions (id, agent, status, parameters, attempt, failures, tries, timeout_seconds, started_at, running_at, ended_at, status_at,
			result, error_class, error_text, worker_id, river_job_id, dry_run)
		SELECT $1, 'client-value-predictor', $2, '{}', 1, 0, 3, 60, at, at, CASE WHEN $2 <> 'running' THEN at + interval '1 min' END, at,
		       CASE WHEN $2 = 'completed' THEN '{"as_of": "2026-01-31", "currency": "EUR", "horizon_days": 365, "model": "BG/NBD", "low_confidence": false}'::jsonb END,
		       CASE WHEN $2 = 'failed' THEN 'permanent' END, CASE WHEN $2 = 'failed' THEN 'no' END,
		       CASE WHEN $2 = 'running' THEN gen_random_uuid() END, CASE WHEN $2 = 'running' THEN 1 END, $4
		FROM (SELECT now() - $3::int * interval '1 day' AS at) t`, id, status, daysAgo, dry)
	return id
}

// score writes a score: the rank decides value and segment, the risk is given.
func (a *api) score(run, client, segment string, clv, risk float64, low bool) {
	a.t.Helper()
	a.exec(`
		INSERT INTO ciclo.client_scores (execution_id, client_id, as_of, segment, repeat_purchases, recency_weeks, age_weeks, mean_spend, p_alive,
			churn_risk_30, churn_risk_90, expected_purchases, expected_spend, expected_value, clv, clv_12_months, low_confidence)
		VALUES ($1, $2, '2026-01-31', $3, 1, 1, 2, 10, .5, $5, $5, 1, 10, 10, $4, $4, $6)`, run, client, segment, clv, risk, low)
}

// manyScores writes n scores with many equal values, in all segments.
func (a *api) manyScores(run string, n int) {
	a.t.Helper()
	a.exec(`
		INSERT INTO ciclo.client_scores (execution_id, client_id, as_of, segment, repeat_purchases, recency_weeks, age_weeks, mean_spend, p_alive,
			churn_risk_30, churn_risk_90, expected_purchases, expected_spend, expected_value, clv, clv_12_months, low_confidence)
		SELECT $1, 'c' || i, '2026-01-31', CASE WHEN i % 10 > 8 THEN 'VIP' WHEN i % 10 > 6 THEN 'HIGH' WHEN i % 10 > 4 THEN 'MEDIUM' ELSE 'LOW' END,
		       1, 1, 2, 10, .5, .1, (i % 7)::float8 / 7, 1, 10, 10, i % 10, i % 10, i % 2 = 0
		FROM generate_series(1, $2::int) i`, run, n)
}

// ids are the clients of a page.
func (r answer) ids(tb testing.TB) (ids []string) {
	tb.Helper()
	list, ok := r.field(tb, "values").([]any)
	if !ok {
		tb.Fatalf("%d %s", r.status, r.body)
	}
	for _, v := range list {
		ids = append(ids, v.(map[string]any)["client_id"].(string))
	}
	return ids
}

// walk goes through all pages.
func (a *api) walk(path string) (ids []string) {
	a.t.Helper()
	for cursor := ""; ; {
		r := a.send("GET", path+cursor, "")
		ids = append(ids, r.ids(a.t)...)
		next, more := r.field(a.t, "next_cursor").(string)
		if !more {
			return ids
		}
		cursor = "&cursor=" + next
	}
}

func TestScoresBeforeTheFirstRun(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.valueRun("failed", 1, false)
	a.score(a.valueRun("running", 0, false), "a", "VIP", 1, .1, false) // not complete
	dry := a.valueRun("completed", 0, true)
	for _, path := range []string{"/values", "/values.csv", "/values/summary", "/values?execution=" + dry, "/values/summary?execution=" + dry, "/values.csv?execution=" + dry} {
		if r := a.send("GET", clients+path, ""); r.status != http.StatusNotFound || r.field(t, "type") != "urn:ciclo:scores-none" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := a.send("GET", clients+"/a/values", ""); r.status != http.StatusNotFound || r.field(t, "type") != "urn:ciclo:client-unscored" {
		t.Errorf("a client: %d %s", r.status, r.body)
	}
	for _, query := range []string{"", "?after=0"} {
		if r := a.send("GET", clients+"/segment-changes"+query, ""); r.status != http.StatusOK || len(r.field(t, "changes").([]any)) != 0 {
			t.Errorf("changes: %d %s", r.status, r.body)
		}
	}
}

func TestScoresThatAreRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	run := a.valueRun("completed", 1, false)
	a.manyScores(run, 5)
	cursor := a.send("GET", clients+"/values?limit=2", "").field(t, "next_cursor").(string)
	other := a.valueRun("completed", 2, false)
	for path, field := range map[string]string{
		"/values?limit=0": "limit", "/values?limit=201": "limit", "/values?limit=x": "limit", "/values?limit=1&limit=1": "limit",
		"/values?cursor=": "cursor", "/values?cursor=x": "cursor", "/values?cursor=e30": "cursor", "/values?sort=churn_risk_90&cursor=" + cursor: "cursor",
		"/values?execution=" + other + "&cursor=" + cursor: "cursor", "/values?execution=x": "execution", "/values?execution=%00": "execution",
		"/values?segment=vip": "segment", "/values?segment=": "segment", "/values?segment=VIP&segment=NONE": "segment",
		"/values?min_churn_risk=NaN": "min_churn_risk", "/values?min_churn_risk=-0.1": "min_churn_risk", "/values?min_churn_risk=1.1": "min_churn_risk", "/values?min_churn_risk=": "min_churn_risk",
		"/values?low_confidence=yes": "low_confidence", "/values?low_confidence=true&low_confidence=true": "low_confidence",
		"/values?sort=name": "sort", "/values?sort=": "sort", "/values?sort=clv&sort=clv": "sort", "/values?x=1": "x",
		"/values.csv?limit=5": "limit", "/values.csv?cursor=x": "cursor", "/values.csv?segment=x": "segment",
		"/values/summary?segment=VIP": "segment", "/values/summary?execution=": "execution", "/values/summary?execution=x&execution=x": "execution",
		"/c1/values?execution=" + run: "execution", "/c1/values?limit=0": "limit", "/c1/values?cursor=x": "cursor",
		"/segment-changes?limit=0": "limit", "/segment-changes?cursor=x": "cursor", "/segment-changes?cursor=0": "cursor", "/segment-changes?cursor=7": "cursor",
		"/segment-changes?after=-1": "after", "/segment-changes?after=x": "after", "/segment-changes?after=7": "after", "/segment-changes?after=": "after", "/segment-changes?after=1&cursor=1": "after",
		"/segment-changes?to=vip": "to", "/segment-changes?client=": "client", "/segment-changes?client=%00": "client", "/segment-changes?client=a&client=b": "client", "/segment-changes?x=1": "x",
	} {
		r := a.send("GET", clients+path, "")
		if r.status != http.StatusUnprocessableEntity || !strings.Contains(string(r.body), `"field":"`+field+`"`) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	for _, path := range []string{"/nobody/values", "/%00/values", "/%FF/values", "/values/values", "/" + strings.Repeat("x", 3000) + "/values"} {
		if r := a.send("GET", clients+path, ""); r.status != http.StatusNotFound {
			t.Errorf("%.50s: %d %s", path, r.status, r.body)
		}
	}
}

// Every filter and order in pages gives what one statement gives, with many equal values.
func TestPagesOfScores(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	run := a.valueRun("completed", 1, false)
	a.manyScores(run, 103)
	a.manyScores(a.valueRun("completed", 2, false), 9) // an older one
	for query, sql := range map[string]string{
		"":                                "true ORDER BY clv DESC, client_id",
		"&segment=HIGH&segment=LOW":       "segment IN ('HIGH', 'LOW') ORDER BY clv DESC, client_id",
		"&segment=LOW&segment=LOW":        "segment = 'LOW' ORDER BY clv DESC, client_id",
		"&min_churn_risk=0.5":             "churn_risk_90 >= .5 ORDER BY clv DESC, client_id",
		"&low_confidence=true":            "low_confidence ORDER BY clv DESC, client_id",
		"&sort=churn_risk_90":             "true ORDER BY churn_risk_90 DESC, client_id",
		"&sort=churn_risk_90&segment=VIP": "segment = 'VIP' ORDER BY churn_risk_90 DESC, client_id",
		"&sort=churn_risk_90&low_confidence=false&min_churn_risk=.2": "NOT low_confidence AND churn_risk_90 >= .2 ORDER BY churn_risk_90 DESC, client_id",
		"&sort=client_id": "true ORDER BY client_id",
		"&sort=client_id&segment=MEDIUM&min_churn_risk=0.1": "segment = 'MEDIUM' AND churn_risk_90 >= .1 ORDER BY client_id",
		"&min_churn_risk=1": "false ORDER BY clv",
	} {
		rows, err := a.pool.Query(t.Context(), `SELECT client_id FROM ciclo.client_scores WHERE execution_id = $1 AND `+sql, run)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			want = append(want, id)
		}
		for _, limit := range []int{1, 7, 103, 200} {
			if limit == 1 && len(want) > 30 {
				continue
			}
			if got := a.walk(fmt.Sprintf("%s/values?limit=%d%s", clients, limit, query)); !slices.Equal(got, want) {
				t.Errorf("%q by %d: %d %v\nwant %d %v", query, limit, len(got), got, len(want), want)
			}
		}
	}
}

// A run that completes between two pages is in none of them.
func TestTheCursorStaysWithItsRun(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	old := a.valueRun("completed", 2, false)
	a.manyScores(old, 20)
	want := a.walk(clients + "/values?limit=200")
	first := a.send("GET", clients+"/values?limit=8", "")
	newer := a.valueRun("completed", 1, false)
	a.score(newer, "new", "VIP", 5, .1, false)
	second := a.send("GET", clients+"/values?limit=200&cursor="+first.field(t, "next_cursor").(string), "")
	if got := append(first.ids(t), second.ids(t)...); !slices.Equal(got, want) || second.field(t, "run", "execution_id") != old {
		t.Errorf("the pages have %v, want %v", got, want)
	}
	if r := a.send("GET", clients+"/values", ""); r.field(t, "run", "execution_id") != newer || !slices.Equal(r.ids(t), []string{"new"}) {
		t.Errorf("the next list is %s", r.body)
	}
	if r := a.send("GET", clients+"/values?execution="+old, ""); len(r.ids(t)) != 20 {
		t.Errorf("the old one is %s", r.body)
	}
}

// Ids are the firm's own, names as well.
func TestOddClients(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	odd := []string{"a/b", "100%25", "50%", "ü 日本", "a?b#c", "..", ".", "values", "summary", "segment-changes", "=1+1", "a;b", "a+b", "a\nb", `"q"`, "-5", "%2F", "'=x", strings.Repeat("x", 500)}
	for i, run := range []string{a.valueRun("completed", 2, false), a.valueRun("completed", 1, false)} {
		for n, id := range odd {
			a.score(run, id, "LOW", float64(n+i), .5, false)
		}
	}
	a.exec(`INSERT INTO crm.clients (id, name) SELECT id, '@' || id FROM unnest($1::text[]) id`, odd)
	for n, id := range odd {
		path := clients + "/" + url.PathEscape(id) + "/values"
		first := a.send("GET", path+"?limit=1", "")
		if first.status != http.StatusOK || first.field(t, "client_id") != id || first.field(t, "name") != "@"+id {
			t.Errorf("%q: %d %s", id, first.status, first.body)
			continue
		}
		second := a.send("GET", path+"?limit=1&cursor="+first.field(t, "next_cursor").(string), "")
		newest, oldest := first.field(t, "values").([]any)[0].(map[string]any), second.field(t, "values").([]any)[0].(map[string]any)
		if newest["clv"] != float64(n+1) || oldest["clv"] != float64(n) || second.field(t, "next_cursor") != nil || newest["currency"] != "EUR" || newest["clv_low"] != nil {
			t.Errorf("%q: %s %s", id, first.body, second.body)
		}
	}
	if got := a.walk(clients + "/values?limit=3&sort=client_id"); len(got) != len(odd) {
		t.Errorf("the pages have %q", got)
	}
	r := a.send("GET", clients+"/values.csv?sort=client_id", "")
	if r.status != http.StatusOK || !strings.HasPrefix(r.header.Get("Content-Disposition"), `attachment; filename="client-values-20`) || r.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("the export: %d %v %s", r.status, r.header, r.body)
	}
	rows, err := csv.NewReader(bytes.NewReader(r.body)).ReadAll()
	if err != nil || len(rows) != len(odd)+1 {
		t.Fatalf("%d rows, %v: %s", len(rows), err, r.body)
	}
	var got []string
	for _, row := range rows[1:] {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("a spreadsheet computes %q", cell)
			}
		}
		got = append(got, strings.TrimPrefix(row[0], "'"))
	}
	slices.Sort(got)
	slices.Sort(odd)
	if !slices.Equal(got, odd) {
		t.Errorf("the ids are %q, want %q", got, odd)
	}
	if bytes.Count(r.body, []byte("\r\n")) != len(odd)+1 {
		t.Error("not every row ends with CRLF")
	}
}

func TestNamesOfABrokenView(t *testing.T) {
	t.Parallel()
	for name, view := range map[string]string{
		"broken": `SELECT id, (1 / (length(id) - length(id)))::text AS name, email, phone, whatsapp, language, status, consent_marketing, tags, created_at FROM crm.clients`,
		"slow":   `SELECT id, pg_sleep(60)::text AS name, email, phone, whatsapp, language, status, consent_marketing, tags, created_at FROM crm.clients`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			a := newAPIOn(t, testdatabase.New(t), &log)
			run := a.valueRun("completed", 1, false)
			a.manyScores(run, 3)
			a.exec(`INSERT INTO crm.clients (id, name) VALUES ('c1', 'One')`)
			if r := a.send("GET", clients+"/values", ""); r.field(t, "names_error") != nil || !strings.Contains(string(r.body), `"One"`) {
				t.Errorf("with the view: %s", r.body)
			}
			a.exec(`CREATE OR REPLACE VIEW source.clients AS ` + view)
			began := time.Now()
			r := a.send("GET", clients+"/values", "")
			if len(r.ids(t)) != 3 || r.field(t, "names_error") == nil {
				t.Errorf("without: %s", r.body)
			}
			if r := a.send("GET", clients+"/c1/values", ""); r.status != http.StatusOK || r.field(t, "names_error") == nil {
				t.Errorf("the history: %s", r.body)
			}
			if r := a.send("GET", clients+"/values.csv", ""); r.status != http.StatusOK || bytes.Count(r.body, []byte("\r\n")) != 4 {
				t.Errorf("the export: %s", r.body)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("they took %s", took)
			}
			if !strings.Contains(log.String(), "without names") {
				t.Errorf("the log says %s", log.String())
			}
		})
	}
}

// What is cut off is not taken for the whole, and ends the export.
func TestAnExportThatIsCutOff(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.manyScores(a.valueRun("completed", 1, false), 60_000)
	server := httptest.NewServer(a.handler)
	t.Cleanup(server.Close)
	get := func() *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+clients+"/values.csv?sort=client_id", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := server.Client().Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		return resp
	}
	whole := get()
	text, err := io.ReadAll(whole.Body)
	if err := errors.Join(err, whole.Body.Close()); err != nil || bytes.Count(text, []byte("\r\n")) != 60_001 {
		t.Fatalf("the whole has %d rows, %v", bytes.Count(text, []byte("\r\n")), err)
	}
	cut := get()
	if _, err := io.ReadFull(cut.Body, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	a.exec(`DROP TABLE ciclo.client_scores CASCADE`) // the database is broken from now on
	_, err = io.ReadAll(cut.Body)
	if err := errors.Join(cut.Body.Close(), err); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a part looks like the whole: %v", err)
	}
}

func TestTheSummaryOfARun(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	run := a.valueRun("completed", 1, false)
	for i, segment := range []string{"VIP", "HIGH", "LOW", "LOW"} {
		a.score(run, fmt.Sprint("c", i), segment, []float64{900, 90, 9, 1}[i], []float64{.05, .5, .95, 1}[i], false)
	}
	a.exec(`INSERT INTO ciclo.value_models (execution_id, model, chosen, as_of, fit, low_confidence, cut_on, end_on, clients, predicted, bought, mae, rmse, correlation, predicted_low, predicted_high, log_score, simple_predicted, simple_mae, simple_rmse, reason) VALUES
		($1, 'BG/NBD', false, '2026-01-31', '{"r": 1}', false, '2025-06-01', '2026-01-31', 4, 110, 100, .5, .6, .7, 90, 130, 1.5, 200, .9, 1.1, NULL),
		($1, 'MBG/NBD', true, '2026-01-31', '{"r": 2}', false, NULL, NULL, 4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'too short')`, run)
	r := a.send("GET", clients+"/values/summary", "")
	var sum struct {
		Clients  int
		TotalCLV float64 `json:"total_clv"`
		Segments []struct {
			Segment  string
			Clients  int
			Share    float64
			MeanCLV  float64 `json:"mean_clv"`
			CLVShare float64 `json:"clv_share"`
		}
		CLV, Churn struct {
			Quantiles []struct{ P, Value float64 }
			Histogram []struct {
				From    float64
				To      *float64
				Clients int
				Sum     float64
			}
		}
		Models []struct {
			Model      string
			OffPercent *float64 `json:"off_percent"`
			Reason     *string
		}
	}
	if err := json.Unmarshal(r.body, &sum); err != nil {
		t.Fatal(err)
	}
	if sum.Clients != 4 || sum.TotalCLV != 1000 || len(sum.Segments) != 4 || sum.Segments[0].CLVShare != .9 || sum.Segments[2].Clients != 0 || sum.Segments[3].Share != .5 || sum.Segments[3].MeanCLV != 5 {
		t.Errorf("the summary is %s", r.body)
	}
	clients, total := 0, 0.
	for i, b := range sum.CLV.Histogram {
		clients, total = clients+b.Clients, total+b.Sum
		if i > 0 && *sum.CLV.Histogram[i-1].To != b.From {
			t.Errorf("a gap before %v", b)
		}
	}
	if clients != 4 || total != 1000 || sum.CLV.Quantiles[0].Value != 1 || sum.CLV.Quantiles[9].Value != 900 {
		t.Errorf("the distribution is %s", r.body)
	}
	if len(sum.Models) != 2 || sum.Models[0].Reason == nil || sum.Models[1].OffPercent == nil || *sum.Models[1].OffPercent < 9.99 || *sum.Models[1].OffPercent > 10.01 {
		t.Errorf("the models are %s", r.body)
	}
	a.valueRun("completed", 0, false) // of no clients
	if r := a.send("GET", prefix+"/clients/values/summary", ""); r.status != http.StatusOK || r.field(t, "clients") != 0. {
		t.Errorf("of no clients: %d %s", r.status, r.body)
	}
	if again := a.send("GET", prefix+"/clients/values/summary?execution="+run, ""); !bytes.Equal(again.body, r.body) {
		t.Errorf("asked again it is %s", again.body)
	}
}

// change writes a change of segment and returns its id.
func (a *api) change(run, before, client, to string) (id int64) {
	a.t.Helper()
	err := a.pool.QueryRow(a.t.Context(), `
		INSERT INTO ciclo.segment_changes (execution_id, previous_execution_id, client_id, from_segment, to_segment)
		VALUES ($1, $2, $3, CASE $4 WHEN 'LOW' THEN 'VIP' ELSE 'LOW' END, $4) RETURNING id`, run, before, client, to).Scan(&id)
	if err != nil {
		a.t.Fatal(err)
	}
	return id
}

// changed are the ids of a page of changes.
func (r answer) changed(tb testing.TB) (ids []int64) {
	tb.Helper()
	list, ok := r.field(tb, "changes").([]any)
	if !ok {
		tb.Fatalf("%d %s", r.status, r.body)
	}
	for _, v := range list {
		ids = append(ids, int64(v.(map[string]any)["id"].(float64)))
	}
	return ids
}

func TestChangesOfSegment(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	first := a.valueRun("completed", 9, false)
	failed := a.valueRun("failed", 8, false)
	late := a.valueRun("completed", 3, false) // wrote first, ended last
	early := a.valueRun("completed", 5, false)
	l1, l2 := a.change(late, first, "a", "VIP"), a.change(late, first, "b", "LOW")
	a.change(failed, first, "a", "VIP")
	e1, e2 := a.change(early, first, "b", "VIP"), a.change(early, first, "a", "LOW")
	for query, want := range map[string][]int64{
		"":                         {l1, l2, e2, e1},
		"?to=VIP":                  {l1, e1},
		"?client=a":                {l1, e2},
		"?client=a&to=LOW&to=HIGH": {e2},
		"?after=0":                 {e2, e1, l1, l2},
		"?after=0&client=b":        {e1, l2},
		fmt.Sprint("?after=", e1):  {l1, l2},
		fmt.Sprint("?after=", l2):  nil,
	} {
		if got := a.send("GET", clients+"/segment-changes"+query, "").changed(t); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
	var pages []int64
	for cursor := "limit=3"; cursor != ""; {
		r := a.send("GET", clients+"/segment-changes?"+cursor, "")
		pages = append(pages, r.changed(t)...)
		next, _ := r.field(t, "next_cursor").(string)
		if cursor = ""; next != "" {
			cursor = "limit=3&cursor=" + next
		}
	}
	if !slices.Equal(pages, []int64{l1, l2, e2, e1}) {
		t.Errorf("the pages have %v", pages)
	}
	// Who follows gets each once, one at a time, and waits at the end.
	var followed []int64
	after := int64(0)
	poll := func() {
		for {
			r := a.send("GET", fmt.Sprintf("%s/segment-changes?limit=1&after=%d", clients, after), "")
			got := r.changed(t)
			after = int64(r.field(t, "next_after").(float64))
			if followed = append(followed, got...); len(got) == 0 {
				return
			}
		}
	}
	poll()
	// A run that has just ended waits for the one that is running, whose end may lie before it.
	running := a.valueRun("running", 0, false)
	ended := a.valueRun("completed", 0, false)
	a.exec(`UPDATE ciclo.executions SET ended_at = now() WHERE id = $1`, ended)
	later := a.change(ended, late, "c", "VIP")
	poll()
	if slices.Contains(followed, later) {
		t.Error("a run that has just ended did not wait for the one that is running")
	}
	before := a.change(running, late, "d", "HIGH")
	a.exec(`UPDATE ciclo.executions SET status = 'completed', ended_at = now() - interval '1 second', result = '{}', worker_id = NULL WHERE id = $1`, running)
	poll()
	poll()
	if want := []int64{e2, e1, l1, l2, before, later}; !slices.Equal(followed, want) {
		t.Errorf("who follows got %v, want %v", followed, want)
	}
	a.valueRun("running", 0, false)
	a.exec(`UPDATE ciclo.executions SET ended_at = ended_at - interval '31 seconds' WHERE id = ANY ($1)`, []string{ended, running})
	after = l2
	if got := a.send("GET", fmt.Sprint(clients, "/segment-changes?after=", l2), "").changed(t); !slices.Equal(got, []int64{before, later}) {
		t.Errorf("after so long it still waits: %v", got)
	}
}
