package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// lanes is how many faults may be there at once.
const lanes = 2

// injected counts faults by kind.
type injected struct {
	mu     sync.Mutex
	counts map[string]int
	failed []string // faults that could not be injected or healed
}

func (i *injected) total() (n int) {
	for _, c := range i.counts {
		n += c
	}
	return n
}

// torment injects faults until ctx is done, every kind before any comes again,
// with a little rest after each. What it broke is whole when it returns.
func torment(ctx context.Context, c *cluster, l *ledger, p plan, say func(string, ...any)) *injected {
	done := &injected{counts: map[string]int{}}
	chosen := slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return p.only != nil && !p.only.MatchString(f.name) })
	var all sync.WaitGroup
	for lane := range lanes {
		all.Go(func() {
			n := &nemesis{cluster: c, ledger: l, lease: p.lease, random: rand.New(rand.NewPCG(p.seed, uint64(lane)))} //nolint:gosec // repeatable on purpose
			for {
				for _, i := range n.random.Perm(len(chosen)) {
					if !sleep(ctx, n.between(p.lease/10, p.rest)) {
						return
					}
					f := chosen[i]
					say("%s", f.name)
					err := f.inject(ctx, n)
					done.mu.Lock()
					done.counts[f.name]++
					if err != nil {
						say("%s: %v", f.name, err)
						done.failed = append(done.failed, fmt.Sprintf("%s: %v", f.name, err))
					}
					done.mu.Unlock()
				}
			}
		})
	}
	if p.failover != noFailover {
		all.Go(func() {
			sleep(ctx, p.duration/3)
			err := c.failOver(ctx, say)
			done.mu.Lock()
			defer done.mu.Unlock()
			done.counts[failedOver]++
			if err != nil {
				say("%s: %v", failedOver, err)
				done.failed = append(done.failed, fmt.Sprintf("%s: %v", failedOver, err))
			}
		})
	}
	all.Wait()
	return done
}

// plan is what the command line asks for.
type plan struct {
	duration time.Duration
	seed     uint64
	lease    time.Duration
	// rate is how many executions are asked for in a second.
	rate float64
	// rest is the longest pause between two faults of a lane.
	rest time.Duration
	// settle bounds the time in which all executions end after the last fault.
	settle   time.Duration
	only     matcher
	failover failing
	unfenced bool
	keep     bool
	// containers runs the trials of docker-compose.yml's containers instead.
	containers bool
}

type matcher interface{ MatchString(string) bool }
