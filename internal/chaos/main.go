package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	var p plan
	var only string
	flag.DurationVar(&p.duration, "duration", time.Minute, "how long faults are injected")
	flag.Uint64Var(&p.seed, "seed", uint64(time.Now().Unix()), "decides the order of faults and what clients ask for")
	flag.DurationVar(&p.lease, "lease", 3*time.Second, "the workers' lease; beats and sweeps follow it")
	flag.Float64Var(&p.rate, "rate", 15, "executions asked for in a second")
	flag.DurationVar(&p.rest, "rest", 3*time.Second, "longest rest between two faults of a lane")
	flag.DurationVar(&p.settle, "settle", 6*time.Minute, "time in which all must end after the last fault; retries wait for up to five minutes")
	flag.StringVar(&only, "faults", "", "inject only faults whose names match this `regexp`")
	flag.StringVar((*string)(&p.failover), "failover", "", "kill the primary at a third of the time and promote its replica: sync, or async, whose losses the checker must find, and that it does is success")
	flag.BoolVar(&p.unfenced, "unfenced", false, "build the workers without the fence: the checker must find, and that it does is success")
	flag.BoolVar(&p.keep, "keep", false, "keep the logs and the database")
	flag.BoolVar(&p.containers, "containers", false, "do it to the containers of docker-compose.yml, by a list of trials: -duration, -rest and -faults don't matter")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "chaos: takes no arguments, only flags")
		os.Exit(2)
	}
	if !p.failover.known() {
		fmt.Fprintln(os.Stderr, "chaos: -failover is sync or async")
		os.Exit(2)
	}
	if only != "" {
		matching, err := regexp.Compile(only)
		if err != nil {
			fmt.Fprintln(os.Stderr, "chaos: -faults:", err)
			os.Exit(2)
		}
		p.only = matching
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, p)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

var (
	errFound    = errors.New("the history breaks a rule")
	errNotFound = errors.New("without the fence nothing was found: the checker is blind, or the run too short")
	errNotLost  = errors.New("the replica that was behind has lost nothing that was accepted: the checker is blind, or the run too short")
)

func run(ctx context.Context, p plan) (err error) {
	began := time.Now()
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	say("seed %d: building and starting the services …", p.seed)
	if p.containers {
		return runContainers(ctx, p, say)
	}
	l, err := startLedger("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	models := provider()
	defer models.Close()
	c, err := startCluster(ctx, p, models.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()

	users := &clients{ledger: l.url, models: true, known: map[string]*seen{}}
	for _, s := range c.of("orchestrator") {
		users.apis = append(users.apis, s.api)
	}
	if err := schedule(ctx, users.apis[0], l.url, time.Now().Add(p.duration)); err != nil {
		return err
	}
	running, stop := context.WithTimeout(ctx, p.duration)
	defer stop()
	var asking sync.WaitGroup
	asking.Go(func() { users.run(running, p.rate, rand.New(rand.NewPCG(p.seed, lanes))) }) //nolint:gosec // repeatable on purpose
	faulted := torment(running, c, l, p, say)
	asking.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}

	say("everything is whole again; asking again for what nobody answered …")
	if err := c.ready(ctx); err != nil {
		return err
	}
	users.finish()
	say("waiting for what was accepted to end …")
	settled := time.Now()
	if err := c.settle(ctx, p, say); err != nil {
		return err
	}
	took := time.Since(settled)
	h := &history{clients: users, bodies: l.bodies(), told: l.effects(), paid: models.Paid(), deaths: c.deaths(), broken: faulted.failed, promoted: c.promoted, lease: p.lease}
	if err := h.read(ctx, c, p.lease); err != nil {
		return err
	}
	return report(h, faulted, p, took)
}

// settle returns when every execution is final, or the bound has passed, and
// three leases have gone by without a gap in the database.
func (c *cluster) settle(ctx context.Context, p plan, say func(string, ...any)) error {
	healthy := time.Now().Add(3*p.lease + time.Second)
	bound := time.Now().Add(p.settle)
	last := -1
	for {
		var alive int
		err := c.admin.QueryRow(ctx, `
			SELECT (SELECT count(*) FROM ciclo.executions WHERE ended_at IS NULL) + (SELECT count(*) FROM ciclo.cycles WHERE ended_at IS NULL)
			     + (SELECT count(*) FROM ciclo.slots WHERE outcome = 'queued') + (SELECT count(*) FROM ciclo.schedules WHERE next_fire_at <= now())`).Scan(&alive)
		now := time.Now()
		switch {
		case err != nil && now.After(bound):
			return fmt.Errorf("count what is alive: %w", err)
		case err != nil: // the services were ready, but a connection of ours broke, so the gap ends now
			say("the database doesn't answer yet: %v", err)
			alive, healthy = last, now.Add(3*p.lease+time.Second)
		case now.After(healthy) && (alive == 0 || now.After(bound)):
			return nil
		}
		if alive != last {
			say("%d are not final yet", alive)
			last = alive
		}
		if !sleep(ctx, time.Second) {
			return ctx.Err()
		}
	}
}

// samples is how many findings of one rule are printed.
const samples = 8

func report(h *history, faulted *injected, p plan, took time.Duration) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\ttimes")
	for _, name := range sorted(faulted.counts) {
		fmt.Fprintf(w, "%s\t%d\n", name, faulted.counts[name])
	}
	cancelled, again := h.clients.counts()
	if n := faulted.counts[failedOver]; n > 0 {
		fmt.Fprintf(w, "%s\t%d\n", failedOver, n)
	}
	fmt.Fprintf(w, "(cancels by clients)\t%d\n", cancelled)
	fmt.Fprintln(w, "\t\nrule\tfindings")
	total := 0
	for _, r := range slices.Concat(rules, scheduleRules, modelRules) {
		n := 0
		r.check(h, func(string, ...any) { n++ })
		total += n
		fmt.Fprintf(w, "%s\t%d\n", r.text, n)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range slices.Concat(rules, scheduleRules, modelRules) {
		n := 0
		r.check(h, func(format string, args ...any) {
			if n++; n == 1 {
				fmt.Printf("\n%s:\n", r.text)
			}
			if n <= samples {
				fmt.Println("  " + strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n    "))
			}
		})
	}
	counts, attempts := h.statuses()
	var ends []string
	for _, status := range sorted(counts) {
		ends = append(ends, fmt.Sprintf("%d %s", counts[status], status))
	}
	fmt.Printf("\nseed %d, %s with a lease of %s: %d faults of %d kinds; %d executions (%d requests sent again): %s; %d attempts, %d steps, %d effects; %d slots, %d cycles; %d calls to models, %d paid; all ended %.0f s after the last fault\n",
		p.seed, p.duration, p.lease, faulted.total(), len(faulted.counts), len(h.executions), again, strings.Join(ends, ", "), attempts, len(h.steps), len(h.effects), len(h.slots), len(h.cycles), len(h.calls), len(h.paid), took.Seconds())
	lost := 0
	rules[0].check(h, func(string, ...any) { lost++ })
	switch {
	case p.failover == asynchronous && lost == 0:
		return errNotLost
	case p.failover == asynchronous:
		fmt.Printf("by a replica that was behind: %d findings, %d of them of what was accepted, as it should be\n", total, lost)
	case p.unfenced && total == 0:
		return errNotFound
	case p.unfenced:
		fmt.Printf("without the fence: %d findings, as it should be\n", total)
	case total > 0:
		return fmt.Errorf("%w: %d findings; again with -seed %d, and -keep for logs and data", errFound, total, p.seed)
	default:
		fmt.Println("nothing found")
	}
	return nil
}
