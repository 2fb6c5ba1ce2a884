package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/process"
)

// override changes docker-compose.yml for chaos: short leases, ports that stay, and
// a second network, by which a worker that is cut off from Postgres still reaches the
// ledger.
const override = `services:
  postgres:
    ports: ["127.0.0.1:${CHAOS_POSTGRES_PORT}:5432"]
  orchestrator-1: &orchestrator
    environment: {CICLO_LEASE: "${CHAOS_LEASE}", CICLO_REAP_EVERY: "${CHAOS_REAP}"}
  orchestrator-2: *orchestrator
  worker:
    environment: {CICLO_LEASE: "${CHAOS_LEASE}", CICLO_BEAT: "${CHAOS_BEAT}", CICLO_DRAIN: 1s}
    networks: [default, outside]
networks:
  outside: {}
`

// errNoContainers says why there is nothing to run on.
var errNoContainers = errors.New("no containers here")

// stack is the compose file, up, with the test agents.
type stack struct {
	*cluster // its admin alone

	name, dir string
	compose   []string // the command
	env       []string
	up        bool
	apis      []*client.Client
	outside   string // the host's address in the network outside

	events *exec.Cmd
	mu     sync.Mutex
	wanted map[string]bool // containers that may end now
	died   []string
}

// startStack brings it up, and leaves nothing where it can't.
func startStack(ctx context.Context, p plan) (_ *stack, err error) {
	s := &stack{cluster: &cluster{plan: p}, name: fmt.Sprintf("ciclo-chaos-%d", os.Getpid()), wanted: map[string]bool{}}
	if s.compose, err = engine(ctx); err != nil {
		return nil, err
	}
	image, err := s.call(ctx, "deploy/postgres-image")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoContainers, err)
	}
	if s.dir, err = os.MkdirTemp("", "ciclo-chaos-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.build(ctx, p, image); err != nil {
		return nil, err
	}
	s.up = true
	if _, err := s.call(ctx, append(s.compose, "up", "-d")...); err != nil {
		return nil, err
	}
	if err := s.watch(ctx); err != nil {
		return nil, err
	}
	if s.outside, err = s.docker(ctx, "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", s.name+"_outside"); err != nil {
		return nil, err
	}
	return s, s.ready(ctx)
}

// engine is the compose command, where an engine answers.
func engine(ctx context.Context) ([]string, error) {
	asked, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := exec.CommandContext(asked, "docker", "info").Run(); err != nil {
		return nil, fmt.Errorf("%w: no Docker engine (%w)", errNoContainers, err)
	}
	for _, command := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if exec.CommandContext(asked, command[0], append(slices.Clone(command[1:]), "version")...).Run() == nil { //nolint:gosec // one of the two
			return command, nil
		}
	}
	return nil, fmt.Errorf("%w: no docker-compose", errNoContainers)
}

// build makes the image with the test agents, the secrets and the settings.
func (s *stack) build(ctx context.Context, p plan, image string) error {
	tag := "ciclo:" + s.name
	secrets := filepath.Join(s.dir, "secrets")
	second := filepath.Join(s.dir, "chaos.yml")
	if err := os.WriteFile(second, []byte(override), 0o600); err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	var ports []string
	for range 3 {
		address, err := process.FreeAddress()
		if err != nil {
			return err
		}
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return err
		}
		ports = append(ports, port)
	}
	tags := ""
	if p.unfenced {
		tags = "unfenced"
	}
	s.env = append(os.Environ(), "CICLO_TAGS="+tags, "CICLO_IMAGE="+tag, "CICLO_POSTGRES_IMAGE="+image, "CICLO_SECRETS="+secrets,
		"CICLO_BIND=127.0.0.1", "CICLO_PORT="+ports[0], "CICLO_PORT_2="+ports[1], "CHAOS_POSTGRES_PORT="+ports[2],
		"CHAOS_LEASE="+p.lease.String(), "CHAOS_BEAT="+(p.lease/3).String(), "CHAOS_REAP="+(p.lease/10).String(),
		"COMPOSE_PROJECT_NAME="+s.name, "COMPOSE_HTTP_TIMEOUT=180", "COMPOSE_FILE="+filepath.Join(root, "docker-compose.yml")+":"+second)
	const agents = "./internal/testagents/"
	if _, err := s.call(ctx, "deploy/build-image-local", tag, "./cmd/ciclo", agents+"orchestrator", agents+"worker"); err != nil {
		return err
	}
	if _, err := s.call(ctx, "deploy/make-secrets", secrets); err != nil {
		return err
	}
	token, err := os.ReadFile(filepath.Join(secrets, "token"))
	if err != nil {
		return err
	}
	for _, port := range ports[:2] {
		s.apis = append(s.apis, &client.Client{URL: "http://127.0.0.1:" + port, Token: strings.TrimSpace(string(token)), HTTP: httpClient()})
	}
	text, err := os.ReadFile(filepath.Join(secrets, "database-url"))
	if err != nil {
		return err
	}
	database, err := url.Parse(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("read the database's URL: %w", err)
	}
	database.Host = "127.0.0.1:" + ports[2]
	s.admin, err = postgres.Connect(ctx, postgres.PoolConfig{URL: database.String(), Name: "ciclo chaos", MaxConns: 4})
	return err
}

// ready returns when both orchestrators answer.
func (s *stack) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for _, api := range s.apis {
		for {
			err := api.Ready(ctx)
			if err == nil {
				break
			}
			if !sleep(ctx, 200*time.Millisecond) {
				return fmt.Errorf("%s doesn't get ready: %w", api.URL, err)
			}
		}
	}
	return nil
}

// call runs a command to its end and returns what it printed. A Ctrl-C is for this
// process, which cleans up by the same commands.
func (s *stack) call(ctx context.Context, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // our own commands
	cmd.Env = s.env
	cmd.SysProcAttr = apart()
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(command, " "), err, out.String(), said.String())
	}
	return strings.TrimSpace(out.String()), nil
}

func (s *stack) docker(ctx context.Context, args ...string) (string, error) {
	return s.call(ctx, append([]string{"docker"}, args...)...)
}

// containers are the ids of a service's containers.
func (s *stack) containers(ctx context.Context, service string) ([]string, error) {
	out, err := s.docker(ctx, "ps", "--quiet", "--no-trunc", "--filter", "label=com.docker.compose.project="+s.name, "--filter", "label=com.docker.compose.service="+service)
	return strings.Fields(out), err
}

// may says that these containers are about to end by somebody's hand.
func (s *stack) may(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.wanted[id] = true
	}
}

// watch notes every container of a service that ends by itself.
func (s *stack) watch(ctx context.Context) error {
	s.events = exec.CommandContext(ctx, "docker", "events", "--filter", "label=com.docker.compose.project="+s.name, "--filter", "event=die", "--format", "{{json .}}") //nolint:gosec // our own name
	s.events.SysProcAttr = apart()
	out, err := s.events.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.events.Start(); err != nil {
		return fmt.Errorf("watch the containers: %w", err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var event struct {
				ID    string `json:"id"`
				Actor struct{ Attributes map[string]string }
			}
			if json.Unmarshal(lines.Bytes(), &event) != nil {
				continue
			}
			service := event.Actor.Attributes["com.docker.compose.service"]
			s.mu.Lock()
			if !s.wanted[event.ID] && service != "migrate" {
				s.died = append(s.died, fmt.Sprintf("%s ended by itself with exit code %s", event.Actor.Attributes["name"], event.Actor.Attributes["exitCode"]))
			}
			s.mu.Unlock()
		}
	}()
	return nil
}

// close takes everything down, also when the run was interrupted.
func (s *stack) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var errs []error
	if s.events != nil {
		errs = append(errs, s.events.Process.Kill())
		_ = s.events.Wait() // it was killed
	}
	if s.admin != nil {
		s.admin.Close()
	}
	if s.plan.keep {
		fmt.Printf("project %s is kept, secrets in %s\n", s.name, s.dir)
		return errors.Join(errs...)
	}
	if s.up {
		_, err := s.call(ctx, append(s.compose, "down", "--volumes", "--remove-orphans", "--timeout", "1")...)
		errs = append(errs, err)
	}
	if out, err := s.docker(ctx, "image", "ls", "--quiet", "ciclo:"+s.name); err != nil || out != "" {
		_, err := s.docker(ctx, "image", "rm", "ciclo:"+s.name)
		errs = append(errs, err)
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
