package outside

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collected is a span as a collector got it.
type collected struct {
	service, name, trace, id, parent string
	attributes                       map[string]string
	links                            []linked
	failed                           bool
	raw                              *v1.Span
}

type linked struct{ trace, span, why string }

// otlp is a played collector that speaks OTLP over HTTP.
type otlp struct {
	url      string
	requests atomic.Int64

	mu    sync.Mutex
	spans []collected
	bytes []byte // of all that came
}

// newOTLP starts a collector that keeps what it gets, unless answer answers.
func newOTLP(t *testing.T, answer http.HandlerFunc) *otlp {
	t.Helper()
	c := &otlp{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		if answer != nil {
			answer(w, r)
			return
		}
		if err := c.take(r); err != nil {
			t.Errorf("what came is not OTLP: %v", err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf") // an empty answer is one that took all
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *otlp) take(r *http.Request) error {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return err
		}
		body = unzipped
	}
	all, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var export collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(all, &export); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes = append(c.bytes, all...)
	for _, resource := range export.ResourceSpans {
		service := ""
		for _, a := range resource.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				one := collected{
					service: service, name: s.Name, trace: hex.EncodeToString(s.TraceId), id: hex.EncodeToString(s.SpanId), parent: hex.EncodeToString(s.ParentSpanId),
					attributes: map[string]string{}, failed: s.Status.GetCode() == v1.Status_STATUS_CODE_ERROR, raw: s,
				}
				for _, a := range s.Attributes {
					one.attributes[a.Key] = strings.Trim(a.Value.String()[strings.Index(a.Value.String(), ":")+1:], `"`)
				}
				for _, l := range s.Links {
					link := linked{trace: hex.EncodeToString(l.TraceId), span: hex.EncodeToString(l.SpanId)}
					for _, a := range l.Attributes {
						link.why = a.Value.GetStringValue()
					}
					one.links = append(one.links, link)
				}
				c.spans = append(c.spans, one)
			}
		}
	}
	return nil
}

// of are the spans of a trace, by their names; several of one name are in the order
// in which they came.
func (c *otlp) of(trace string) map[string][]collected {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string][]collected{}
	for _, s := range c.spans {
		if s.trace == trace {
			found[s.name] = append(found[s.name], s)
		}
	}
	return found
}

func (c *otlp) contains(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Contains(string(c.bytes), text)
}
