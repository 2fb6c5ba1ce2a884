package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// settings of a run.
type settings struct {
	requests int64
	seed     uint64
	lanes    int
	keep     bool
}

func main() {
	var p settings
	flag.Int64Var(&p.requests, "requests", 100_000, "how many to send")
	flag.Uint64Var(&p.seed, "seed", uint64(time.Now().Unix()), "decides what is sent")
	flag.IntVar(&p.lanes, "connections", 16, "how many at once")
	flag.BoolVar(&p.keep, "keep", false, "after a failure leave the services up until Ctrl-C, and keep the logs and the database")
	flag.Parse()
	if flag.NArg() > 0 || p.requests < 1 || p.lanes < 1 {
		fmt.Fprintln(os.Stderr, "hostile: takes no arguments, only flags, and at least one request and connection")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, p)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p settings) (err error) {
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	say("seed %d: building and starting the services …", p.seed)
	s, err := startSystem(ctx)
	if err != nil {
		return err
	}
	failed := false
	defer func() { err = errors.Join(err, s.close(p.keep && failed)) }()
	text, err := s.openapi()
	if err != nil {
		return err
	}
	d, err := readDocument(text)
	if err != nil {
		return err
	}
	j, err := newJudge(text)
	if err != nil {
		return err
	}
	say("%d operations at http://%s; sending %d requests on %d connections …", len(d.operations), s.address, p.requests, p.lanes)
	r := newReport(s.address, p.seed)
	sending, stop := context.WithCancel(ctx)
	defer stop()
	var watching sync.WaitGroup
	watching.Go(func() { watch(sending, s, d, r, say) })
	started := time.Now()
	send(sending, p, s, d, j, r)
	took := time.Since(started)
	stop()
	watching.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	say("waiting for what was accepted to end …")
	r.finding(s.settle(ctx, d, say))
	if !sleep(ctx, 3*lease+time.Second) { // what the audit only then judges
		return ctx.Err()
	}
	r.finding(s.audit(ctx))
	r.finding(s.deaths())
	failed = r.failed()
	err = r.print(took)
	if failed && p.keep {
		say("the services are up at http://%s, the token is %s; Ctrl-C ends them", s.address, token)
		<-ctx.Done()
	}
	return err
}

// send sends all requests.
func send(ctx context.Context, p settings, s *system, d *document, j *judge, r *report) {
	k := &known{kinds: map[string]*ring{}}
	var sent atomic.Int64
	var lanes sync.WaitGroup
	for i := range p.lanes {
		lanes.Go(func() {
			g := &generator{document: d, known: k, token: token, random: rand.New(rand.NewPCG(p.seed, uint64(i)))} //nolint:gosec // repeatable on purpose
			l := &lane{address: s.address}
			defer l.close()
			for ctx.Err() == nil && !r.full() && sent.Add(1) <= p.requests {
				one := g.next()
				if one.wire == nil {
					a, err := l.exchange(one)
					judgeOne(j, r, k, one, a, err)
					continue
				}
				all, err := wired(s.address, one)
				judgeOne(j, r, k, one, answer{}, err)
				for _, a := range all {
					judgeOne(j, r, k, one, a, nil)
				}
			}
		})
	}
	lanes.Wait()
}

func judgeOne(j *judge, r *report, k *known, one *request, a answer, err error) {
	switch {
	case err != nil && !errors.Is(err, errSilent) && (one.unhttp || len(one.body) > 1<<20):
		err = nil // a connection may end by what is no HTTP, or too large to be read
	case err == nil && (one.wire == nil || a.status != 0):
		err = j.check(one, a)
	}
	r.add(one, a, err)
	if one.op != nil && a.status != 0 && a.status < 300 {
		k.learn(one.op, a)
	}
}

// watch says how it goes, ends pauses, and asks for the audit all along.
func watch(ctx context.Context, s *system, d *document, r *report, say func(string, ...any)) {
	const every = 2 * time.Second
	for n := 1; sleep(ctx, every); n++ {
		err := errors.Join(s.resume(ctx, d), s.deaths())
		if n%5 == 0 {
			err = errors.Join(err, s.audit(ctx))
			say("%d sent", r.sent())
		}
		if ctx.Err() == nil {
			r.finding(err)
		}
	}
}
