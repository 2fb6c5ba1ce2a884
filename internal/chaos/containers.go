package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// enough is how many executions a run on containers asks for at least.
const enough = 200

// trial is one thing that is done to the containers.
type trial struct {
	name string
	do   func(ctx context.Context, s *stack) error
}

// trials are done one after the other, while clients ask.
var trials = []trial{
	{"worker killed", func(ctx context.Context, s *stack) error { return s.kill(ctx, "worker", s.plan.lease) }},
	{"worker cut off from Postgres", cutOff},
	{"orchestrator killed", func(ctx context.Context, s *stack) error { return s.kill(ctx, "orchestrator-1", s.plan.lease/2) }},
	{"Postgres restarted", func(ctx context.Context, s *stack) error {
		return s.each(ctx, "postgres", func(id string) error { return s.restart(ctx, id) })
	}},
	{"worker paused", pauseWorker},
	{"Postgres killed", func(ctx context.Context, s *stack) error { return s.kill(ctx, "postgres", 0) }},
	{"everything replaced, one after the other", roll},
	{"worker cut off from Postgres", cutOff},
}

// busiest is the container of the worker that runs most.
func (s *stack) busiest(ctx context.Context, do func(id string) error) error {
	ids, err := s.containers(ctx, "worker")
	if err != nil {
		return err
	}
	var host string // which is the beginning of the container's id
	err = s.admin.QueryRow(ctx, `
		SELECT w.host FROM ciclo.executions e JOIN ciclo.workers w ON w.id = e.worker_id
		WHERE e.status = 'running' AND w.lease_until > now() GROUP BY w.host ORDER BY count(*) DESC LIMIT 1`).Scan(&host)
	for _, id := range ids {
		if err == nil && strings.HasPrefix(id, host) {
			return do(id)
		}
	}
	return s.one(ctx, "worker", do)
}

// pauseWorker freezes a worker until its lease is lost, and wakes it.
func pauseWorker(ctx context.Context, s *stack) error {
	return s.busiest(ctx, func(id string) error {
		if _, err := s.docker(ctx, "pause", id); err != nil {
			return err
		}
		sleep(ctx, 2*s.plan.lease)
		_, err := s.docker(context.WithoutCancel(ctx), "unpause", id)
		return err
	})
}

// cutOff disconnects a worker from the network in which Postgres is, for long enough
// to lose its lease, and connects it again. It still reaches the ledger.
func cutOff(ctx context.Context, s *stack) error {
	return s.busiest(ctx, func(id string) error {
		network := s.name + "_default"
		if _, err := s.docker(ctx, "network", "disconnect", network, id); err != nil {
			return err
		}
		sleep(ctx, 3*s.plan.lease)
		_, err := s.docker(context.WithoutCancel(ctx), "network", "connect", "--alias", "worker", network, id)
		return err
	})
}

// roll is the upgrade of docs/deploy-containers.md, to the same version.
func roll(ctx context.Context, s *stack) error {
	for _, service := range []string{"orchestrator-1", "orchestrator-2", "worker"} {
		ids, err := s.containers(ctx, service)
		if err != nil {
			return err
		}
		s.may(ids...)
		if _, err := s.call(ctx, append(s.compose, "up", "-d", "--no-deps", "--force-recreate", service)...); err != nil {
			return err
		}
		if err := s.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *stack) each(ctx context.Context, service string, do func(id string) error) error {
	ids, err := s.containers(ctx, service)
	if err == nil && len(ids) == 0 {
		err = fmt.Errorf("no container of %s runs", service)
	}
	for _, id := range ids {
		err = errors.Join(err, do(id))
	}
	return err
}

func (s *stack) one(ctx context.Context, service string, do func(id string) error) error {
	ids, err := s.containers(ctx, service)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return fmt.Errorf("no container of %s runs", service)
	}
	return do(ids[rand.IntN(len(ids))]) //nolint:gosec // whichever
}

// kill kills a container with -9 and starts it again after a while.
func (s *stack) kill(ctx context.Context, service string, pause time.Duration) error {
	return s.one(ctx, service, func(id string) error {
		s.may(id)
		if _, err := s.docker(ctx, "kill", id); err != nil {
			return err
		}
		sleep(ctx, pause)
		_, err := s.docker(context.WithoutCancel(ctx), "start", id)
		return err
	})
}

func (s *stack) restart(ctx context.Context, id string) error {
	s.may(id)
	_, err := s.docker(ctx, "restart", id)
	return err
}

// refused is how many writes of superseded attempts the workers say they saw refused.
func (s *stack) refused(ctx context.Context) (int, error) {
	total := 0
	err := s.each(ctx, "worker", func(id string) error {
		ip, err := s.docker(ctx, "inspect", "--format", `{{(index .NetworkSettings.Networks "`+s.name+`_outside").IPAddress}}`, id)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ip+":9464/metrics", http.NoBody)
		if err != nil {
			return err
		}
		resp, err := httpClient().Do(req)
		if err != nil {
			return fmt.Errorf("read a worker's metrics: %w", err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return fmt.Errorf("read a worker's metrics: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) == 2 && strings.HasPrefix(fields[0], "ciclo_stale_writes_refused_total") {
				n, err := strconv.Atoi(fields[1])
				if err != nil {
					return fmt.Errorf("read a worker's metrics: %w", err)
				}
				total += n
			}
		}
		return nil
	})
	return total, err
}

// runContainers does the trials on docker-compose.yml's containers. Where there is no
// engine or image it says so, which is an error only with CICLO_NEED_CONTAINERS=1.
func runContainers(ctx context.Context, p plan, say func(string, ...any)) (err error) {
	s, err := startStack(ctx, p)
	if errors.Is(err, errNoContainers) && os.Getenv("CICLO_NEED_CONTAINERS") != "1" {
		say("%v: nothing was run", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, s.close())
		say("everything that this made is removed")
	}()
	l, err := startLedger(net.JoinHostPort(s.outside, "0"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	users := &clients{ledger: l.url, known: map[string]*seen{}, apis: s.apis}
	say("up; clients ask, at %s and %s", s.apis[0].URL, s.apis[1].URL)

	running, stop := context.WithTimeout(ctx, 4*time.Minute)
	defer stop()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		users.run(running, p.rate, rand.New(rand.NewPCG(p.seed, lanes))) //nolint:gosec // repeatable on purpose
	}()
	done, refused := s.torment(running, p, say)
	for running.Err() == nil && users.accepted() < enough {
		sleep(running, time.Second)
	}
	stop()
	<-asked
	if err := ctx.Err(); err != nil {
		return err
	}

	if err := s.ready(ctx); err != nil {
		return err
	}
	users.finish()
	if n := users.accepted(); n < enough {
		done.failed = append(done.failed, fmt.Sprintf("only %d executions were accepted", n))
	}
	say("everything is whole again; waiting for what was accepted to end …")
	settled := time.Now()
	if err := s.settle(ctx, p, say); err != nil {
		return err
	}
	h := &history{clients: users, bodies: l.bodies(), told: l.effects(), broken: done.failed}
	s.mu.Lock()
	h.deaths = s.died
	s.mu.Unlock()
	if err := h.read(ctx, s.cluster, p.lease); err != nil {
		return err
	}
	if err := report(h, done, p, time.Since(settled)); err != nil {
		return err
	}
	fmt.Printf("%d writes of superseded attempts were refused\n", refused)
	return nil
}

// torment does the trials; without the fence only those after which a worker comes
// back, three times. With it a worker
// that comes back must have been refused something, or the fence was not tried.
func (s *stack) torment(ctx context.Context, p plan, say func(string, ...any)) (done *injected, refused int) {
	done = &injected{counts: map[string]int{}}
	do := func(t trial) {
		if !sleep(ctx, p.lease) {
			return
		}
		say("%s", t.name)
		done.counts[t.name]++
		if err := t.do(ctx, s); err != nil {
			say("%s: %v", t.name, err)
			done.failed = append(done.failed, fmt.Sprintf("%s: %v", t.name, err))
		}
	}
	if p.unfenced {
		for range 3 {
			do(trial{"worker cut off from Postgres", cutOff})
			do(trial{"worker paused", pauseWorker})
		}
		return done, 0
	}
	count := func() {
		if !sleep(ctx, 2*p.lease) {
			return
		}
		n, err := s.refused(ctx)
		if err != nil {
			done.failed = append(done.failed, err.Error())
		}
		refused += n
	}
	for _, t := range trials {
		if t.name == "everything replaced, one after the other" {
			count() // it is the containers' own
		}
		do(t)
	}
	count()
	for range 3 {
		if refused == 0 {
			do(trial{"worker cut off from Postgres", cutOff})
			count()
		}
	}
	if refused == 0 {
		done.failed = append(done.failed, "no write was refused: the fence was not tried")
	}
	return done, refused
}
