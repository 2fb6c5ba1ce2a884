package agents

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Nanodollars are money for models: billionths of a US dollar, rounded up.
type Nanodollars int64

// String is the amount in dollars, to the last digit: 0.001500000.
func (n Nanodollars) String() string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%09d", sign, n/1e9, n%1e9)
}

// Call is a request to a language model that is about to be made. It is paid, so the
// ledger has it, once under (execution, step, hash).
type Call struct {
	// Step is a name of 1 to 200 bytes, Hash 64 hexadecimal digits of what is asked
	// and of whom.
	Step, Hash      string
	Provider, Model string
	// Tokens and Cost are the most that it can take; so much is reserved.
	Tokens  int64
	Cost    Nanodollars
	Budgets []Budget
	// RequestsPerMinute and TokensPerMinute are what the provider allows all workers
	// together; 0 is no limit.
	RequestsPerMinute, TokensPerMinute int64
	// Request is what is asked, to be kept for Keep; nothing is kept for 0. About are
	// the clients whose data are in it.
	Request []byte
	About   []string
	Keep    time.Duration
}

// Scopes of budgets.
const (
	BudgetExecution = "execution"
	BudgetCycle     = "cycle"
	BudgetAgent     = "agent" // by its day
	BudgetDay       = "day"   // of all agents; days are UTC's
)

// Budget is the most that one scope may take; 0 is no limit.
type Budget struct {
	Scope  string
	Tokens int64
	Cost   Nanodollars
}

// States of a call.
const (
	CallReserved = "reserved" // about to be made, or made and nobody knows
	CallAnswered = "answered"
	CallNotDone  = "not_done" // surely not paid
	CallUnknown  = "unknown"  // it may be paid, so its reservation counts; it is not made again
)

// CallState is where a call stands in the ledger.
type CallState struct {
	State string
	// Fresh says that it was reserved just now: it surely was not made yet.
	Fresh bool
	// Age is how long ago it was reserved, by the database's clock.
	Age time.Duration
	// ProviderID is the provider's, where it works in the background.
	ProviderID string
	Answer     []byte
	// Error is why it was not done, in a replay.
	Error string
}

// CallOutcome is how a call ended.
type CallOutcome struct {
	State         string // CallAnswered, CallNotDone or CallUnknown
	ProviderID    string
	Input, Output int64 // tokens
	Cost          Nanodollars
	Answer        []byte
	// Error is why it ended otherwise than by an answer. Ill says that it speaks
	// against the provider: enough of them in a row and nobody asks it for a while.
	Error string
	Ill   bool
}

// ErrOverBudget says that a call was refused because a budget would not bear it.
var ErrOverBudget = errors.New("over budget")

// LaterError says that a call can't be reserved yet: the provider's rate is used up, or
// it is ill and another's probe is under way.
type LaterError struct {
	In     time.Duration
	Reason string
}

func (e *LaterError) Error() string {
	return fmt.Sprintf("%s: in %s", e.Reason, e.In.Round(time.Millisecond))
}

// Calls is the ledger of calls to models: a journal that has one is one of these too.
// Its writes are fenced as all of a journal's are.
type Calls interface {
	// Reserve notes that a call is about to be made, and reserves its cost. Where it is
	// there already it says how it stands: what was answered stays answered, what was
	// surely not done is reserved anew. ErrOverBudget, or a *LaterError.
	Reserve(ctx context.Context, c Call) (CallState, error)
	// Attach notes the provider's id of a reserved call before it is waited for.
	Attach(ctx context.Context, step, hash, providerID string) error
	// Finish notes how a reserved call ended, books its cost in place of what was
	// reserved, and keeps the answer, all at once.
	Finish(ctx context.Context, step, hash string, o CallOutcome) error
}

// ErrNoLedger says that there is no ledger, or that nobody may be asked: a dry run.
var ErrNoLedger = errors.New("no model is asked here")

// Calls are the ledger of the task's calls to models; ErrNoLedger in a dry run.
func (t *Task) Calls() (Calls, error) {
	calls, has := t.journal.(Calls)
	if !has || t.DryRun {
		return nil, ErrNoLedger
	}
	return calls, nil
}
