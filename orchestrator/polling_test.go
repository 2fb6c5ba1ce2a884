package orchestrator_test

import (
	"net/http"
	"testing"
)

func TestPollingIsCheapAndWaits(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	first, second := prefix+"/executions/"+a.run("test-noop", ""), prefix+"/executions/"+a.run("test-noop", "")
	got := a.send("GET", first, "")
	etag := got.header.Get("ETag")
	if etag == "" || got.header.Get("Retry-After") != "2" || got.field(t, "queue_position") != 1. || got.field(t, "eta_at") != nil {
		t.Errorf("polled as %v %s", got.header, got.body)
	}
	if behind := a.send("GET", second, ""); behind.field(t, "queue_position") != 2. {
		t.Errorf("the second one is %s", behind.body)
	}
	for _, query := range []string{"", "?wait=0s", "?wait=150ms"} {
		if same := a.send("GET", first+query, "", "If-None-Match", etag); same.status != http.StatusNotModified || len(same.body) != 0 || same.header.Get("ETag") != etag {
			t.Errorf("%q of what has not changed: %d %v %s", query, same.status, same.header, same.body)
		}
	}
	if same := a.send("GET", first+"?wait=150ms", ""); same.status != http.StatusOK || same.field(t, "status") != "started" {
		t.Errorf("waited for nothing: %d %s", same.status, same.body)
	}
	for name, header := range map[string]string{"another tag": `W/"1"`, "a strong tag": `"1"`, "no tag": "x", "two tags": etag + ", " + etag, "any": "*"} {
		if r := a.send("GET", first, "", "If-None-Match", header); r.status != http.StatusOK {
			t.Errorf("%s: %d", name, r.status)
		}
	}

	// Those who wait are answered at the change: at the end of their time it would
	// have been 304, and started.
	answers := make(chan answer, 2)
	go func() { answers <- a.send("GET", first+"?wait=60s", "", "If-None-Match", etag) }()
	go func() { answers <- a.send("GET", first+"?wait=60s", "") }()
	a.send("POST", first+"/cancel", "")
	for range cap(answers) {
		if r := <-answers; r.status != http.StatusOK || r.field(t, "status") != "cancelled" || r.header.Get("Retry-After") != "" || r.header.Get("ETag") == etag {
			t.Errorf("waited for the change: %d %v %s", r.status, r.header, r.body)
		}
	}
	// What is final is answered at once.
	if r := a.send("GET", first+"?wait=60s", ""); r.status != http.StatusOK || r.field(t, "queue_position") != nil {
		t.Errorf("of a final one: %d %s", r.status, r.body)
	}
	if r := a.send("GET", prefix+"/executions/noop_nobody?wait=60s", "", "If-None-Match", etag); r.status != http.StatusNotFound {
		t.Errorf("of nobody's: %d", r.status)
	}
	for _, query := range []string{"wait=", "wait=2m", "wait=-1s", "wait=soon", "wait=1s&wait=2s", "hold=1s"} {
		if r := a.send("GET", second+"?"+query, ""); r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
}
