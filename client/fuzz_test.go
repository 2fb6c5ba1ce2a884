package client

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answering is a server that always answers with the same.
type answering struct {
	status int
	body   []byte
}

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(a.body))}, nil
}

// FuzzEventStream tells of what a stream holds, whole events only.
func FuzzEventStream(f *testing.F) {
	for _, seed := range []string{
		"id: 1.0.0\nevent: transition\ndata: {\"to\": \"completed\"}\n\n", ": nothing new\n\n", "event: step\n: nothing new\ndata: 1\n\n", "id\nevent\ndata\n\n", "event: step\r\ndata: {}\r\n\r\n", "event: progress\ndata: {", "\n\n\n", "data: 1\ndata: 2\nevent: x\n\n",
	} {
		f.Add([]byte(seed), "1.0.0")
	}
	f.Fuzz(func(t *testing.T, body []byte, plain string) {
		told := readStream(t, body)
		if ends := bytes.Count(body, []byte("\n\n")) + bytes.Count(body, []byte("\n\r\n")) + 1; len(told) > ends {
			t.Errorf("%q tells of %d events and has %d", body, len(told), ends)
		}
		for _, e := range told {
			if e.Kind == "" || strings.ContainsAny(e.ID+e.Kind+string(e.Data), "\n") {
				t.Errorf("%q tells of %+v", body, e)
			}
		}
		if plain == "" || strings.ContainsAny(plain, "\r\n") {
			return
		}
		whole := "id: " + plain + "\n: nothing new\nevent: step\ndata: " + plain + "\n\n"
		if told := readStream(t, []byte(whole+whole)); len(told) != 2 || told[1].ID != plain || told[1].Kind != "step" || string(told[1].Data) != plain {
			t.Errorf("%q tells of %+v", whole, told)
		}
	})
}

func readStream(t *testing.T, body []byte) []Event {
	t.Helper()
	var told []Event
	var last string
	c := &Client{URL: "http://x", HTTP: &http.Client{Transport: answering{http.StatusOK, body}}}
	final, err := c.stream(t.Context(), "x", &last, func(e Event) error {
		told = append(told, e)
		return nil
	})
	switch {
	case err != nil:
		t.Errorf("%q: %v", body, err)
	case final && (len(told) == 0 || !told[len(told)-1].Final()):
		t.Errorf("%q ends without a final event", body)
	case len(told) > 0 && last != told[len(told)-1].ID:
		t.Errorf("%q is taken up after %q", body, last)
	}
	return told
}

// FuzzProblem makes a problem of any refusal, with the status that it came with.
func FuzzProblem(f *testing.F) {
	for _, seed := range []string{"", `{"title": "No", "status": 200, "errors": [{"field": "a", "detail": "b"}]}`, "<html>", `{"status": "x"}`, "null", "[]", `{"title": 1, "detail": "x"}`, `{"title": ""}`} {
		f.Add([]byte(seed), uint8(22))
	}
	f.Fuzz(func(t *testing.T, body []byte, code uint8) {
		status := http.StatusBadRequest + int(code)%200
		c := &Client{URL: "http://x", HTTP: &http.Client{Transport: answering{status, body}}}
		_, err := c.Get(t.Context(), "x")
		var p *Problem
		if !errors.As(err, &p) || p.Status != status || p.Error() == "" {
			t.Fatalf("%d %q is %v", status, body, err)
		}
		if Temporary(err) != (status == http.StatusTooManyRequests || status >= http.StatusInternalServerError) {
			t.Errorf("%d %q is temporary: %t", status, body, Temporary(err))
		}
	})
}
