package orchestrator_test

import (
	"net/http"
	"testing"
)

func TestAClientIsErased(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.exec(`INSERT INTO crm.clients (id, name, email) VALUES ('kadek/7 é', 'Kadek Surya', 'kadek@mail.example'), ('other', 'Somebody Else', 'other@mail.example')`)
	path := prefix + "/clients/kadek%2F7%20%C3%A9/erase"
	one := func(sql string) (text string) {
		t.Helper()
		if err := a.pool.QueryRow(t.Context(), sql).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	names := func() string {
		t.Helper()
		return one(`SELECT string_agg(coalesce(name, '-') || ' ' || coalesce(email, '-'), ', ' ORDER BY id) FROM crm.clients`)
	}
	const whole, erased = "Kadek Surya kadek@mail.example, Somebody Else other@mail.example", "- -, Somebody Else other@mail.example"

	r := a.send("POST", path, `{"dry_run": true}`)
	if r.status != http.StatusOK || r.field(t, "dry_run") != true || r.field(t, "ended_at") != nil || names() != whole {
		t.Errorf("a dry run: %d %s; %s", r.status, r.body, names())
	}
	for range 2 {
		r = a.send("POST", path, "")
		if r.status != http.StatusOK || r.field(t, "client_id") != "kadek/7 é" || r.field(t, "payments") != false || names() != erased {
			t.Errorf("erased: %d %s; %s", r.status, r.body, names())
		}
	}
	if got := one(`SELECT string_agg(token || ' ' || status, ', ') FROM ciclo.audit_log WHERE path LIKE '%/erase'`); got != "CICLO_TOKEN 200, CICLO_TOKEN 200, CICLO_TOKEN 200" {
		t.Errorf("the audit log says %s", got)
	}
	for name, c := range map[string]struct {
		path, body string
		status     int
	}{
		"nobody":                  {prefix + "/clients/nobody/erase", "", http.StatusNotFound},
		"nobody, counted":         {prefix + "/clients/nobody/erase", `{"dry_run": true}`, http.StatusNotFound},
		"an id that can't be":     {prefix + "/clients/%00/erase", "", http.StatusNotFound},
		"no JSON":                 {path, `{`, http.StatusBadRequest},
		"an unknown field":        {path, `{"everything": true}`, http.StatusUnprocessableEntity},
		"a field of another type": {path, `{"payments": "yes"}`, http.StatusUnprocessableEntity},
		"a parameter":             {path + "?dry_run=true", "", http.StatusUnprocessableEntity},
	} {
		if r := a.send("POST", c.path, c.body); r.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, r.status, r.body, c.status)
		}
	}
}
