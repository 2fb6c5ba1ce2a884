package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/localpostgres"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/process"
)

const token = "a-token-for-hostile-requests"

// system is Postgres and the real services with the test agents.
type system struct {
	dir      string
	address  string
	api      *client.Client
	postgres *localpostgres.Server
	services []*process.Process
}

func startSystem(ctx context.Context) (_ *system, err error) {
	dir, err := os.MkdirTemp("/var/tmp", "ciclo-hostile-")
	if err != nil {
		return nil, err
	}
	s := &system{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(false))
		}
	}()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // as root the server runs as another user, who must get through
		return nil, err
	}
	const agents = "github.com/nuzantara/ciclo/internal/testagents/"
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", dir+"/", agents+"orchestrator", agents+"worker").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the services: %w\n%s", err, out)
	}
	// Nothing is killed here: what is written need not outlive the machine.
	s.postgres, err = localpostgres.Start(ctx, localpostgres.Config{Dir: filepath.Join(dir, "postgres"), Settings: map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}})
	if err != nil {
		return nil, err
	}
	database := s.postgres.URL("postgres")
	if err := postgres.Migrate(ctx, database); err != nil {
		return nil, err
	}
	if s.address, err = process.FreeAddress(); err != nil {
		return nil, err
	}
	s.api = &client.Client{URL: "http://" + s.address, Token: token}
	for _, name := range []string{"orchestrator", "worker"} {
		p, err := process.Start(process.Config{
			Name: name, Path: filepath.Join(dir, name), LogDir: dir,
			Env: []string{"DATABASE_URL=" + database, "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + s.address, "CICLO_LEASE=" + lease.String(), "CICLO_BEAT=" + (lease / 3).String()},
		})
		if err != nil {
			return nil, err
		}
		s.services = append(s.services, p)
	}
	return s, s.ready(ctx)
}

// lease is the workers'. The audit judges some invariants after three of them.
const lease = 5 * time.Second

// ready returns when the orchestrator answers and the worker is there.
func (s *system) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		status, err := s.api.Status(ctx)
		if err == nil && len(status.Workers) > 0 {
			return nil
		}
		if died := s.deaths(); died != nil {
			return died
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("the services don't get ready: %w", errors.Join(err, ctx.Err()))
		}
	}
}

// deaths are the ends of services, of which none is expected.
func (s *system) deaths() error {
	var errs []error
	for _, p := range s.services {
		if p.Ended() {
			errs = append(errs, fmt.Errorf("%s ended by itself (%w): %s", p.Name, p.Err(), p.LastWords()))
		}
	}
	return errors.Join(errs...)
}

// openapi is the API's own document.
func (s *system) openapi() ([]byte, error) {
	l := &lane{address: s.address}
	defer l.close()
	a, err := l.exchange(&request{method: http.MethodGet, target: "/openapi.json", header: []field{{"Authorization", "Bearer " + token}}})
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("answered %d", a.status)
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the document: %w", err)
	}
	return a.body, nil
}

// auditRounds bounds how often the audit is asked before what it finds is believed:
// what waited behind a pause, say, is enqueued within a second of its end.
const auditRounds = 4

// audit asks for the audit, and says what it finds.
func (s *system) audit(ctx context.Context) error {
	for round := 1; ; round++ {
		report, err := s.api.Audit(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("audit: %w", err)
		case report.Violations == 0:
			return nil
		case round == auditRounds:
			text, err := json.MarshalIndent(report, "", "  ")
			return errors.Join(fmt.Errorf("the audit finds %d violations: %s", report.Violations, text), err)
		case !sleep(ctx, time.Second):
			return ctx.Err()
		}
	}
}

// settle cancels what is not over and returns when all is.
func (s *system) settle(ctx context.Context, d *document, say func(string, ...any)) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for last := -1; ; {
		if err := s.resume(ctx, d); err != nil {
			return err
		}
		var alive int
		for _, kind := range []string{"started", "running"} {
			page, err := s.api.List(ctx, map[string][]string{"status": {kind}, "limit": {"200"}})
			if err != nil {
				return fmt.Errorf("list what is not over: %w", err)
			}
			alive += len(page.Executions)
			for _, e := range page.Executions {
				var refused *client.Problem
				if _, err := s.api.Cancel(ctx, e.ID); err != nil && !errors.As(err, &refused) {
					return fmt.Errorf("cancel %s: %w", e.ID, err)
				}
			}
		}
		if alive == 0 {
			return nil
		}
		if alive != last {
			say("%d or more are not over yet", alive)
			last = alive
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return fmt.Errorf("%d executions do not end", alive)
		}
	}
}

// resume ends every pause of agents: a run with nothing running shows little.
func (s *system) resume(ctx context.Context, d *document) error {
	for _, agent := range append([]string{"all"}, d.agents...) {
		var refused *client.Problem
		if err := s.api.Resume(ctx, agent); err != nil && !errors.As(err, &refused) {
			return fmt.Errorf("resume %s: %w", agent, err)
		}
	}
	return nil
}

// close ends everything and, unless it is to be kept, removes it.
func (s *system) close(keep bool) error {
	var errs []error
	for _, p := range s.services {
		errs = append(errs, p.Kill())
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop())
	}
	if keep {
		fmt.Println("logs and data are kept in", s.dir)
		return errors.Join(errs...)
	}
	if s.postgres != nil {
		errs = append(errs, localpostgres.Remove(context.Background(), filepath.Join(s.dir, "postgres")))
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// sleep waits; false where ctx ended it.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
