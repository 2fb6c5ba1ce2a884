package batch_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/nuzantara/ciclo/internal/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs the batch until stop is called.
func serve(b *batch.Batch[int, string], statements int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.Serve(ctx, statements) })
	return func() { cancel(); wg.Wait() }
}

func TestEachGetsItsOwnAnswer(t *testing.T) {
	t.Parallel()
	bad := errors.New("thirteen")
	var mu sync.Mutex
	largest := 0
	release := make(chan struct{})
	b := batch.New(func(_ context.Context, all []int) ([]string, error) {
		<-release
		mu.Lock()
		largest = max(largest, len(all))
		mu.Unlock()
		out := make([]string, len(all))
		for i, n := range all {
			if n == 13 {
				return nil, bad // refuses the whole statement
			}
			out[i] = fmt.Sprint(n)
		}
		return out, nil
	})
	stop := serve(b, 2)
	defer stop()
	var wg sync.WaitGroup
	for n := range 50 {
		wg.Go(func() {
			got, err := b.Do(context.Background(), n)
			if n == 13 {
				if !errors.Is(err, bad) {
					t.Errorf("the bad one got %q, %v", got, err)
				}
			} else if got != fmt.Sprint(n) || err != nil {
				t.Errorf("%d got %q, %v", n, got, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if largest < 2 {
		t.Error("nothing was done together")
	}
}

func TestAfterTheStop(t *testing.T) {
	t.Parallel()
	b := batch.New(func(_ context.Context, all []int) ([]string, error) { return make([]string, len(all)), nil })
	stop := serve(b, 1)
	if _, err := b.Do(context.Background(), 1); err != nil {
		t.Errorf("before the stop: %v", err)
	}
	stop()
	for range 10 {
		ctx, cancel := context.WithCancel(context.Background())
		if _, err := b.Do(ctx, 1); !errors.Is(err, batch.ErrStopped) {
			t.Errorf("after the stop: %v", err)
		}
		cancel()
	}
}

func TestWhoGivesUpIsNotServed(t *testing.T) {
	t.Parallel()
	b := batch.New(func(ctx context.Context, all []int) ([]string, error) { return make([]string, len(all)), ctx.Err() })
	stop := serve(b, 1)
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.Do(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNobodyWaitsLongerThanHeLikes(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	ended := make(chan error, 1)
	b := batch.New(func(ctx context.Context, all []int) ([]string, error) {
		<-release
		ended <- ctx.Err()
		return make([]string, len(all)), nil
	})
	stop := serve(b, 1)
	ctx, leave := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() { _, err := b.Do(ctx, 1); left <- err }()
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	close(release)
	stop()
	select {
	case err := <-ended: // it was on its way already: it is of nobody's request
		if err != nil {
			t.Errorf("the statement ended with its first request: %v", err)
		}
	default: // it left before its request was taken
	}
}
