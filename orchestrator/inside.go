package orchestrator

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// inside carries the dashboard's calls of the API to its handler, in this process,
// as somebody who may do what the grant says. So the pages show, change and log just
// what the API does.
type inside struct {
	handler http.Handler
	grant   grant
}

// insideKey is where a call's context holds its grant: nothing from outside can set it.
type insideKey struct{}

func insideGrant(ctx context.Context) (grant, bool) {
	g, ok := ctx.Value(insideKey{}).(grant)
	return g, ok
}

// RoundTrip implements http.RoundTripper.
func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	request := r.Clone(context.WithValue(ctx, insideKey{}, i.grant))
	request.RequestURI, request.RemoteAddr = r.URL.RequestURI(), "inside"
	if request.Body == nil {
		request.Body = http.NoBody
	}
	answer := &insideAnswer{header: http.Header{}, status: http.StatusOK}
	i.handler.ServeHTTP(answer, request)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: answer.status, Status: http.StatusText(answer.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: answer.header, Body: io.NopCloser(&answer.body), ContentLength: int64(answer.body.Len()), Request: r,
	}, nil
}

// insideAnswer is an answer that is kept whole.
type insideAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *insideAnswer) Header() http.Header                  { return a.header }
func (a *insideAnswer) WriteHeader(status int)               { a.status = status }
func (a *insideAnswer) Write(text []byte) (n int, err error) { return a.body.Write(text) }
