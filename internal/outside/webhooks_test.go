package outside

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// receiver is a webhook's other side. It checks signatures as the standard's own
// library does, and misbehaves at first.
type receiver struct {
	*httptest.Server
	t  *testing.T
	mu sync.Mutex
	// verify is nil until the secret is known.
	verify *standardwebhooks.Webhook
	behave []http.HandlerFunc // the first answers, one each
	// took are the moves that it answered 200, by webhook-id, and posts how often each came.
	took  map[string]string
	posts map[string]int
}

func newReceiver(t *testing.T, behave ...http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{t: t, behave: behave, took: map[string]string{}, posts: map[string]int{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var event struct {
		Type string
		Data struct {
			ID         string `json:"execution_id"`
			Transition client.Transition
		}
	}
	r.mu.Lock()
	id := req.Header.Get("webhook-id")
	r.posts[id]++
	err = errors.Join(err, r.verify.Verify(body, req.Header), json.Unmarshal(body, &event))
	var behave http.HandlerFunc
	if len(r.behave) > 0 {
		behave, r.behave = r.behave[0], r.behave[1:]
	} else {
		r.took[id] = event.Data.ID + " " + event.Type
	}
	r.mu.Unlock()
	if err != nil || event.Type != "execution."+event.Data.Transition.To {
		r.t.Errorf("posted was %s: %v", body, err)
	}
	if behave != nil {
		behave(w, req)
	}
}

func (r *receiver) taken() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	moves := map[string]int{}
	for _, move := range r.took {
		moves[move]++
	}
	return moves
}

func (s *system) subscribe(r *receiver, statuses ...string) client.Webhook {
	s.t.Helper()
	created, err := s.api.CreateWebhook(s.t.Context(), client.WebhookRequest{URL: r.URL, Statuses: statuses})
	if err != nil {
		s.t.Fatal(err)
	}
	verify, err := standardwebhooks.NewWebhook(created.Secret)
	if err != nil {
		s.t.Fatal(err)
	}
	r.mu.Lock()
	r.verify = verify
	r.mu.Unlock()
	return created.Webhook
}

// Every move arrives, signed, whatever the receiver answers at first, and though
// the orchestrator that sends is killed: in another one's hands.
func TestWebhooksAreToldOfEveryMove(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t))
	s.worker()
	second := start(t, "", "test/orchestrator", append(s.env[:len(s.env):len(s.env)], "CICLO_LISTEN="+freePort(t)))
	good := newReceiver(t,
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
	)
	hangs := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	all := s.subscribe(good, "started", "running", "completed", "failed", "cancelled")
	s.subscribe(hangs)
	want := map[string]int{}
	for range 20 {
		id := s.run("test-noop", nil)
		for _, status := range []string{"started", "running", "completed"} {
			want[id+" execution."+status] = 1
		}
	}
	second.signal(syscall.SIGKILL)
	eventually(t, 90*time.Second, "every move was taken, and each once", func() bool {
		got := good.taken()
		for move, n := range want {
			if got[move] != n {
				return false
			}
		}
		return len(got) == len(want)
	})
	eventually(t, 10*time.Second, "all is written down as delivered", func() bool {
		list, err := s.api.Deliveries(t.Context(), all.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list.Deliveries {
			if d.State != "delivered" || d.Answer == nil || *d.Answer != http.StatusOK {
				return false
			}
		}
		return len(list.Deliveries) == 50 && list.NextCursor != nil
	})
}

// 410 Gone ends a webhook: nothing more is sent.
func TestAWebhookWhoseReceiverIsGone(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t))
	s.worker()
	gone := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	id := s.subscribe(gone).ID
	s.run("test-noop", nil)
	eventually(t, 30*time.Second, "the webhook has ended", func() bool {
		list, err := s.api.Webhooks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == 1 && list[0].ID == id && list[0].EndedReason != nil && *list[0].EndedReason == "its receiver answered 410 Gone"
	})
	// By the command line: another one is made, shown and ended.
	env := append([]string{"CICLO_URL=" + s.api.URL}, s.env...)
	out, said, code := run(t, t.TempDir(), "ciclo", env, "webhooks", "create", "https://firm.example/hook", "--agent", "test-noop", "--json")
	var created client.CreatedWebhook
	if err := json.Unmarshal([]byte(out), &created); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, said)
	}
	for _, args := range [][]string{{"list"}, {"deliveries", created.Webhook.ID}, {"end", created.Webhook.ID}} {
		if out, said, code := run(t, t.TempDir(), "ciclo", env, append([]string{"webhooks"}, args...)...); code != 0 {
			t.Errorf("%v: exit code %d: %s%s", args, code, out, said)
		}
	}
	if _, _, code := run(t, t.TempDir(), "ciclo", env, "webhooks", "create", "nowhere"); code != 2 {
		t.Errorf("a bad URL: exit code %d", code)
	}
}
