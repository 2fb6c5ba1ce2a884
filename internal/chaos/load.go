package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/nuzantara/ciclo/client"
)

// seen is what the clients know of one accepted execution.
type seen struct {
	key        string
	agent      string
	parameters map[string]any
	cancelled  bool   // a cancel was accepted
	final      string // the final status that a client saw
	attempt    int    // the highest that a client saw
}

// clients ask for executions, poll them and cancel some, and note every answer.
type clients struct {
	apis   []*client.Client
	ledger string
	models bool // there is an agent that asks one

	mu    sync.Mutex
	known map[string]*seen
	ids   []string
	// open are the requests that may have been accepted: nobody answered in time.
	open []wish
	// again counts requests that were sent once more with their key.
	again int
	// wrong are answers that no fault explains.
	wrong []string
}

func httpClient() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
}

// run asks for executions at the rate until ctx is done.
func (c *clients) run(ctx context.Context, rate float64, random *rand.Rand) {
	var calls sync.WaitGroup
	defer calls.Wait()
	slots := make(chan struct{}, 64) // a stalled orchestrator slows the clients down
	asked := 0
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked++
		w := c.wish(random, asked)
		api, other := c.apis[random.IntN(len(c.apis))], c.apis[random.IntN(len(c.apis))]
		cancelAfter := time.Duration(-1)
		if random.IntN(20) == 0 {
			cancelAfter = time.Duration(random.Int64N(int64(3 * time.Second)))
		}
		poll := random.Int64()
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		calls.Go(func() {
			defer func() { <-slots }()
			id := c.ask(w, api, other)
			if id != "" && cancelAfter >= 0 {
				sleep(ctx, cancelAfter)
				c.cancel(other, id)
			}
			c.poll(other, poll)
		})
	}
}

// wish is a request for an execution, under a key of its own.
type wish struct {
	key, agent string
	parameters map[string]any
}

// wish is what a client asks for next.
func (c *clients) wish(random *rand.Rand, n int) wish {
	w := wish{key: fmt.Sprintf("chaos-%d", n)}
	switch n := random.IntN(100); {
	case n < 60:
		steps := 1 + random.IntN(6)
		if n < 20 { // long enough to be running when its worker wakes, or comes back from nowhere
			steps = 20 + random.IntN(40)
		}
		effects := []string{"", "reconcile", "once", "repeat"}[random.IntN(4)]
		w.agent, w.parameters = "test-steps", map[string]any{"steps": steps, "millis": 10 + random.IntN(300), "ledger": c.ledger, "effects": effects}
	case n < 68 && c.models:
		w.agent, w.parameters = "test-asks", map[string]any{"calls": 1 + random.IntN(5), "millis": random.IntN(300)}
	case n < 85:
		w.agent, w.parameters = "test-noop", map[string]any{}
	case n < 95:
		w.agent, w.parameters = "test-slow", map[string]any{"millis": random.IntN(3000)}
	default:
		w.agent, w.parameters = "test-fail", map[string]any{"how": []string{"error", "recover", "permanent", "panic"}[random.IntN(4)]}
	}
	return w
}

// ask asks for an execution, at each of the orchestrators in turn, and gives up
// after a few refusals: the empty id where it is not known to be accepted. The
// clients' calls go on when the run is over: their answers count.
func (c *clients) ask(w wish, apis ...*client.Client) string {
	for i := range 4 {
		e, err := apis[i%len(apis)].RunOnce(context.Background(), w.key, w.agent, w.parameters)
		c.mu.Lock()
		switch {
		case err == nil:
			c.known[e.ID] = &seen{key: w.key, agent: w.agent, parameters: w.parameters}
			c.ids = append(c.ids, e.ID)
		case client.Temporary(err):
			c.again++
		default:
			c.wrong = append(c.wrong, fmt.Sprintf("run %s: %v", w.agent, err))
		}
		c.mu.Unlock()
		if err == nil {
			return e.ID
		}
		time.Sleep(200 * time.Millisecond)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = append(c.open, w)
	return ""
}

// finish asks once more for all that is open: now somebody must answer.
func (c *clients) finish() {
	open := c.open
	c.open = nil
	for _, w := range open {
		c.ask(w, c.apis...)
	}
}

func (c *clients) cancel(api *client.Client, id string) {
	_, err := api.Cancel(context.Background(), id)
	c.mu.Lock()
	defer c.mu.Unlock()
	var problem *client.Problem
	switch {
	case err == nil:
		c.known[id].cancelled = true
	case errors.As(err, &problem) && problem.Status == http.StatusConflict: // it has ended
	case !client.Temporary(err):
		c.wrong = append(c.wrong, fmt.Sprintf("cancel %s: %v", id, err))
	}
}

// poll looks at one execution that was accepted.
func (c *clients) poll(api *client.Client, which int64) {
	c.mu.Lock()
	if len(c.ids) == 0 {
		c.mu.Unlock()
		return
	}
	recent := c.ids[max(0, len(c.ids)-500):]
	id := recent[which%int64(len(recent))]
	c.mu.Unlock()
	e, err := api.Get(context.Background(), id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if !client.Temporary(err) {
			c.wrong = append(c.wrong, fmt.Sprintf("get %s: %v", id, err))
		}
		return
	}
	if e.Final() {
		if s := c.known[id]; s.final == "" {
			s.final = e.Status
		}
	}
	c.known[id].attempt = max(c.known[id].attempt, e.Attempt)
}

func (c *clients) counts() (cancelled, again int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.known {
		if s.cancelled {
			cancelled++
		}
	}
	return cancelled, c.again
}

// accepted is how many executions the clients know.
func (c *clients) accepted() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.known)
}
