package orchestrator_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// livestream is what a listener is answered.
type livestream struct {
	status int
	media  string
	body   io.Reader
}

// listen opens a page's stream of live parts, which ends with the test.
func (v *visitor) listen(path string) livestream {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.base+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = resp.Body.Close() }) // it is cut off
	return livestream{resp.StatusCode, resp.Header.Get("Content-Type"), resp.Body}
}

// A page's parts come as they are, and again when they change; no page, no stream.
func TestLiveParts(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	v := a.visit().as(a.newToken("analyst", "read"))
	live := v.listen("/")
	if live.status != http.StatusOK || live.media != "text/event-stream" {
		t.Fatalf("the stream: %d %s", live.status, live.media)
	}
	parts := make(chan map[string]string, 1000) // more than come
	go func() {
		defer close(parts)
		for lines := bufio.NewScanner(live.body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var part map[string]string
				if json.Unmarshal([]byte(data), &part) == nil {
					parts <- part
				}
			}
		}
	}()
	await := func(id, text string) {
		t.Helper()
		for timeout := time.After(30 * time.Second); ; {
			select {
			case part, open := <-parts:
				if !open {
					t.Fatalf("the stream ended before %q", text)
				}
				if part["id"] == id && strings.Contains(part["html"], text) {
					return
				}
			case <-timeout:
				t.Fatalf("%s never says %q", id, text)
			}
		}
	}
	await("agents", "never")
	if _, err := a.pool.Exec(t.Context(), `INSERT INTO ciclo.pauses (agent, kind, reason) VALUES ('test-noop', 'hand', 'the ledger is mended')`); err != nil {
		t.Fatal(err)
	}
	await("agents", "the ledger is mended")

	for path, want := range map[string]int{"/executions/noop_nobody": http.StatusNotFound, "/executions?status=x": http.StatusUnprocessableEntity, "/audit": http.StatusNoContent} {
		if got := v.listen(path); got.status != want {
			t.Errorf("a stream of %s: %d, want %d", path, got.status, want)
		}
	}
	if got := v.another().listen("/"); got.status != http.StatusNoContent {
		t.Errorf("a stranger listens: %d", got.status)
	}
	for range 19 {
		v.listen("/")
	}
	if got := v.listen("/"); got.status != http.StatusServiceUnavailable {
		t.Errorf("one token has more than twenty streams: %d", got.status)
	}
	if got := v.another().as(token).listen("/"); got.status != http.StatusOK {
		t.Errorf("another token may not listen beside them: %d", got.status)
	}
}
