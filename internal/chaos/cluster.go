package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/localpostgres"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/process"
)

const token = "a-token-for-chaos"

// cluster is Postgres, the services, and the network between them.
type cluster struct {
	dir  string
	plan plan

	// admin reaches Postgres past the proxies.
	admin *pgxpool.Pool
	// down is held by whoever takes Postgres away.
	down     sync.Mutex
	postgres *localpostgres.Server
	data     string                // where in dir its data are
	replica  *localpostgres.Server // nil where there is none, and after it was promoted
	promoted time.Time             // when it was

	services []*service
}

// service is one orchestrator or worker. It is started again when it ends, as a
// supervisor would.
type service struct {
	name string
	path string
	env  []string
	api  *client.Client // an orchestrator's
	// proxies lead to Postgres, and to its replica where there is one.
	proxies []*toxiproxy.Proxy
	dir     string

	mu sync.Mutex
	p  *process.Process
	// expected is set by who ends the process: any other end is a finding.
	expected bool
	died     []string
	pause    time.Duration // before it is started again
	stopped  chan struct{}
}

func startCluster(ctx context.Context, p plan, models string) (_ *cluster, err error) {
	dir, err := os.MkdirTemp("/var/tmp", "ciclo-chaos-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, plan: p, data: "postgres"}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // as root the server runs as another user, who must get through
		return nil, err
	}
	file, err := modelsFile(dir, models, p.seed)
	if err != nil {
		return nil, err
	}
	const agents = "github.com/nuzantara/ciclo/internal/testagents/"
	args := []string{"build", "-o", dir + "/"}
	if p.unfenced {
		args = append(args, "-tags", "unfenced")
	}
	if out, err := exec.CommandContext(ctx, "go", append(args, agents+"orchestrator", agents+"worker")...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the services: %w\n%s", err, out)
	}
	if c.postgres, err = localpostgres.Start(ctx, localpostgres.Config{Dir: filepath.Join(dir, c.data)}); err != nil {
		return nil, err
	}
	address := c.postgres.URL("postgres")
	if err := postgres.Migrate(ctx, address); err != nil {
		return nil, err
	}
	if err := c.connect(ctx, address); err != nil {
		return nil, err
	}
	if p.failover != noFailover {
		if err := c.startReplica(ctx); err != nil {
			return nil, err
		}
	}
	hosts, err := c.hosts()
	if err != nil {
		return nil, err
	}
	if address, err = c.at(hosts); err != nil {
		return nil, err
	}
	c.admin.Close()
	if err := c.connect(ctx, address); err != nil {
		return nil, err
	}
	proxies := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.New(io.Discard))
	for i, name := range []string{"orchestrator", "orchestrator", "worker", "worker", "worker"} {
		s := &service{name: fmt.Sprintf("%s-%d", name, i+1), path: filepath.Join(dir, name), dir: dir, stopped: make(chan struct{})}
		through, err := c.proxied(s, proxies, hosts)
		if err != nil {
			return nil, err
		}
		listen, err := process.FreeAddress()
		if err != nil {
			return nil, err
		}
		s.env = []string{
			"DATABASE_URL=" + through, "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + listen,
			"CICLO_LEASE=" + p.lease.String(), "CICLO_BEAT=" + (p.lease / 3).String(), "CICLO_REAP_EVERY=" + (p.lease / 10).String(),
			"CICLO_DRAIN=1s",
		}
		if name == "orchestrator" {
			s.env = append(s.env[:3:3], "CICLO_LEASE="+p.lease.String(), "CICLO_REAP_EVERY="+(p.lease/10).String())
			s.api = &client.Client{URL: "http://" + listen, Token: token, HTTP: httpClient()}
		}
		s.env = append(s.env, "CICLO_MODELS="+file)
		c.services = append(c.services, s)
		if err := s.start(); err != nil {
			return nil, err
		}
		go s.supervise()
	}
	return c, c.ready(ctx)
}

func (c *cluster) connect(ctx context.Context, address string) (err error) {
	c.admin, err = postgres.Connect(ctx, postgres.PoolConfig{URL: address, Name: "ciclo chaos", MaxConns: 8})
	return err
}

// proxied starts the service's proxies and returns the URL that leads through them.
func (c *cluster) proxied(s *service, proxies *toxiproxy.ApiServer, hosts []string) (string, error) {
	var listening []string
	for i, host := range hosts {
		proxy := toxiproxy.NewProxy(proxies, fmt.Sprintf("%s-%d", s.name, i), "127.0.0.1:0", host)
		if err := proxy.Start(); err != nil {
			return "", fmt.Errorf("start a proxy: %w", err)
		}
		s.proxies = append(s.proxies, proxy)
		listening = append(listening, proxy.Listen)
	}
	return c.at(listening)
}

// ready returns when every orchestrator answers.
func (c *cluster) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, s := range c.services {
		for s.api != nil {
			err := s.api.Ready(ctx)
			if err == nil {
				break
			}
			if !sleep(ctx, 100*time.Millisecond) {
				return fmt.Errorf("%s doesn't get ready: %w; its last words:\n%s", s.name, err, s.current().LastWords())
			}
		}
	}
	return nil
}

func (s *service) start() error {
	p, err := process.Start(process.Config{Name: s.name, Path: s.path, Env: s.env, LogDir: s.dir})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.p, s.expected, s.pause = p, false, 200*time.Millisecond
	return nil
}

func (s *service) current() *process.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.p
}

// supervise starts the service again whenever it has ended.
func (s *service) supervise() {
	for {
		p := s.current()
		select {
		case <-p.Done():
		case <-s.stopped:
			return
		}
		s.mu.Lock()
		pause := s.pause
		if !s.expected {
			s.died = append(s.died, fmt.Sprintf("%s ended by itself (%v): %s", s.name, p.Err(), p.LastWords()))
		}
		s.mu.Unlock()
		select {
		case <-time.After(pause):
		case <-s.stopped:
			return
		}
		if err := s.start(); err != nil {
			s.mu.Lock()
			s.died = append(s.died, err.Error())
			s.mu.Unlock()
			return
		}
	}
}

// end sends the signal that ends the process, which starts again after the pause.
func (s *service) end(signal syscall.Signal, pause time.Duration) error {
	s.mu.Lock()
	s.expected, s.pause = true, pause
	p := s.p
	s.mu.Unlock()
	if err := p.Signal(signal); err != nil {
		return err
	}
	return p.Signal(syscall.SIGCONT) // a frozen one must hear it too
}

// databaseDown stops Postgres in a mode (SIGINT fast, SIGQUIT immediate) for a while.
func (c *cluster) databaseDown(ctx context.Context, mode syscall.Signal, pause time.Duration) error {
	c.down.Lock()
	defer c.down.Unlock()
	old := c.postgres
	if mode == syscall.SIGQUIT {
		if err := syscall.Kill(old.PID(), mode); err != nil {
			return fmt.Errorf("crash postgres: %w", err)
		}
		<-old.Done()
	}
	if err := old.Stop(); err != nil && mode != syscall.SIGQUIT {
		return err
	}
	sleep(ctx, pause)
	// Even when time is up: the checks need it. Its port may have gone to somebody's
	// connection meanwhile.
	var err error
	for range 60 {
		var server *localpostgres.Server
		server, err = localpostgres.Start(context.WithoutCancel(ctx), localpostgres.Config{Dir: filepath.Join(c.dir, c.data), Port: old.Port})
		if err == nil {
			c.postgres = server
			return nil
		}
		time.Sleep(time.Second)
	}
	return err
}

// deaths are the ends that nobody caused.
func (c *cluster) deaths() []string {
	var all []string
	for _, s := range c.services {
		s.mu.Lock()
		all = append(all, s.died...)
		s.mu.Unlock()
	}
	return all
}

func (c *cluster) of(kind string) []*service {
	var some []*service
	for _, s := range c.services {
		if strings.HasPrefix(s.name, kind) {
			some = append(some, s)
		}
	}
	return some
}

// close ends everything and, unless it is to be kept, removes it.
func (c *cluster) close() error {
	var errs []error
	for _, s := range c.services {
		close(s.stopped)
		if p := s.current(); p != nil {
			errs = append(errs, p.Kill())
		}
		for _, proxy := range s.proxies {
			proxy.Stop()
		}
	}
	if c.admin != nil {
		c.admin.Close()
	}
	for _, server := range []*localpostgres.Server{c.postgres, c.replica} {
		if server != nil {
			errs = append(errs, server.Stop())
		}
	}
	if c.plan.keep {
		fmt.Println("logs and data are kept in", c.dir)
		return errors.Join(errs...)
	}
	if c.postgres != nil {
		errs = append(errs, localpostgres.Remove(context.Background(), filepath.Join(c.dir, "postgres")), localpostgres.Remove(context.Background(), filepath.Join(c.dir, "replica")))
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
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
