package orchestrator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestWebhooks(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	hook := prefix + "/webhooks"
	created := a.send("POST", hook, `{"url": "https://user:pass@firm.example/hook?key=1", "agents": ["test-noop"]}`)
	id, _ := created.field(t, "webhook", "webhook_id").(string)
	if created.status != http.StatusCreated || created.header.Get("Location") != hook+"/"+id+"/deliveries" || !strings.HasPrefix(created.field(t, "secret").(string), "whsec_") ||
		fmt.Sprint(created.field(t, "webhook", "statuses")) != "[completed failed cancelled]" || created.field(t, "webhook", "created_by") != "CICLO_TOKEN" {
		t.Errorf("%d %v %s", created.status, created.header, created.body)
	}
	if r := a.send("GET", hook, ""); r.status != http.StatusOK || !strings.Contains(string(r.body), id) || strings.Contains(string(r.body), "whsec_") {
		t.Errorf("%d %s", r.status, r.body)
	}
	for range 3 {
		a.send("POST", prefix+"/executions/"+a.run("test-noop", "")+"/cancel", "")
	}
	a.send("POST", prefix+"/executions/"+a.run("test-slow", "")+"/cancel", "") // not asked for
	seen := 0
	for cursor := ""; ; {
		r := a.send("GET", hook+"/"+id+"/deliveries?limit=2"+cursor, "")
		list, _ := r.field(t, "deliveries").([]any)
		for _, one := range list {
			d, _ := one.(map[string]any)
			if d["status"] != "cancelled" || d["state"] != "waiting" || d["agent_name"] != "test-noop" {
				t.Errorf("a delivery is %v", d)
			}
			if r := a.send("POST", fmt.Sprintf("%s/%s/deliveries/%.0f/retry", hook, id, d["delivery_id"]), ""); r.status != http.StatusAccepted {
				t.Errorf("sent again: %d %s", r.status, r.body)
			}
			seen++
		}
		next, _ := r.field(t, "next_cursor").(string)
		if next == "" {
			break
		}
		cursor = "&cursor=" + next
	}
	if seen != 3 {
		t.Errorf("the pages have %d deliveries", seen)
	}
	if r := a.send("DELETE", hook+"/"+id, ""); r.status != http.StatusOK {
		t.Errorf("ended: %d %s", r.status, r.body)
	}
	for path, status := range map[string]int{
		"DELETE " + hook + "/" + id:                           http.StatusNotFound,
		"DELETE " + hook + "/x":                               http.StatusNotFound,
		"GET " + hook + "/x/deliveries":                       http.StatusNotFound,
		"GET " + hook + "/" + id + "/deliveries":              http.StatusOK,
		"GET " + hook + "/" + id + "/deliveries?limit=0":      http.StatusUnprocessableEntity,
		"GET " + hook + "/" + id + "/deliveries?cursor=-1":    http.StatusUnprocessableEntity,
		"GET " + hook + "/" + id + "/deliveries?page=1":       http.StatusUnprocessableEntity,
		"POST " + hook + "/" + id + "/deliveries/x/retry":     http.StatusNotFound,
		"POST " + hook + "/" + id + "/deliveries/99999/retry": http.StatusNotFound,
	} {
		method, path, _ := strings.Cut(path, " ")
		if r := a.send(method, path, ""); r.status != status {
			t.Errorf("%s %s: %d %s", method, path, r.status, r.body)
		}
	}
	for body, field := range map[string]string{
		`{}`:                   "url",
		`{"url": "ftp://x"}`:   "url",
		`{"url": "https://"}`:  "url",
		`{"url": "not a url"}`: "url",
		`{"url": "https://x/` + strings.Repeat("x", 2000) + `"}`:                  "url",
		`{"url": "https://x", "agents": ["nobody"]}`:                              "agents",
		`{"url": "https://x", "statuses": ["done"]}`:                              "statuses",
		`{"url": "https://x", "description": "` + strings.Repeat("x", 201) + `"}`: "description",
		`{"url": "https://x", "secret": "mine"}`:                                  "unknown field",
		`{"url": 1}`:                                                              "url",
		`[]`:                                                                      "object",
		"{\"url\": \"https://x/\\u0000\"}":                                        "url",
	} {
		if r := a.send("POST", hook, body); r.status != http.StatusUnprocessableEntity || !strings.Contains(string(r.body), field) {
			t.Errorf("%.80s: %d %s", body, r.status, r.body)
		}
	}
	if r := a.send("POST", hook, `{`); r.status != http.StatusBadRequest {
		t.Errorf("no JSON: %d %s", r.status, r.body)
	}
}
