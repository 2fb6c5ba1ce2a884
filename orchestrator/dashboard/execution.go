package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
)

// executionView is one execution with all that is known of it.
type executionView struct {
	client.Execution
	// Moves are its transitions and Done its steps, the latest of many: MoreMoves and
	// MoreDone are how many came before.
	Moves, Done         any
	MoreMoves, MoreDone int
	Tries               []client.Attempt
	MoreTries           int
	Effects             []client.Effect
	MoreEffects         int
	// Unknown are the effects that a person must look at.
	Unknown  []client.Effect
	FromStep []string
	History  history
	Result   *result
	// Given are its parameters.
	Given *nested
	Raw   *raw
	// Once is the key of the retry that the page's form asks for: sent twice, it is one.
	Once string
	// Retries are the executions that retry this one.
	Retries []client.Execution
}

const (
	// listedMoves bounds each of the page's tables.
	listedMoves = 100
	// listedRetries bounds the retries that are named.
	listedRetries = "20"
	// listedFrom bounds the steps that a retry may begin from.
	listedFrom = 200
)

func execution() page {
	return page{
		path: "/executions/{id}", section: "Executions", template: "execution.html", read: readExecution,
		actions: []action{
			{"/executions/{id}/cancel", cancelExecution},
			{"/executions/{id}/retry", retryExecution},
		},
	}
}

func executionPath(id string) string { return "/executions/" + url.PathEscape(id) }

func readExecution(ctx context.Context, v *Visit) (any, error) {
	id := v.PathValue("id")
	var x executionView
	var steps []client.Step
	ask, asking := errgroup.WithContext(ctx)
	ask.Go(func() (err error) {
		x.Execution, err = v.API.Get(asking, id)
		return err
	})
	ask.Go(func() (err error) {
		steps, err = v.API.Steps(asking, id)
		return err
	})
	ask.Go(func() (err error) {
		x.Effects, err = v.API.Effects(asking, id)
		return err
	})
	ask.Go(func() error {
		found, err := v.API.List(asking, url.Values{"retry_of": {id}, "limit": {listedRetries}})
		var p *client.Problem
		if errors.As(err, &p) && p.Status == http.StatusUnprocessableEntity {
			return nil // the id is none: that it isn't found is what the others say
		}
		x.Retries = found.Executions
		return err
	})
	if err := ask.Wait(); err != nil {
		return nil, err
	}
	e := x.Execution
	x.Once = retryKey(v.FormToken, id, x.Retries)
	for _, one := range x.Effects {
		if one.State == "unknown" {
			x.Unknown = append(x.Unknown, one)
		}
	}
	for _, s := range steps {
		x.FromStep = append(x.FromStep, s.Name)
	}
	x.FromStep = x.FromStep[:min(len(x.FromStep), listedFrom)]
	x.History = historyOf(e, steps, v.Now, v.Zone)
	x.Given, x.Raw = nestedOf(e.Parameters), rawOf(e.Result)
	if x.Given != nil && x.Given.Leaf() {
		x.Given = nil
	}
	x.Moves, x.MoreMoves = latest(e.Transitions)
	x.Done, x.MoreDone = latest(steps)
	x.Tries, x.MoreTries = latest(e.Attempts)
	x.Effects, x.MoreEffects = latest(x.Effects)
	x.Unknown = x.Unknown[:min(len(x.Unknown), listedMoves)]
	var err error
	x.Result, err = readResult(ctx, v, e)
	return x, err
}

// Settled reports that nothing of the page changes any more.
func (x executionView) Settled() bool { return x.Final() }

// Alone reports whether it finished no step that a retry may take over.
func (x executionView) Alone() bool { return len(x.FromStep) == 0 }

// latest are the last of a list, and how many come before.
func latest[T any](all []T) ([]T, int) {
	more := max(0, len(all)-listedMoves)
	return all[more:], more
}

// firstLine is an error's; the rest of it is its stack, if anything.
func firstLine(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return first
}

// rest is what follows the first line of a text, at most as much as a page holds.
func rest(text string) string {
	_, after, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if len(after) > rawBytes {
		after = strings.ToValidUTF8(after[:rawBytes], "") + "\n…"
	}
	return after
}

func cancelExecution(ctx context.Context, v *Visit) (next, said string, err error) {
	id := v.PathValue("id")
	e, err := v.API.Cancel(ctx, id)
	if err != nil {
		return "", "", err
	}
	said = "It was cancelled."
	if !e.Final() {
		said = "It was asked to stop: its worker learns so within seconds."
	}
	return executionPath(id), said, nil
}

// retry's choices of what it takes over; others are steps.
const (
	retryAfresh = "afresh"
	retryResume = "resume"
	retryFrom   = "step:" // and the step's name
)

// retryKey is the key of the next retry that the session asks for: the same on every
// look at the page until there is another retry, which must be another one.
func retryKey(session, id string, retries []client.Execution) string {
	last := ""
	if len(retries) > 0 {
		last = retries[0].ID // the newest
	}
	sum := sha256.Sum256([]byte(session + "\n" + id + "\n" + last))
	return "dashboard-" + hex.EncodeToString(sum[:16])
}

func retryExecution(ctx context.Context, v *Visit) (next, said string, err error) {
	take := v.PostForm.Get("take")
	step, isStep := strings.CutPrefix(take, retryFrom)
	if !isStep {
		step = ""
	}
	if !isStep && !slices.Contains([]string{"", retryAfresh, retryResume}, take) {
		return "", "", &client.Problem{Status: http.StatusUnprocessableEntity, Title: "The form can't be read", Detail: "what the retry takes over is none of its choices"}
	}
	e, err := v.API.RetryOnce(ctx, v.PostForm.Get("once"), v.PathValue("id"), step, take == retryResume)
	if err != nil {
		return "", "", err
	}
	return executionPath(e.ID), "It was accepted as a new execution: this one.", nil
}
