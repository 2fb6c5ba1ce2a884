package docs

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/demotest"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func TestMain(m *testing.M) { testdatabase.Main(m, testdatabase.Options{}) }

// TestRunningItForReal does what README.md says under that title, on a database of its
// own: the schema, an orchestrator, a worker.
func TestRunningItForReal(t *testing.T) {
	dir := t.TempDir()
	demotest.Build(t, dir)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	const token = "a-token-of-a-reader"
	script := "trap 'kill $(jobs -p); wait' EXIT\n"
	found := false
	for _, b := range blocks(t) {
		if b.Page != "README.md" || !strings.Contains(b.Text, "bin/orchestrator") {
			continue
		}
		found = true
		for _, command := range b.Commands() {
			command = strings.ReplaceAll(command, "postgres://user:password@host/database", testdatabase.Empty(t))
			command = strings.ReplaceAll(command, "CICLO_TOKEN=...", "CICLO_TOKEN="+token)
			if strings.HasPrefix(command, "bin/orchestrator") || strings.HasPrefix(command, "bin/worker") {
				command, _, _ = strings.Cut(command, "#")
				command += "&" // the reader has terminals
			}
			script += command + "\n"
		}
	}
	if !found {
		t.Fatal("README.md doesn't say how to run it for real")
	}
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script+"wait\n")
	cmd.Dir, cmd.WaitDelay = dir, 20*time.Second
	cmd.Env = append(demotest.Environment(), "CICLO_LISTEN="+address)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		err := <-ended // by the signal
		if t.Failed() {
			t.Log(err, said.String())
		}
	}()
	c := &client.Client{URL: "http://" + address, Token: token}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := ready(ctx, c)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("it doesn't come up: %v", err)
		case err := <-ended:
			ended <- err
			t.Fatalf("the commands ended: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ready says what is missing until the API answers and a worker is alive.
func ready(ctx context.Context, c *client.Client) error {
	if err := c.Ready(ctx); err != nil {
		return err
	}
	workers, err := c.Workers(ctx)
	if err != nil {
		return err
	}
	if len(workers) != 1 {
		return fmt.Errorf("there are %d workers", len(workers))
	}
	return nil
}
