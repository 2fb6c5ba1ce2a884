package orchestrator

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// maxWait is the longest that a poll may wait for a change.
const maxWait = time.Minute

// getExecution answers at once, or with wait at the next change. A client that
// shows the ETag of what it knows gets 304 where that is still so.
func (o *Orchestrator) getExecution(c echo.Context) error {
	wait, err := readWait(c)
	if err != nil {
		return err
	}
	id, seen := c.Param("id"), versionOf(c.Request().Header.Get("If-None-Match"))
	if !execution.ValidID(id) {
		return execution.ErrNotFound
	}
	if seen != "" {
		unchanged, err := o.unchanged(c, id, seen, wait)
		if unchanged || err != nil {
			return err
		}
		wait = 0 // it has changed
	}
	found, err := o.find(c)
	if err != nil {
		return err
	}
	if wait > 0 && !found.Execution.Status.Final() {
		o.waitFor(c, id, found.Version, wait)
		if found, err = o.find(c); err != nil {
			return err
		}
	}
	answer := o.shown(c.Request().Context(), found)
	header := c.Response().Header()
	header.Set("ETag", etag(found.Version))
	header.Set("Cache-Control", "private, no-cache")
	if !found.Execution.Status.Final() {
		header.Set("Retry-After", strconv.Itoa(retryAfter(answer.ETAAt)))
	}
	return c.JSON(http.StatusOK, answer)
}

// unchanged answers 304 where the execution still has the version that the
// client has seen, after the time that it wants to wait for another.
func (o *Orchestrator) unchanged(c echo.Context, id, seen string, wait time.Duration) (bool, error) {
	same := func() (bool, error) {
		version, err := o.versions.Do(c.Request().Context(), id)
		return version == seen, err
	}
	unchanged, err := same()
	if unchanged && err == nil && wait > 0 {
		o.waitFor(c, id, seen, wait)
		unchanged, err = same()
	}
	if !unchanged || err != nil {
		return false, err
	}
	c.Response().Header().Set("ETag", etag(seen))
	c.Response().Header().Set("Retry-After", strconv.Itoa(retryAfter(nil)))
	return true, c.NoContent(http.StatusNotModified)
}

// waitFor returns at the next change, or when so much time has passed.
func (o *Orchestrator) waitFor(c echo.Context, id, seen string, wait time.Duration) {
	ctx, cancel := context.WithTimeout(c.Request().Context(), wait)
	defer cancel()
	o.watch.wait(ctx, id, seen)
}

// etag is weak: the same version may be shown with another guess of its end.
func etag(version string) string { return `W/"` + version + `"` }

// versionOf reads an ETag that a client shows; empty for anything else.
func versionOf(header string) string {
	version, ok := strings.CutPrefix(header, `W/"`)
	version, closed := strings.CutSuffix(version, `"`)
	if !ok || !closed || strings.ContainsAny(version, `", `) {
		return ""
	}
	return version
}

// readWait reads the query's wait, the only one that is known.
func readWait(c echo.Context) (time.Duration, error) {
	if c.Request().URL.RawQuery == "" {
		return 0, nil
	}
	query := c.QueryParams()
	if err := onlyQuery(query, "wait"); err != nil {
		return 0, err
	}
	if wait, ok := waitOf(query); ok {
		return wait, nil
	}
	return 0, invalid(agents.FieldError{Field: "wait", Detail: fmt.Sprintf("must be given once, as a duration such as 30s, at most %s", maxWait)})
}

func waitOf(query url.Values) (time.Duration, bool) {
	wait, err := time.ParseDuration(query.Get("wait"))
	return wait, err == nil && wait >= 0 && wait <= maxWait && len(query["wait"]) == 1
}

// retryAfter is in how many seconds it is worth to ask again: a third of what is
// left, within bounds.
func retryAfter(eta *time.Time) int {
	const first, last, unknown = 1, 30, 2
	if eta == nil {
		return unknown
	}
	return int(math.Ceil(min(max(time.Until(*eta).Seconds()/3, first), last)))
}

// shown adds to an execution what clients would otherwise have to work out. The
// guess of its end is left out where the database doesn't answer.
func (o *Orchestrator) shown(ctx context.Context, found *postgres.Found) shown {
	e := found.Execution
	s := shown{Execution: e, Message: message(e), QueuePosition: found.QueuePosition, Attempts: execution.Attempts(found.Transitions), Transitions: found.Transitions}
	if e.Status.Final() {
		return s
	}
	usual, err := o.typical.of(ctx, e.Agent)
	if err != nil {
		o.cfg.Log.Warn("an answer goes without its eta_at", "error", err)
	}
	s.ETAAt = eta(e, found.QueuePosition, usual, time.Now())
	return s
}

// eta guesses when an execution ends: a running one after the median of its
// agent's last runs, or after their ninth decile where it is past that; a queued
// one after as many medians as rounds lie before it; one that waits for its time
// a median after it. Nil where nothing is known.
func eta(e execution.Execution, position *int, usual postgres.Typical, now time.Time) *time.Time {
	if usual.HalfSeconds == nil {
		return nil
	}
	half, most := seconds(*usual.HalfSeconds), seconds(*usual.MostSeconds)
	var at time.Time
	switch {
	case e.RunningAt != nil && e.Status == execution.Running:
		if at = e.RunningAt.Add(half); at.Before(now) {
			at = e.RunningAt.Add(most)
		}
	case e.NextAttemptAt != nil:
		at = e.NextAttemptAt.Add(half)
	case position != nil && usual.Slots > 0:
		rounds := 1 + (*position-1)/usual.Slots
		at = now.Add(half * time.Duration(rounds))
	}
	if at.Before(now) {
		return nil
	}
	at = at.UTC().Truncate(time.Millisecond)
	return &at
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// typical remembers what the agents' runs usually take, for a while.
type typical struct {
	ask func(ctx context.Context, agent string) (postgres.Typical, error)

	mu    sync.Mutex
	known map[string]dated
}

type dated struct {
	postgres.Typical
	until time.Time
}

// typicalFor is how long an answer is good for.
const typicalFor = 15 * time.Second

func (t *typical) of(ctx context.Context, agent string) (postgres.Typical, error) {
	t.mu.Lock()
	defer t.mu.Unlock() // others wait for the same answer
	if k, ok := t.known[agent]; ok && time.Now().Before(k.until) {
		return k.Typical, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedTimeout)
	defer cancel()
	answer, err := t.ask(ctx, agent)
	until := time.Now().Add(typicalFor)
	if err != nil { // those who waited meanwhile need not each try
		until = time.Now().Add(sharedTimeout / 3)
	}
	t.known[agent] = dated{answer, until}
	return answer, err
}
