package llm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/agents"
)

// Model is one that an agent asks, with what that may cost.
type Model struct {
	Provider Provider
	// ProviderName is the configuration's, and what rates and illness are counted by.
	ProviderName, Name string
	// Redact replaces e-mail addresses, phone numbers and the names of the request's
	// clients before it is sent, and puts them back into the answer.
	Redact                             bool
	Budgets                            []agents.Budget
	RequestsPerMinute, TokensPerMinute int64
	// Keep is how long requests and answers are kept; an answer is kept at least until
	// its execution has ended.
	Keep time.Duration
	// Timeout is after how long the provider gives a call up, Backoff the first pause
	// after a failure, which doubles; 0 is a second.
	Timeout, Backoff time.Duration

	prices prices
	seal   seal
}

// Engine is how results name who wrote them.
func (m *Model) Engine() string { return m.ProviderName + "/" + m.Name }

// ErrLost says that a call may have been made and paid, and its answer is not to be had:
// it isn't made again. The agent does without.
var ErrLost = errors.New("the model may have been asked, and its answer is lost")

// tries is how often one attempt sends a request that surely wasn't paid, and patience
// how long it waits for its turn altogether; after that a later attempt may go on.
const (
	tries    = 5
	patience = 5 * time.Minute
)

// Ask asks the model, once for a step and a request in all attempts of the execution.
// Its errors: agents.ErrNoLedger in a dry run; agents.ErrOverBudget, permanent;
// ErrLost; an *Error for what the provider says, permanent where it will say so again.
// Where the request has a Schema the answer's text is an object that fits it: one that
// doesn't is asked for once more, which is a call of its own, and then an error.
func (m *Model) Ask(ctx context.Context, task *agents.Task, step string, r Request) (Answer, error) {
	calls, err := task.Calls()
	if err != nil {
		return Answer{}, err
	}
	sent := r
	var words redaction
	if m.Redact {
		words = redact(&sent)
	}
	answer, err := m.once(ctx, calls, task.ExecutionID, step, sent)
	if err == nil && len(r.Schema) > 0 {
		if wrong := fits(r.Schema, answer); wrong != nil {
			answer, err = m.once(ctx, calls, task.ExecutionID, step, repaired(sent, answer, wrong))
			if err == nil && fits(r.Schema, answer) != nil { // and so it stays, in every attempt
				err = agents.Permanent(fits(r.Schema, answer))
			}
		}
	}
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s for %q: %w", m.Engine(), step, err)
	}
	answer.Text = words.restore(answer.Text)
	return answer, nil
}

// AskFor asks for an object and decodes it into T.
func AskFor[T any](ctx context.Context, m *Model, task *agents.Task, step string, r Request) (v T, answer Answer, err error) {
	if answer, err = m.Ask(ctx, task, step, r); err != nil {
		return v, answer, err
	}
	if err := json.Unmarshal([]byte(answer.Text), &v); err != nil {
		return v, answer, fmt.Errorf("ask %s for %q: the answer doesn't decode: %w", m.Engine(), step, err)
	}
	return v, answer, nil
}

// call is one request on its way.
type call struct {
	*Model
	calls  agents.Calls
	entry  agents.Call
	key    string
	price  Price
	r      Request
	waited time.Duration
}

// once makes one call: reserved, sent, settled.
func (m *Model) once(ctx context.Context, calls agents.Calls, execution, step string, r Request) (Answer, error) {
	hash, text, err := r.hash(m.Engine())
	if err != nil {
		return Answer{}, agents.Permanent(fmt.Errorf("encode the request: %w", err))
	}
	price, has := m.prices.at(time.Now())
	if !has {
		return Answer{}, agents.Permanent(fmt.Errorf("%s has no price yet", m.Name))
	}
	kept, err := m.seal.close("request "+hash, text)
	if err != nil {
		return Answer{}, err
	}
	most := r.most()
	c := &call{Model: m, calls: calls, key: execution + "/" + step + "/" + hash[:16], price: price, r: r, entry: agents.Call{
		Step: step, Hash: hash, Provider: m.ProviderName, Model: m.Name, Tokens: most.Input + most.Output, Cost: price.cost(most), Budgets: m.Budgets,
		RequestsPerMinute: m.RequestsPerMinute, TokensPerMinute: m.TokensPerMinute, Request: kept, About: r.About, Keep: m.Keep,
	}}
	for sent := 0; ; {
		state, err := c.reserve(ctx)
		if err != nil {
			return Answer{}, err
		}
		answer, err := c.answer(ctx, state)
		var failure *Error
		var later *agents.LaterError
		var pause time.Duration
		switch {
		case errors.As(err, &later):
			pause = later.In
		case err == nil || !errors.As(err, &failure):
			return answer, err
		case failure.Kind == Refused || failure.Kind == TooLong:
			return Answer{}, agents.Permanent(err)
		case failure.Kind == Lost || failure.Kind == Gone:
			return Answer{}, fmt.Errorf("%w: %w", ErrLost, err)
		default:
			if sent++; sent == tries {
				return Answer{}, err
			}
			pause = max(failure.After, cmp.Or(c.Backoff, time.Second)<<(sent-1))
		}
		if err := c.pause(ctx, pause, err); err != nil {
			return Answer{}, err
		}
	}
}

// pause waits, where patience is left for that; else it returns why it would have. There
// is always enough to see a call that was cut off to its end.
func (c *call) pause(ctx context.Context, d time.Duration, why error) error {
	if c.waited += d; c.waited > max(patience, c.Timeout+2*underWay) {
		return why
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reserve waits for the call's turn.
func (c *call) reserve(ctx context.Context) (agents.CallState, error) {
	for {
		state, err := c.calls.Reserve(ctx, c.entry)
		var later *agents.LaterError
		switch {
		case errors.As(err, &later):
			if err := c.pause(ctx, later.In, err); err != nil {
				return state, err
			}
		case errors.Is(err, agents.ErrOverBudget):
			return state, agents.Permanent(err)
		default:
			return state, err
		}
	}
}

// answer brings a call that was reserved to its answer: the stored one, the one that an
// earlier attempt was waiting for, or a new one.
func (c *call) answer(ctx context.Context, state agents.CallState) (answer Answer, err error) {
	background, works := c.Provider.(Background)
	switch {
	case state.State == agents.CallAnswered:
		text, err := c.seal.open("answer "+c.entry.Hash, state.Answer)
		if err == nil {
			err = json.Unmarshal(text, &answer)
		}
		if err != nil {
			return answer, fmt.Errorf("%w: what was stored of it can't be read: %w", ErrLost, err)
		}
		return answer, nil
	case state.State == agents.CallUnknown:
		return answer, ErrLost
	case state.State == agents.CallNotDone: // of a replay alone: else it is made again
		return answer, recorded(state.Error)
	case works && state.ProviderID != "":
		answer, err = background.Await(ctx, state.ProviderID)
	case works && state.Fresh:
		id, err := background.Begin(ctx, c.Name, c.key, c.r)
		if err != nil {
			return answer, c.settle(ctx, state, answer, err)
		}
		if err := c.calls.Attach(ctx, c.entry.Step, c.entry.Hash, id); err != nil {
			return answer, fmt.Errorf("note the call's id: %w", err)
		}
		state.ProviderID = id
		if answer, err = background.Await(ctx, id); err != nil {
			return answer, c.settle(ctx, state, answer, err)
		}
	case state.Fresh:
		answer, err = c.Provider.Ask(ctx, c.Name, c.key, c.r)
	default:
		if answer, err = c.find(ctx, state); errors.As(err, new(*agents.LaterError)) {
			return answer, err
		}
	}
	answer.Engine = c.Engine()
	return answer, c.settle(ctx, state, answer, err)
}

// recorded is the failure whose text the ledger has; whatever it was, it is not tried again.
func recorded(text string) *Error {
	if strings.HasPrefix(text, string(TooLong)) {
		return &Error{Kind: TooLong, Text: text}
	}
	return &Error{Kind: Refused, Text: text}
}

// underWay is for how long after its time-out a call may still be answered.
const underWay = 10 * time.Second

// find looks for a call that was cut off, before it is made again: only when it can't be
// under way any more does it say something that it isn't found.
func (c *call) find(ctx context.Context, state agents.CallState) (Answer, error) {
	finder, finds := c.Provider.(Finder)
	if !finds {
		return Answer{}, &Error{Kind: Lost, Text: "it was cut off, and the provider can't be asked about it"}
	}
	answer, found, err := finder.Find(ctx, c.Name, c.key)
	left := c.Timeout + underWay - state.Age
	switch {
	case found:
		return answer, nil
	case err != nil && left > 0:
		return answer, &agents.LaterError{In: min(left, 5*time.Second), Reason: fmt.Sprintf("it was cut off, and the provider can't be asked now (%v)", err)}
	case err != nil: // it stays as it is, for a later attempt
		return answer, fmt.Errorf("look for a call that was cut off: %w", errors.New(err.Error()))
	case left > 0:
		return answer, &agents.LaterError{In: min(left, 5*time.Second), Reason: "it was cut off, and may still be answered"}
	default:
		return answer, &Error{Kind: Unsent, Text: "it was cut off before it came to the provider"}
	}
}

// settle books how the call ended, and returns its error. What can still be found out
// stays open: its answer is waited for, by the next attempt at the latest.
func (c *call) settle(ctx context.Context, state agents.CallState, answer Answer, err error) error {
	var failure *Error
	if err != nil && !errors.As(err, &failure) {
		return err
	}
	if _, finds := c.Provider.(Finder); failure != nil && failure.Kind == Lost && (finds || state.ProviderID != "") {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &agents.LaterError{In: time.Second, Reason: failure.Error()}
	}
	if answer.Usage == (Usage{}) { // it doesn't say: then what was reserved counts
		answer.Usage = c.r.most()
	}
	o := agents.CallOutcome{State: agents.CallAnswered, ProviderID: answer.ID, Input: answer.Usage.Input, Output: answer.Usage.Output}
	switch {
	case failure == nil:
		o.Cost = c.price.cost(answer.Usage)
		text, encoded := json.Marshal(answer)
		if encoded == nil {
			o.Answer, encoded = c.seal.close("answer "+c.entry.Hash, text)
		}
		if encoded != nil {
			return fmt.Errorf("keep the answer: %w", encoded)
		}
	case failure.Kind == Lost || failure.Kind == Gone:
		o = agents.CallOutcome{State: agents.CallUnknown, Error: failure.Error(), Ill: state.Fresh && ctx.Err() == nil}
	default:
		o = agents.CallOutcome{State: agents.CallNotDone, Error: failure.Error(), Ill: failure.Kind == Ill || failure.Kind == Unsent}
	}
	if settled := c.calls.Finish(ctx, c.entry.Step, c.entry.Hash, o); settled != nil {
		return errors.Join(err, fmt.Errorf("settle the call: %w", settled))
	}
	return err
}
