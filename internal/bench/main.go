package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// limit ends a run that hangs; a full one takes about ten minutes, sections with a
// million executions up to half an hour, with ten millions hours.
func limit(many int) time.Duration { return 45 * time.Minute * time.Duration(max(1, many/1_000_000)) }

// options are what a run is asked for.
type options struct {
	quick, asJSON bool
	only          *regexp.Regexp
	many          int
	keep          string
}

func main() {
	var o options
	flag.BoolVar(&o.quick, "quick", false, "one short turn of everything, in about a minute; shows verdicts and fails on errors alone")
	only := flag.String("only", "", "run the sections whose names match this `regexp`: accept, river, life, status, polls, events, latency, idle, and fleet, recovery, scale, accepts, scores, imports, mining, building, graph, retention, panels and pages, which are in no other run")
	flag.IntVar(&o.many, "many", 1_000_000, "executions of the larger history of scale, accepts, panels and pages")
	flag.StringVar(&o.keep, "keep", "", "run Postgres in this `folder` and keep it with the histories, which the next run with it finds again")
	flag.BoolVar(&o.asJSON, "json", false, "print the table as JSON")
	floor := flag.String("floor", "", "(internal) serve the bare handlers on this address")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if *floor != "" {
		exit(serveFloor(ctx, *floor, os.Getenv("DATABASE_URL")))
	}
	sections, err := regexp.Compile(*only)
	if err != nil {
		exit(fmt.Errorf("-only: %w", err))
	}
	o.only = sections
	if o.many <= fewExecutions {
		exit(fmt.Errorf("-many: the larger history has more than %d executions", fewExecutions))
	}
	ctx, cancel := context.WithTimeout(ctx, limit(o.many))
	defer cancel()
	exit(run(ctx, o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// errMissed ends the process with 1 after the table was printed.
var errMissed = errors.New("an aim was missed")

func run(ctx context.Context, o options) (err error) {
	began := time.Now()
	b, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	report := report{Machine: describe(ctx, b.database), Repeats: b.plan.repeats}
	for _, s := range []struct {
		name    string
		measure func(context.Context) ([]figure, error)
		asked   bool // it takes minutes of waiting and runs only where -only names it
	}{
		{"accept", b.accept, false},
		{"river", b.riverInserts, false},
		{"life", b.life, false},
		{"status", b.status, false},
		{"polls", b.polls, false},
		{"events", b.events, false},
		{"latency", b.latency, false},
		{"idle", b.idle, false},
		{"fleet", b.fleet, true},
		{"recovery", b.recovery, true},
		{"scale", b.scale, true},
		{"accepts", b.accepts, true},
		{"scores", b.scores, true},
		{"imports", b.imports, true},
		{"mining", b.mining, true},
		{"building", b.building, true},
		{"graph", b.graph, true},
		{"retention", b.retention, true},
		{"panels", b.panels, true},
		{"pages", b.pages, true},
	} {
		if !o.only.MatchString(s.name) || (s.asked && o.only.String() == "") {
			continue
		}
		b.say("%s …", s.name)
		figures, err := s.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		report.Figures = append(report.Figures, figures...)
	}
	report.Seconds = time.Since(began).Seconds()
	if err := report.print(os.Stdout, o.asJSON); err != nil {
		return err
	}
	if report.missed() && !o.quick {
		return errMissed
	}
	return nil
}
