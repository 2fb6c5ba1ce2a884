package outside

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func TestTheOperatorIsToldOfAPause(t *testing.T) {
	t.Parallel()
	type notice struct {
		ID, Kind, Agent, Subject, Text string
		Header                         http.Header `json:"-"`
	}
	posted := make(chan notice, 10)
	var refused atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := notice{Header: r.Header}
		if err := json.Unmarshal(body, &n); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		posted <- n
		if !refused.Swap(true) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	// By files, one of them empty, as in containers.
	webhook, smtp := filepath.Join(t.TempDir(), "webhook"), filepath.Join(t.TempDir(), "smtp")
	if err := errors.Join(os.WriteFile(webhook, []byte(server.URL+"\n"), 0o600), os.WriteFile(smtp, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s := newSystem(t, testdatabase.New(t), "CICLO_NOTICE_WEBHOOK_FILE="+webhook, "CICLO_NOTICE_SMTP_FILE="+smtp, "CICLO_NOTICE_TO=")
	start(t, "", "test/orchestrator", append(s.env[:len(s.env):len(s.env)], "CICLO_LISTEN="+freePort(t))) // a second one
	_, said, code := run(t, t.TempDir(), "ciclo", append([]string{"CICLO_URL=" + s.api.URL}, s.env...), "pause", "test-noop", "--reason", "an audit")
	if code != 0 {
		t.Fatalf("ciclo pause: exit code %d, %s", code, said)
	}
	var first notice
	for try := range 2 { // the first is refused
		select {
		case n := <-posted:
			if n.Kind != "paused" || n.Agent != "test-noop" || n.Subject != "test-noop is paused by hand" ||
				!strings.Contains(n.Text, ": an audit\n") || !strings.Contains(n.Text, "`ciclo resume test-noop`") || n.ID != n.Header.Get("webhook-id") {
				t.Errorf("post %d: %+v", try+1, n)
			}
			if try == 0 {
				first = n
			} else if n.ID != first.ID {
				t.Errorf("the repetition has another id: %s, %s", first.ID, n.ID)
			}
		case <-time.After(40 * time.Second):
			t.Fatalf("no post number %d", try+1)
		}
	}
	select {
	case n := <-posted:
		t.Errorf("told once more: %+v", n)
	case <-time.After(7 * time.Second): // both have looked again
	}
}

func TestBadNoticeSettingsAreRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-of-nobody"
	env := []string{"DATABASE_URL=postgres://nobody@127.0.0.1:1/x", "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + freePort(t)}
	for variable, settings := range map[string][]string{
		"CICLO_NOTICE_WEBHOOK": {"CICLO_NOTICE_WEBHOOK=user:" + secret + "@host"},
		"CICLO_NOTICE_SMTP":    {"CICLO_NOTICE_SMTP=smtp://user:" + secret + "#@host", "CICLO_NOTICE_FROM=a@b.example", "CICLO_NOTICE_TO=a@b.example"},
		"CICLO_NOTICE_TO":      {"CICLO_NOTICE_SMTP=smtp://user:" + secret + "@host", "CICLO_NOTICE_FROM=a@b.example"},
	} {
		out, said, code := run(t, "", "test/orchestrator", append(env[:len(env):len(env)], settings...))
		if code != service.ExitConfig || !strings.Contains(said, variable) || strings.Contains(out+said, secret) {
			t.Errorf("%s: exit code %d, %s%s", variable, code, out, said)
		}
	}
}
