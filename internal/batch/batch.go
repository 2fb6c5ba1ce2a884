// Package batch puts together what many goroutines ask of the database at the
// same time: while one statement is on its way, the next one gathers. Nothing
// waits for company: a lone request goes out at once. It is what lets short
// executions be claimed and completed, and pollers be answered, by the dozen a
// statement. It imports the standard library alone.
package batch

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Batch is one kind of request. Serve must run for Do to be answered.
type Batch[In, Out any] struct {
	// run does it for several at once and answers in their order.
	run   func(ctx context.Context, all []In) ([]Out, error)
	queue chan *request[In, Out]
	done  chan struct{}
}

type request[In, Out any] struct {
	ctx    context.Context //nolint:containedctx // it travels with its request to the goroutine that serves it
	in     In
	answer chan answer[Out]
}

type answer[Out any] struct {
	out Out
	err error
}

const (
	// maxBatch bounds what one statement does.
	maxBatch = 200
	// limit bounds how long it may take. It is of nobody's request: who asks waits
	// as long as he likes, and the others don't wait for him.
	limit = 10 * time.Second
)

// New makes a batch over run, which does several at once and answers in their order.
func New[In, Out any](run func(ctx context.Context, all []In) ([]Out, error)) *Batch[In, Out] {
	return &Batch[In, Out]{run: run, queue: make(chan *request[In, Out], maxBatch), done: make(chan struct{})}
}

// ErrStopped is the answer when nobody serves any more.
var ErrStopped = errors.New("the service has stopped")

// Do asks and waits for the answer.
func (b *Batch[In, Out]) Do(ctx context.Context, in In) (Out, error) {
	r := &request[In, Out]{ctx: ctx, in: in, answer: make(chan answer[Out], 1)}
	var none Out
	select {
	case b.queue <- r:
	case <-ctx.Done():
		return none, ctx.Err()
	case <-b.done:
		return none, ErrStopped
	}
	select {
	case a := <-r.answer:
		return a.out, a.err
	case <-ctx.Done(): // the answer comes to nobody
		return none, ctx.Err()
	case <-b.done:
		return none, ErrStopped
	}
}

// Serve answers until ctx is done, with at most so many statements at a time.
// It is called once.
func (b *Batch[In, Out]) Serve(ctx context.Context, statements int) {
	defer close(b.done)
	var serving sync.WaitGroup
	defer serving.Wait()
	for range statements {
		serving.Go(func() { b.gather(ctx) })
	}
}

func (b *Batch[In, Out]) gather(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-b.queue:
			all := []*request[In, Out]{first}
			for more := true; more && len(all) < maxBatch; {
				select {
				case r := <-b.queue:
					all = append(all, r)
				default:
					more = false
				}
			}
			b.answer(all)
		}
	}
}

// answer does it for all at once. Where that is refused, each is done alone, so
// that one's bad data is not the others' error.
func (b *Batch[In, Out]) answer(all []*request[In, Out]) {
	ins := make([]In, len(all))
	for i, r := range all {
		ins[i] = r.in
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(all[0].ctx), limit)
	defer cancel()
	outs, err := b.run(ctx, ins)
	switch {
	case err == nil:
		for i, r := range all {
			r.answer <- answer[Out]{out: outs[i]}
		}
	case len(all) == 1:
		all[0].answer <- answer[Out]{err: err}
	default:
		for _, r := range all {
			b.answer([]*request[In, Out]{r})
		}
	}
}
