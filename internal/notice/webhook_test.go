package notice

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	executionID = "value_1"
	example     = Notice{
		ID: "0a9e5b4c-0000-4000-8000-000000000001", Kind: "failed", Agent: "client-value-predictor", ExecutionID: &executionID,
		Subject: "it failed: größer", Text: "Execution value_1 failed.\n\nWhat to do:\n- `ciclo status value_1`", At: time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC),
	}
)

func TestAWebhookIsPosted(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	w, err := newWebhook(strings.Replace(server.URL, "//", "//user:"+secret+"@", 1) + "/hook?key=1")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send(t.Context(), example); err != nil {
		t.Fatal(err)
	}
	user, password, _ := got.BasicAuth()
	seen := []string{got.Method, got.URL.String(), got.Header.Get("webhook-id"), got.Header.Get("Content-Type"), user, password}
	if diff := cmp.Diff([]string{"POST", "/hook?key=1", example.ID, "application/json", "user", secret}, seen); diff != "" {
		t.Error(diff)
	}
	var fields map[string]any
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	want := map[string]any{
		"id": example.ID, "kind": "failed", "agent": example.Agent, "execution_id": executionID,
		"subject": example.Subject, "text": example.Text, "at": "2026-11-01T06:00:00Z",
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
}

func TestAWebhookThatDoesNotTakeIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		says    string
	}{
		"an error":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "500"},
		"no such":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "404"},
		"elsewhere":      {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "302"},
		"hangs":          {func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body); <-r.Context().Done() }, "deadline"},
		"closes":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"no HTTP":        {speak("* what?\r\n"), "malformed"},
		"half an answer": {speak("HTTP/1.1 200"), "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.handler)
			defer server.Close()
			w, err := newWebhook(strings.Replace(server.URL, "//", "//user:"+secret+"@", 1) + "/" + secret)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err = w.Send(ctx, example)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), strings.TrimPrefix(server.URL, "http://")) {
				t.Errorf("the error is %v, want something of %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

// speak answers with the bytes given and closes the connection.
func speak(bytes string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, bytes)
		conn.Close()
	}
}

func TestAWebhookThatIsNotThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	w, err := newWebhook(server.URL + "/" + secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send(t.Context(), example); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("the error is %v", err)
	}
}
