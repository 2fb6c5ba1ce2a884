// Package demotest starts `ciclo dev --demo` for tests that look at it from outside.
package demotest

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/localpostgres"
)

var serves = regexp.MustCompile(`The API serves at (http://[\d.:]+\d)`)

// Environment is this process's without what would lead a program to another system.
func Environment() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CICLO_") && !strings.HasPrefix(v, "DATABASE_") {
			env = append(env, v)
		}
	}
	return env
}

// Build builds the three programs into the folder's bin, where `make` puts them.
func Build(tb testing.TB, dir string) (bin string) {
	tb.Helper()
	bin = filepath.Join(dir, "bin")
	if out, err := exec.CommandContext(tb.Context(), "go", "build", "-o", bin+string(filepath.Separator), "github.com/nuzantara/ciclo/cmd/...").CombinedOutput(); err != nil { //nolint:gosec // a test's own folder
		tb.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// Start does in the folder what `make demo` does, at a free port: the programs in bin,
// the data in .ciclo. It returns when the API serves, and ends all with the test.
func Start(tb testing.TB, dir string) *client.Client {
	tb.Helper()
	bin, data := Build(tb, dir), filepath.Join(dir, ".ciclo")
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := localpostgres.Remove(ctx, filepath.Join(data, "postgres")); err != nil {
			tb.Errorf("remove the database: %v", err)
		}
	})
	cmd := exec.CommandContext(context.Background(), filepath.Join(bin, "ciclo"), "dev", "--demo", "--listen", "127.0.0.1:0") //nolint:gosec // a test's own program
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, Environment(), 30*time.Second
	said, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	found, read := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			if at := serves.FindStringSubmatch(lines.Text()); at != nil {
				found <- at[1]
			}
		}
		io.Copy(io.Discard, said) //nolint:errcheck // a line that was too long
	}()
	tb.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			tb.Error(err)
		}
		<-read
		if err := cmd.Wait(); err != nil {
			tb.Errorf("the demo ended with %v", err)
		}
	})
	select {
	case at := <-found:
		token, err := os.ReadFile(filepath.Join(data, "token"))
		if err != nil {
			tb.Fatal(err)
		}
		return &client.Client{URL: at, Token: strings.TrimSpace(string(token))}
	case <-read:
		tb.Fatal("the demo ended before it served")
	case <-time.After(5 * time.Minute):
		tb.Fatal("the demo doesn't come up")
	}
	return nil
}
