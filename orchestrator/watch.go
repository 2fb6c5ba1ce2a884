package orchestrator

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// watchEvery is how soon a change is seen by those who wait for it.
const watchEvery = 100 * time.Millisecond

// watchAtOnce bounds how many changed executions one statement reads.
const watchAtOnce = 200

// watch tells waiters when their executions change, and streams what they have
// become: one statement a round, and two more where streams are told something,
// however many wait; none while nobody does.
type watch struct {
	store   *postgres.Store
	log     *slog.Logger
	begun   chan struct{} // somebody waits
	stopped chan struct{} // nobody looks any more

	mu      sync.Mutex
	waiters map[*waiter]struct{}
}

// waiter waits for an execution to have another version than it has seen.
type waiter struct {
	id, seen string
	// steps is how many steps a stream knows already; noSteps for who isn't one.
	steps   int
	changed chan struct{}
	// became is for streams, once changed is closed.
	became became
}

const noSteps = -1

// became is what an execution has become: found is nil where it is no more. The
// steps are those that the stream doesn't know.
type became struct {
	found *postgres.Found
	steps []postgres.Step
}

func newWatch(store *postgres.Store, log *slog.Logger) *watch {
	return &watch{store: store, log: log, begun: make(chan struct{}, 1), stopped: make(chan struct{}), waiters: map[*waiter]struct{}{}}
}

// wait returns when the execution's version is no longer the seen one (true), when
// ctx is done, or when the service stops.
func (w *watch) wait(ctx context.Context, id, seen string) (changed bool) {
	return w.await(ctx, &waiter{id: id, seen: seen, steps: noSteps, changed: make(chan struct{})})
}

// next waits likewise, for a stream that knows so many steps, and returns what the
// execution has become. All streams share what is found, and none may change it.
func (w *watch) next(ctx context.Context, id, seen string, steps int) (_ became, changed bool) {
	mine := &waiter{id: id, seen: seen, steps: steps, changed: make(chan struct{})}
	if !w.await(ctx, mine) { // it may be changing now
		return became{}, false
	}
	return mine.became, true
}

func (w *watch) await(ctx context.Context, mine *waiter) (changed bool) {
	w.mu.Lock()
	w.waiters[mine] = struct{}{}
	w.mu.Unlock()
	select {
	case w.begun <- struct{}{}:
	default:
	}
	select {
	case <-mine.changed:
		changed = true
	case <-ctx.Done():
	case <-w.stopped:
	}
	w.mu.Lock()
	delete(w.waiters, mine)
	w.mu.Unlock()
	return changed
}

// ended reports whether nobody is told any more.
func (w *watch) ended() bool {
	select {
	case <-w.stopped:
		return true
	default:
		return false
	}
}

// run looks until ctx is done; then it lets all go. It is called once.
func (w *watch) run(ctx context.Context) {
	defer close(w.stopped)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.begun:
		}
		for ids := w.ids(); len(ids) > 0; ids = w.ids() {
			w.look(ctx, ids)
			select {
			case <-ctx.Done():
				return
			case <-time.After(watchEvery):
			}
		}
	}
}

func (w *watch) ids() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := map[string]struct{}{}
	for one := range w.waiters {
		ids[one.id] = struct{}{}
	}
	return slices.Collect(maps.Keys(ids))
}

// look tells those whose executions have changed. Who can't be told, since the
// database doesn't answer, goes on waiting.
func (w *watch) look(ctx context.Context, ids []string) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	versions, err := w.store.Versions(ctx, ids)
	if err != nil {
		w.log.Debug("waiters go on waiting", "error", err)
		return
	}
	streamed := w.wake(ids, versions)
	for some := range slices.Chunk(slices.Sorted(maps.Keys(streamed)), watchAtOnce) {
		if err := w.tell(ctx, some, streamed); err != nil {
			w.log.Debug("streams go on waiting", "error", err)
			return
		}
	}
}

// wake lets those go who only wait for a change, and returns the streams of each
// execution that has changed.
func (w *watch) wake(ids []string, versions map[string]string) map[string][]*waiter {
	looked := map[string]struct{}{}
	for _, id := range ids {
		looked[id] = struct{}{}
	}
	streamed := map[string][]*waiter{}
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.waiters {
		if _, known := looked[one.id]; !known || versions[one.id] == one.seen {
			continue
		}
		if one.steps != noSteps {
			streamed[one.id] = append(streamed[one.id], one)
			continue
		}
		close(one.changed)
		delete(w.waiters, one)
	}
	return streamed
}

// tell reads what some executions have become and tells their streams.
func (w *watch) tell(ctx context.Context, ids []string, streamed map[string][]*waiter) error {
	found, err := w.store.GetAll(ctx, ids)
	if err != nil {
		return err
	}
	known := make(map[string]int, len(ids)) // by the one that knows the least
	for _, id := range ids {
		known[id] = slices.MinFunc(streamed[id], func(a, b *waiter) int { return a.steps - b.steps }).steps
	}
	steps, err := w.store.StepsAfter(ctx, known)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, id := range ids {
		for _, one := range streamed[id] {
			one.became = became{found[i], steps[id][min(one.steps-known[id], len(steps[id])):]}
			close(one.changed)
			delete(w.waiters, one)
		}
	}
	return nil
}
