package worker

import (
	"context"
	"errors"
)

// batch puts together what many attempts ask of the database at the same time:
// while one statement is on its way, the next one gathers. Nothing waits for
// company: a lone request goes out at once. It is what lets short executions be
// claimed and completed by the hundred a commit.
type batch[In, Out any] struct {
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

// maxBatch bounds what one statement does.
const maxBatch = 200

func newBatch[In, Out any](run func(ctx context.Context, all []In) ([]Out, error)) *batch[In, Out] {
	b := &batch[In, Out]{run: run, queue: make(chan *request[In, Out], maxBatch), done: make(chan struct{})}
	return b
}

// errBatchStopped is the answer after stop.
var errBatchStopped = errors.New("the worker has stopped")

// do asks and waits for the answer.
func (b *batch[In, Out]) do(ctx context.Context, in In) (Out, error) {
	r := &request[In, Out]{ctx: ctx, in: in, answer: make(chan answer[Out], 1)}
	var none Out
	select {
	case b.queue <- r:
	case <-ctx.Done():
		return none, ctx.Err()
	case <-b.done:
		return none, errBatchStopped
	}
	select {
	case a := <-r.answer:
		return a.out, a.err
	case <-b.done:
		return none, errBatchStopped
	}
}

// serve runs until ctx is done.
func (b *batch[In, Out]) serve(ctx context.Context) {
	defer close(b.done)
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
func (b *batch[In, Out]) answer(all []*request[In, Out]) {
	ins := make([]In, len(all))
	for i, r := range all {
		ins[i] = r.in
	}
	outs, err := b.run(all[0].ctx, ins)
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
