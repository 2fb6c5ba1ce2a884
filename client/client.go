// Package client is the Go client of Ciclo's API: what the command line and the
// outside tests use, and any other program may. It imports the standard library
// alone.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const prefix = "/api/autonomous-agents"

// Client talks to one orchestrator, or to several behind one address.
type Client struct {
	// URL is the orchestrator's address, such as http://127.0.0.1:8080.
	URL   string
	Token string
	// HTTP is the client to use; nil means one with a timeout of 30 s a request.
	HTTP *http.Client
}

// Problem is the API's answer to what it refuses (RFC 9457).
type Problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Fields []ProblemField `json:"errors"`
}

// ProblemField is what is wrong with one field.
type ProblemField struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

func (p *Problem) Error() string {
	text := fmt.Sprintf("%s (%d)", p.Title, p.Status)
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	for _, f := range p.Fields {
		text += "\n  " + strings.TrimPrefix(f.Field+": ", ": ") + f.Detail
	}
	return text
}

// Temporary reports whether the error may pass by itself: no connection, an
// answer cut short, 429, or a server that is not ready.
func Temporary(err error) bool {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status == http.StatusTooManyRequests || p.Status >= http.StatusInternalServerError
	}
	var u *url.Error
	return errors.As(err, &u) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Run asks for an execution; parameters is a JSON object or nil.
func (c *Client) Run(ctx context.Context, agent string, parameters any) (Execution, error) {
	return c.RunOnce(ctx, "", agent, parameters)
}

// RunOnce asks for an execution under a key: asked again with the same key and
// parameters, after an answer that was lost, it is the same execution.
func (c *Client) RunOnce(ctx context.Context, key, agent string, parameters any) (Execution, error) {
	return c.run(ctx, key, agent, nil, parameters)
}

// RunQuery asks for an execution with its parameters as text, which the
// orchestrator reads by the types in the agent's schema; the key is RunOnce's.
func (c *Client) RunQuery(ctx context.Context, key, agent string, parameters url.Values) (Execution, error) {
	return c.run(ctx, key, agent, parameters, nil)
}

// DryRun asks for a run that computes and shows, but writes and sends nothing; the
// rest is RunOnce's. With RunQuery the parameter dry_run=true does it.
func (c *Client) DryRun(ctx context.Context, key, agent string, parameters any) (Execution, error) {
	return c.run(ctx, key, agent, url.Values{"dry_run": {"true"}}, parameters)
}

func (c *Client) run(ctx context.Context, key, agent string, query url.Values, body any) (Execution, error) {
	return c.once(ctx, key, c.target("/"+url.PathEscape(agent)+"/run", query), body)
}

// once asks for an execution at an address, under a key where there is one.
func (c *Client) once(ctx context.Context, key, target string, body any) (Execution, error) {
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	var e Execution
	err := c.send(ctx, http.MethodPost, target, header, body, &e)
	return e, err
}

// Get returns an execution with its transitions.
func (c *Client) Get(ctx context.Context, id string) (Execution, error) {
	return answer[Execution](ctx, c, http.MethodGet, "/executions/"+url.PathEscape(id), nil, nil)
}

// Cancel asks for an execution's end.
func (c *Client) Cancel(ctx context.Context, id string) (Execution, error) {
	return answer[Execution](ctx, c, http.MethodPost, "/executions/"+url.PathEscape(id)+"/cancel", nil, nil)
}

// Retry asks for another try of an execution that has ended. It takes over the
// finished steps before fromStep, or, where that is empty and resume is true, all.
func (c *Client) Retry(ctx context.Context, id, fromStep string, resume bool) (Execution, error) {
	return c.RetryOnce(ctx, "", id, fromStep, resume)
}

// RetryOnce is Retry under a key, as RunOnce is Run: asked again it is the same retry.
func (c *Client) RetryOnce(ctx context.Context, key, id, fromStep string, resume bool) (Execution, error) {
	return c.once(ctx, key, c.target("/executions/"+url.PathEscape(id)+"/retry", nil), map[string]any{"from_step": fromStep, "resume": resume})
}

// Pause pauses an agent for everyone, or all of them by "all".
func (c *Client) Pause(ctx context.Context, agent, reason string) error {
	return c.call(ctx, http.MethodPost, "/"+url.PathEscape(agent)+"/pause", nil, map[string]string{"reason": reason}, nil)
}

// Resume ends an agent's pause.
func (c *Client) Resume(ctx context.Context, agent string) error {
	return c.call(ctx, http.MethodPost, "/"+url.PathEscape(agent)+"/resume", nil, nil, nil)
}

// Audit checks the system's invariants.
func (c *Client) Audit(ctx context.Context) (Audit, error) {
	return answer[Audit](ctx, c, http.MethodGet, "/audit", nil, nil)
}

// Changes lists a page of the audit log, newest first; query as the API says.
func (c *Client) Changes(ctx context.Context, query url.Values) (ChangePage, error) {
	return answer[ChangePage](ctx, c, http.MethodGet, "/changes", query, nil)
}

// Effects lists what an execution did to the outside world.
func (c *Client) Effects(ctx context.Context, id string) ([]Effect, error) {
	all, err := answer[struct{ Effects []Effect }](ctx, c, http.MethodGet, "/executions/"+url.PathEscape(id)+"/effects", nil, nil)
	return all.Effects, err
}

// Steps lists an execution's finished steps.
func (c *Client) Steps(ctx context.Context, id string) ([]Step, error) {
	all, err := answer[struct{ Steps []Step }](ctx, c, http.MethodGet, "/executions/"+url.PathEscape(id)+"/steps", nil, nil)
	return all.Steps, err
}

// Workers lists the worker processes whose sessions have not ended.
func (c *Client) Workers(ctx context.Context) ([]Worker, error) {
	all, err := answer[struct{ Workers []Worker }](ctx, c, http.MethodGet, "/workers", nil, nil)
	return all.Workers, err
}

// DrainPlan says what stopping a worker now would lose.
func (c *Client) DrainPlan(ctx context.Context, worker string) (DrainPlan, error) {
	return answer[DrainPlan](ctx, c, http.MethodGet, "/workers/"+url.PathEscape(worker)+"/drain-plan", nil, nil)
}

// Drain asks a worker to stop.
func (c *Client) Drain(ctx context.Context, worker string) error {
	return c.call(ctx, http.MethodPost, "/workers/"+url.PathEscape(worker)+"/drain", nil, nil, nil)
}

// List returns a page of executions, newest first. The query is the API's:
// agent, status, since, until, cursor, limit.
func (c *Client) List(ctx context.Context, query url.Values) (Page, error) {
	return answer[Page](ctx, c, http.MethodGet, "/executions", query, nil)
}

// Status returns how the whole system stands.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return answer[Status](ctx, c, http.MethodGet, "/status", nil, nil)
}

// Ready returns nil when the orchestrator has its database and schema.
func (c *Client) Ready(ctx context.Context) error {
	return c.send(ctx, http.MethodGet, c.base()+"/readyz", http.Header{}, nil, nil)
}

// Metrics writes the orchestrator's metrics into w, as text for Prometheus.
func (c *Client) Metrics(ctx context.Context, w io.Writer) error {
	return c.copyOf(ctx, c.base()+"/metrics", w)
}

// Health returns nil when an orchestrator's process answers, whatever becomes of
// its database.
func (c *Client) Health(ctx context.Context) error {
	var health struct{ Status string }
	if err := c.send(ctx, http.MethodGet, c.base()+"/healthz", http.Header{}, nil, &health); err != nil {
		return err
	}
	if health.Status != "ok" {
		return fmt.Errorf("the answer of %s/healthz is not one of Ciclo's: is this its address?", c.base())
	}
	return nil
}

// waitStep is how long one poll of Wait waits for a change; less than the
// timeouts of proxies and of the default client.
const waitStep = 20 * time.Second

// Wait polls an execution until it is final, calling seen with each answer that
// differs in status, attempt or progress. Each poll waits for the next change.
// Errors that may pass are waited out until ctx is done.
func (c *Client) Wait(ctx context.Context, id string, seen func(Execution)) (Execution, error) {
	var e Execution
	var last, etag string
	plain := c.target("/executions/"+url.PathEscape(id), nil)
	waiting := c.target("/executions/"+url.PathEscape(id), url.Values{"wait": {waitStep.String()}})
	for {
		path := plain // the first one is answered at once
		header := http.Header{}
		if etag != "" {
			path = waiting
			header.Set("If-None-Match", etag)
		}
		pause := time.Second
		var next Execution
		got, err := c.exchange(ctx, http.MethodGet, path, header, nil, &next)
		switch {
		case errors.Is(err, errNotModified):
			continue
		case err == nil:
			e, etag = next, got.Get("ETag")
			if now := fmt.Sprint(e.Status, e.Attempt, e.Progress); now != last && seen != nil {
				seen(e)
				last = now
			}
			if e.Final() {
				return e, nil
			}
			if etag != "" { // changes that come fast are seen together
				pause = 200 * time.Millisecond
			}
		case !Temporary(err) || ctx.Err() != nil:
			return e, err
		}
		select {
		case <-ctx.Done():
			return e, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// answer calls and reads the answer.
func answer[T any](ctx context.Context, c *Client, method, path string, query url.Values, body any) (T, error) {
	var into T
	err := c.call(ctx, method, path, query, body, &into)
	return into, err
}

func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	return c.send(ctx, method, c.target(path, query), http.Header{}, body, into)
}

// target is the URL of a path of the API.
func (c *Client) target(path string, query url.Values) string {
	if len(query) == 0 {
		return c.base() + prefix + path
	}
	return c.base() + prefix + path + "?" + query.Encode()
}

func (c *Client) base() string { return strings.TrimRight(c.URL, "/") }

func (c *Client) send(ctx context.Context, method, target string, header http.Header, body, into any) error {
	_, err := c.exchange(ctx, method, target, header, body, into)
	return err
}

// errNotModified is the answer to If-None-Match where nothing has changed.
var errNotModified = errors.New("not modified")

// exchange sends a request and reads the answer, whose header it returns.
func (c *Client) exchange(ctx context.Context, method, target string, header http.Header, body, into any) (http.Header, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header = header
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.httpClient().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= http.StatusBadRequest:
		return nil, readProblem(resp)
	case resp.StatusCode == http.StatusNotModified:
		return resp.Header, errNotModified
	case into == nil:
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.Header, err
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return nil, fmt.Errorf("read the answer of %s %s: %w", method, target, err)
	}
	return resp.Header, nil
}

var defaultHTTP = &http.Client{Timeout: 30 * time.Second}

func (c *Client) httpClient() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return defaultHTTP
}

func readProblem(resp *http.Response) error {
	p := &Problem{Status: resp.StatusCode, Title: http.StatusText(resp.StatusCode)}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return errors.Join(p, err)
	}
	if json.Unmarshal(text, p) != nil {
		p.Detail = "the answer is not one of Ciclo's: is this its address?"
	}
	p.Status = resp.StatusCode // also where somebody else's answer has another
	return p
}

// CreateWebhook subscribes a URL. The answer holds the secret, this once.
func (c *Client) CreateWebhook(ctx context.Context, request WebhookRequest) (CreatedWebhook, error) {
	return answer[CreatedWebhook](ctx, c, http.MethodPost, "/webhooks", nil, request)
}

// Webhooks lists the webhooks, and the last hundred that have ended.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	all, err := answer[struct{ Webhooks []Webhook }](ctx, c, http.MethodGet, "/webhooks", nil, nil)
	return all.Webhooks, err
}

// EndWebhook ends a webhook.
func (c *Client) EndWebhook(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/webhooks/"+url.PathEscape(id), nil, nil, nil)
}

// Deliveries returns a page of what a webhook was told, newest first. The query is
// the API's: cursor, limit.
func (c *Client) Deliveries(ctx context.Context, webhook string, query url.Values) (DeliveryPage, error) {
	return answer[DeliveryPage](ctx, c, http.MethodGet, "/webhooks/"+url.PathEscape(webhook)+"/deliveries", query, nil)
}

// Redeliver sends a delivery that waits or was given up now.
func (c *Client) Redeliver(ctx context.Context, webhook string, delivery int64) error {
	return c.call(ctx, http.MethodPost, fmt.Sprintf("/webhooks/%s/deliveries/%d/retry", url.PathEscape(webhook), delivery), nil, nil, nil)
}
