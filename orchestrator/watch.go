package orchestrator

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// watchEvery is how soon a change is seen by those who wait for it.
const watchEvery = 100 * time.Millisecond

// watch tells waiters when their executions change: one statement a round,
// however many wait, and none while nobody does.
type watch struct {
	versions func(ctx context.Context, ids []string) (map[string]string, error)
	log      *slog.Logger
	begun    chan struct{} // somebody waits
	stopped  chan struct{} // nobody looks any more

	mu      sync.Mutex
	waiters map[*waiter]struct{}
}

// waiter waits for an execution to have another version than it has seen.
type waiter struct {
	id, seen string
	changed  chan struct{}
}

func newWatch(versions func(context.Context, []string) (map[string]string, error), log *slog.Logger) *watch {
	return &watch{versions: versions, log: log, begun: make(chan struct{}, 1), stopped: make(chan struct{}), waiters: map[*waiter]struct{}{}}
}

// wait returns when the execution's version is no longer the seen one (true), when
// ctx is done, or when the service stops.
func (w *watch) wait(ctx context.Context, id, seen string) (changed bool) {
	mine := &waiter{id: id, seen: seen, changed: make(chan struct{})}
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

func (w *watch) look(ctx context.Context, ids []string) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	versions, err := w.versions(ctx, ids)
	if err != nil {
		w.log.Debug("waiters go on waiting", "error", err)
		return
	}
	looked := map[string]struct{}{}
	for _, id := range ids {
		looked[id] = struct{}{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.waiters {
		if _, known := looked[one.id]; known && versions[one.id] != one.seen {
			close(one.changed)
			delete(w.waiters, one)
		}
	}
}
