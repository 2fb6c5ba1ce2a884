package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// defaultListen is where an orchestrator serves unless it is told otherwise.
const defaultListen = "http://127.0.0.1:8080"

// healthCommand is for supervisors: an image without a shell has no other way to
// ask. It needs no token and never looks into ciclo dev's folder.
type healthCommand struct {
	Beside  bool          `help:"Ask about what runs beside this in its container: the orchestrator whether it is ready, Postgres whether the worker's lease is alive. Other commands are healthy while they run."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer."`
}

func (c healthCommand) Run(ctx context.Context, g *Globals) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	found := map[string]any{}
	err := c.look(ctx, g, found)
	if g.JSON {
		err = errors.Join(err, g.printJSON(found))
	}
	return err
}

// look says what is healthy, notes it for --json, and returns what isn't.
func (c healthCommand) look(ctx context.Context, g *Globals, found map[string]any) error {
	if !c.Beside {
		return ready(ctx, g, cmp.Or(g.URL, defaultListen), found)
	}
	running, err := beside("/proc")
	if err != nil {
		return err
	}
	if _, there := running["orchestrator"]; there {
		if err := ready(ctx, g, listening(os.Getenv("CICLO_LISTEN")), found); err != nil {
			return err
		}
	}
	if pid, there := running["worker"]; there {
		return leased(ctx, g, pid, found)
	}
	return nil
}

func ready(ctx context.Context, g *Globals, url string, found map[string]any) error {
	api := client.Client{URL: url}
	err := api.Ready(ctx)
	found["url"], found["ready"] = url, err == nil
	if err != nil {
		return fmt.Errorf("%s is not ready: %w", url, err)
	}
	g.say("%s is ready.", url)
	return nil
}

// leased asks Postgres for the lease of the worker process on this host: it says
// better than the process could whether the worker lives.
func leased(ctx context.Context, g *Globals, pid int, found map[string]any) error {
	found["alive"] = false
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	address, err := g.database()
	if err != nil {
		return err
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: address, Name: "ciclo health", MaxConns: 1, Pooled: true})
	if err != nil {
		return err
	}
	defer pool.Close()
	store, err := postgres.New(pool)
	if err != nil {
		return err
	}
	id, alive, err := store.Lease(ctx, host, pid)
	if err != nil {
		return err
	}
	found["worker"], found["alive"] = id, alive
	switch {
	case id == "":
		return fmt.Errorf("the worker of process %d on %s has not registered", pid, host)
	case !alive:
		return fmt.Errorf("the lease of worker %s has run out", id)
	}
	g.say("Worker %s has its lease.", id)
	return nil
}

// listening is the URL of an orchestrator on this host that listens at an address
// such as :8080.
func listening(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return defaultListen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// beside is the processes that can be seen, by the names of their programs. In a
// container it sees the container's.
func beside(proc string) (map[string]int, error) {
	found, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "comm"))
	if err == nil && len(found) == 0 {
		err = errors.New("there is no process to be seen in " + proc)
	}
	if err != nil {
		return nil, fmt.Errorf("look for what runs beside: %w", err)
	}
	running := map[string]int{}
	for _, path := range found {
		name, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		running[strings.TrimSpace(string(name))] = pid
	}
	return running, nil
}
