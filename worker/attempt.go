package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/queue"
	"github.com/nuzantara/ciclo/internal/telemetry"
)

// Why an attempt's context was cancelled; a stop of the process is River's own cause.
var (
	errTaken     = errors.New("the execution was taken away from this worker")
	errCancelled = errors.New("the execution is to be cancelled")
	errTimeout   = errors.New("the attempt took longer than its timeout")
	errDeadline  = errors.New("the execution's deadline has passed")
)

// unwindGrace is how long an agent may go on after its context is done. After
// it the attempt ends without the agent, whose writes the fence refuses.
const unwindGrace = 10 * time.Second

// unwindPause is how long a new attempt waits for an old one to unwind in the
// same process.
const unwindPause = 200 * time.Millisecond

// attempts is River's worker of the one kind of job: one job, one attempt.
type attempts struct {
	river.WorkerDefaults[queue.Args]
	w *Worker
}

// Timeout is the same in every worker; the manifest's own is what ends attempts.
func (*attempts) Timeout(*river.Job[queue.Args]) time.Duration { return queue.JobTimeout }

// Work claims the execution, runs its agent once and writes the outcome. The
// River row is ended with the outcome, in one transaction; an error here is only
// for a claim that could not be made, which the reaper mends.
func (h *attempts) Work(ctx context.Context, job *river.Job[queue.Args]) error {
	w := h.w
	if err := ctx.Err(); err != nil {
		return err // stopping: River hands the row on
	}
	id := job.Args.ExecutionID
	if !w.held.claiming(id) {
		// An attempt of it that was taken away is still unwinding here.
		return river.JobSnooze(unwindPause)
	}
	defer w.held.release(id)

	claimed, err := w.claim(ctx, postgres.Delivery{ExecutionID: id, JobID: job.ID})
	if err != nil {
		return err
	}
	if claimed == nil {
		w.meters.stray.Inc()
		return nil // a stale delivery
	}
	e := claimed.Execution
	began := time.Now()
	ctx, span := w.cfg.Traces.Attempt(ctx, telemetry.Attempt{
		ExecutionID: id, Agent: e.Agent, WorkerID: w.id, Number: e.Attempt, DryRun: e.DryRun, Traceparent: e.Traceparent,
	})
	w.meters.started.WithLabelValues(e.Agent).Inc()
	w.meters.executions.Moved(e.Agent, string(execution.Running))
	w.meters.running.WithLabelValues(e.Agent).Inc()
	defer w.meters.running.WithLabelValues(e.Agent).Dec()
	log := telemetry.Bound(ctx, w.cfg.Log.With("execution_id", id, "agent", e.Agent, "attempt", e.Attempt))
	log.DebugContext(ctx, "attempt started")

	runCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.held.claimed(id, e.Attempt, cancel)

	result, err := w.run(runCtx, cancel, claimed, log)
	outcome, to, failure := w.conclude(context.WithoutCancel(ctx), runCtx, claimed, result, err, log)
	if outcome != unwritten { // else whoever took the attempt away writes its span
		span.Ended(outcome, failure)
	}
	w.count(claimed, outcome, to, time.Since(began))
	return nil
}

// count counts the end of an attempt, and where it led to; empty where this worker
// wrote neither. What is before the claim is the database's to know.
func (w *Worker) count(a *postgres.Attempt, outcome string, to execution.Status, took time.Duration) {
	e := a.Execution
	w.meters.executions.Attempt(e.Agent, outcome)
	w.meters.took.WithLabelValues(e.Agent, outcome).Observe(took.Seconds())
	if to == "" {
		return
	}
	w.meters.executions.Moved(e.Agent, string(to))
	if to.Final() && e.RunningAt != nil {
		w.meters.executions.Ended(e.Agent, string(to), e.RunningAt.Sub(e.StartedAt)+took)
	}
}

// claimTime bounds a claim.
const claimTime = 10 * time.Second

// claim doesn't end with ctx: a claim that was made must be known of.
func (w *Worker) claim(ctx context.Context, d postgres.Delivery) (*postgres.Attempt, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTime)
	defer cancel()
	return w.claims.Do(ctx, d)
}

// complete stores one attempt's result.
func (w *Worker) complete(ctx context.Context, a *postgres.Attempt, result json.RawMessage) error {
	refused, err := w.completions.Do(ctx, postgres.Completion{Attempt: a, Result: result})
	return errors.Join(err, refused)
}

// run runs the agent within its timeout and returns its encoded result.
func (w *Worker) run(ctx context.Context, cancel context.CancelCauseFunc, a *postgres.Attempt, log *slog.Logger) (json.RawMessage, error) {
	if err := w.adopt(a); err != nil {
		return nil, err
	}
	limit, cause := a.Timeout, errTimeout
	if a.Left != nil && *a.Left < limit {
		limit, cause = *a.Left, errDeadline
	}
	timer := time.AfterFunc(limit, func() { cancel(cause) })
	defer timer.Stop()

	journal := newJournal(w.store, a, cancel, w.meters, log)
	defer journal.close()

	type outcome struct {
		result json.RawMessage
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		perform := w.perform
		if a.Execution.DryRun {
			perform = w.performDry
		}
		result, err := perform(ctx, a, journal)
		done <- outcome{result, err}
	}()
	select {
	case o := <-done:
		return o.result, o.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(unwindGrace)
	defer grace.Stop()
	select {
	case o := <-done:
		return o.result, o.err
	case <-grace.C:
		log.ErrorContext(ctx, "the agent goes on after its context was cancelled; the attempt ends without it", "cause", context.Cause(ctx))
		return nil, fmt.Errorf("the agent did not return within %s: %w", unwindGrace, context.Cause(ctx))
	}
}

// perform runs an attempt's agent.
func (w *Worker) perform(ctx context.Context, a *postgres.Attempt, j *journal) (json.RawMessage, error) {
	return runAgent(ctx, w.cfg.Agents[a.Execution.Agent], newTask(a, j, j.log))
}

func newTask(a *postgres.Attempt, journal agents.Journal, log *slog.Logger) *agents.Task {
	return agents.NewTask(agents.Task{
		ExecutionID: a.Execution.ID,
		Attempt:     a.Execution.Attempt,
		StartedAt:   a.Execution.StartedAt,
		Parameters:  a.Execution.Parameters,
		DryRun:      a.Execution.DryRun,
		Log:         log,
	}, journal)
}

// panicError is a panic of an agent, with its stack.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n\n%s", e.value, e.stack) }

func runAgent(ctx context.Context, agent agents.Agent, task *agents.Task) (result json.RawMessage, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v, debug.Stack()}
		}
	}()
	value, err := agent.Run(ctx, task)
	if err != nil {
		return nil, err
	}
	return encodeResult(value)
}

// encodeResult insists on a JSON object of bounded size, without the member that
// is Ciclo's.
func encodeResult(value agents.Result) (json.RawMessage, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, agents.Permanent(fmt.Errorf("the result is not JSON: %w", err))
	}
	if !bytes.HasPrefix(text, []byte("{")) {
		return nil, agents.Permanent(fmt.Errorf("the result must be a JSON object, not %.40s", text))
	}
	if len(text) > agents.MaxOutput {
		return nil, agents.Permanent(fmt.Errorf("the result has %d bytes, at most %d are kept: write bulk to a table in StepTx", len(text), agents.MaxOutput))
	}
	if bytes.Contains(text, []byte(noteMember)) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(text, &members); err != nil {
			return nil, agents.Permanent(fmt.Errorf("read the result: %w", err))
		}
		if _, has := members[noteMember]; has {
			return nil, agents.Permanent(fmt.Errorf("the result must have no member %s: it is where a dry run says what was left out", noteMember))
		}
	}
	return text, nil
}

// conclude writes the attempt's last word. What ended its context decides over
// an error; a result that is there is kept, whatever else was asked for. It returns
// how the attempt ended, the status that this gave the execution, and the class of a
// failure; unwritten where another has the word.
func (w *Worker) conclude(ctx, runCtx context.Context, a *postgres.Attempt, result json.RawMessage, err error, log *slog.Logger) (outcome string, to execution.Status, failure string) {
	if err == nil {
		wrong := w.lastWord(ctx, runCtx, a, log, func(ctx context.Context) error { return w.complete(ctx, a, result) })
		if wrong == nil {
			log.InfoContext(ctx, "execution completed")
			return completed, execution.Completed, ""
		}
		if !postgres.Refused(wrong) {
			return unwritten, "", ""
		}
		err = agents.Permanent(fmt.Errorf("store the result: %w", wrong))
	}
	cause := context.Cause(runCtx)
	switch {
	case errors.Is(cause, errTaken), errors.Is(err, execution.ErrStale):
		log.WarnContext(ctx, "attempt abandoned: the execution was taken away")
	case errors.Is(cause, errCancelled), errors.Is(cause, rivertype.ErrJobCancelledRemotely):
		// River says it at once and the beat within its time. River's word alone
		// isn't the user's: the store refuses unless somebody asked.
		if w.lastWord(ctx, runCtx, a, log, func(ctx context.Context) error { return w.store.Cancelled(ctx, a) }) == nil {
			log.InfoContext(ctx, "execution cancelled")
			return cancelled, a.Ended, ""
		}
	case cause != nil && !errors.Is(cause, errTimeout) && !errors.Is(cause, errDeadline):
		if w.lastWord(ctx, runCtx, a, log, func(ctx context.Context) error { return w.store.Interrupt(ctx, a) }) == nil {
			log.InfoContext(ctx, "attempt interrupted: the execution goes to another worker")
			return interrupted, a.Ended, ""
		}
	case foreign(err) && w.putOff(ctx, runCtx, a, err, log):
		if a.Ended != "" {
			return interrupted, a.Ended, ""
		}
	default:
		f := failureOf(err, cause, a)
		f.Breaker = w.breaker(a.Execution.Agent)
		paused := false
		write := func(ctx context.Context) (err error) {
			paused, err = w.store.Fail(ctx, a, f)
			return err
		}
		if w.lastWord(ctx, runCtx, a, log, write) != nil {
			return unwritten, "", ""
		}
		log.WarnContext(ctx, "attempt failed", "class", f.Class, "permanent", f.Permanent, "error", f.Text)
		w.meters.failures.WithLabelValues(a.Execution.Agent, class(f.Class)).Inc()
		if paused {
			w.meters.opened.WithLabelValues(a.Execution.Agent).Inc()
			log.ErrorContext(ctx, "the agent is paused: its executions fail one after the other; a probe will run, or resume it by hand")
		}
		return failed, a.Ended, f.Class
	}
	return unwritten, "", ""
}

func (w *Worker) breaker(agent string) postgres.Breaker {
	b := w.cfg.Catalogue.Find(agent).Breaker
	return postgres.Breaker{Failures: b.Failures, ProbeAfter: time.Duration(b.ProbeSeconds) * time.Second}
}

func failureOf(err, cause error, a *postgres.Attempt) postgres.Failure {
	f := postgres.Failure{Class: execution.ClassError, Text: err.Error(), RetryIn: retryDelay(a.Execution.Failures)}
	var p *panicError
	switch {
	case errors.Is(cause, errDeadline):
		f.Class, f.Permanent, f.Text = execution.ClassDeadline, true, fmt.Sprintf("the execution's deadline has passed: %s", err)
	case errors.Is(cause, errTimeout):
		f.Class, f.Text = execution.ClassTimeout, fmt.Sprintf("the attempt took longer than %s: %s", a.Timeout, err)
	case errors.As(err, &p):
		f.Class = execution.ClassPanic
	case foreign(err):
		f.Class, f.Permanent = execution.ClassPermanent, true
	case errors.Is(err, agents.ErrUnknownEffect):
		f.Class, f.Permanent = execution.ClassUnknownEffect, true
	case agents.IsPermanent(err):
		f.Class, f.Permanent = execution.ClassPermanent, true
	}
	return f
}

// retryDelay doubles from one second to five minutes, with a jitter of a quarter
// to either side so that what failed together doesn't come back together.
func retryDelay(failures int) time.Duration {
	delay := min(time.Second<<min(failures, 9), 5*time.Minute)
	return time.Duration(float64(delay) * (0.75 + 0.5*rand.Float64()))
}

// lastWord writes until the database has answered. An error is the database's
// refusal of the data itself; a stale attempt, or a process out of time, is
// logged and done with.
func (w *Worker) lastWord(ctx, runCtx context.Context, a *postgres.Attempt, log *slog.Logger, write func(ctx context.Context) error) (err error) {
	ctx, end := w.cfg.Traces.Finish(ctx)
	defer func() { end(err) }()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		once, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := write(once)
		cancel()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, execution.ErrStale):
			w.meters.refused.WithLabelValues(a.Execution.Agent, lastWord).Inc()
			log.WarnContext(ctx, "the attempt's last word was refused: the execution has moved on")
			return err
		case postgres.Refused(err):
			log.ErrorContext(ctx, "the database refused the attempt's outcome", "error", err)
			return err
		}
		log.WarnContext(ctx, "the attempt's outcome is not written yet", "error", err)
		select {
		case <-time.After(pause):
		case <-w.givenUp:
			log.ErrorContext(ctx, "the process ends before the attempt's outcome is written; the reaper takes over")
			return err
		}
		if errors.Is(context.Cause(runCtx), errTaken) {
			log.WarnContext(ctx, "the attempt's outcome is no longer wanted: the execution was taken away")
			return execution.ErrStale
		}
	}
}
