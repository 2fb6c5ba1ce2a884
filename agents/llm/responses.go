package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

// Responses asks OpenAI's models by the Responses API, in the background: a call has an
// id at once, and goes on while nobody is connected.
type Responses struct {
	settings Settings
	service  responses.ResponseService
}

// newResponses makes the provider. It reads nothing from the environment.
func newResponses(s Settings, options ...option.RequestOption) *Responses {
	return &Responses{s, responses.NewResponseService(options...)}
}

// Ask sends a request and waits for its answer.
func (p *Responses) Ask(ctx context.Context, model, key string, r Request) (Answer, error) {
	id, err := p.Begin(ctx, model, key, r)
	if err != nil {
		return Answer{}, err
	}
	return p.Await(ctx, id)
}

// Begin sends a request and returns its id.
func (p *Responses) Begin(ctx context.Context, model, key string, r Request) (id string, err error) {
	params, err := p.params(model, key, r)
	if err != nil {
		return "", &Error{Kind: Refused, Text: err.Error()}
	}
	ctx, _, done := p.settings.watch(ctx)
	defer done()
	begun, err := p.service.New(ctx, params, option.WithHeader(callHeader, key))
	if err != nil || begun.ID == "" {
		var said *openai.Error
		var refused *refusal
		if errors.As(err, &said) && said.Response != nil {
			refused = &refusal{status: said.StatusCode, header: said.Response.Header, kinds: kinds(said.Type, said.Code), text: said.Message}
		}
		return "", failed(ctx, err, refused)
	}
	return begun.ID, nil
}

// How often the provider is asked whether a call is over, and how long such a question
// may take.
const (
	firstPoll   = 100 * time.Millisecond
	longestPoll = 2 * time.Second
	pollTime    = 30 * time.Second
)

// Await asks until the call is over, and no longer than the provider's time-out: then it
// is cancelled there, and Gone. Where the provider can't be asked, by then, the error is
// none of the call's: it stays open, for a later attempt.
func (p *Responses) Await(ctx context.Context, id string) (Answer, error) {
	late := time.NewTimer(p.settings.Timeout)
	defer late.Stop()
	missing := 0
	for pause := firstPoll; ; pause = min(2*pause, longestPoll) {
		now, err := p.get(ctx, id)
		if err == nil && over(now) {
			return ended(now)
		}
		if missing++; !absent(err) {
			missing = 0
		}
		if missing == absences {
			return Answer{}, &Error{Kind: Gone, Status: http.StatusNotFound, Text: "the provider has it no more"}
		}
		select {
		case <-ctx.Done():
			return Answer{}, context.Cause(ctx)
		case <-late.C:
			return p.giveUp(ctx, id)
		case <-time.After(pause):
		}
	}
}

// giveUp looks once more and cancels the call, so that no more of it is paid.
func (p *Responses) giveUp(ctx context.Context, id string) (Answer, error) {
	now, err := p.get(ctx, id)
	if err == nil && under(now) {
		now, err = p.cancel(ctx, id)
	}
	switch {
	case ctx.Err() != nil:
		return Answer{}, context.Cause(ctx)
	case err == nil && now.Status == responses.ResponseStatusCancelled:
		return Answer{}, &Error{Kind: Gone, Text: errTooSlow.Error()}
	case err == nil && over(now): // it ended just now
		return ended(now)
	}
	return Answer{}, fmt.Errorf("the provider can't be asked about %s: it stays open", id)
}

// absences is how often in a row the API must say that it has no such call: a proxy may say
// so too.
const absences = 3

// absent says that it is the API that doesn't know the call.
func absent(err error) bool {
	var said *openai.Error
	return errors.As(err, &said) && said.StatusCode == http.StatusNotFound && said.Type != ""
}

func (p *Responses) cancel(ctx context.Context, id string) (*responses.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTime)
	defer cancel()
	return p.service.Cancel(ctx, id)
}

func (p *Responses) get(ctx context.Context, id string) (*responses.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTime)
	defer cancel()
	return p.service.Get(ctx, id, responses.ResponseGetParams{})
}

// under says that a call is under way.
func under(r *responses.Response) bool {
	return r.Status == responses.ResponseStatusQueued || r.Status == responses.ResponseStatusInProgress
}

// over says that it isn't, by a word that is known: anything else is no answer of the API.
func over(r *responses.Response) bool {
	return slices.Contains([]responses.ResponseStatus{
		responses.ResponseStatusCompleted, responses.ResponseStatusIncomplete, responses.ResponseStatusFailed, responses.ResponseStatusCancelled,
	}, r.Status)
}

// ended is the answer of a call that is over. What was cut short is an answer that ended
// too soon; a failed one is not paid, and of a cancelled one, by whomever, nobody knows.
func ended(r *responses.Response) (Answer, error) {
	switch r.Status {
	case responses.ResponseStatusCompleted, responses.ResponseStatusIncomplete:
		return Answer{
			Text: unfenced(r.OutputText()), Truncated: r.Status != responses.ResponseStatusCompleted, ID: r.ID, Model: r.Model,
			Usage: Usage{Input: r.Usage.InputTokens, Output: r.Usage.OutputTokens},
		}, nil
	case responses.ResponseStatusFailed:
		status := map[responses.ResponseErrorCode]int{
			responses.ResponseErrorCodeServerError: http.StatusInternalServerError, responses.ResponseErrorCodeRateLimitExceeded: http.StatusTooManyRequests,
		}[r.Error.Code]
		if status == 0 {
			status = http.StatusBadRequest
		}
		return Answer{}, (&refusal{status: status, kinds: kinds(string(r.Error.Code)), text: r.Error.Message}).failure()
	}
	return Answer{}, &Error{Kind: Gone, Text: "it was cancelled"}
}

func (p *Responses) params(model, key string, r Request) (responses.ResponseNewParams, error) {
	params := responses.ResponseNewParams{
		Model: model, Background: openai.Bool(true), Store: openai.Bool(true), MaxOutputTokens: openai.Int(r.MaxTokens), Metadata: shared.Metadata{callMetadata: key},
	}
	if r.System != "" {
		params.Instructions = openai.String(r.System)
	}
	for _, m := range r.Messages {
		role := responses.EasyInputMessageRoleUser
		if m.Role == Assistant {
			role = responses.EasyInputMessageRoleAssistant
		}
		params.Input.OfInputItemList = append(params.Input.OfInputItemList, responses.ResponseInputItemParamOfMessage(m.Text, role))
	}
	if len(r.Schema) > 0 {
		var schema map[string]any
		if err := json.Unmarshal(r.Schema, &schema); err != nil {
			return params, fmt.Errorf("read the schema: %w", err)
		}
		params.Text.Format.OfJSONSchema = &responses.ResponseFormatTextJSONSchemaConfigParam{Name: answerTool, Schema: schema, Strict: openai.Bool(true)}
	}
	return params, nil
}

// baseURL is the API's address with the slash at its end that the client needs.
func baseURL(s Settings) string {
	if s.URL == "" {
		return "https://api.openai.com/v1/"
	}
	return strings.TrimSuffix(s.URL, "/") + "/"
}
