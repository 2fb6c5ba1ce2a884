package outside

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/localpostgres"
)

// devDir is a folder for ciclo dev, whose database is removed with it, wherever
// it lies.
func devDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	removeDatabase(t, filepath.Join(dir, ".ciclo", "postgres"))
	return dir
}

// removeDatabase removes the database of a folder at the test's end: as root it
// may lie elsewhere.
func removeDatabase(t *testing.T, dir string) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := localpostgres.Remove(ctx, dir); err != nil {
			t.Errorf("remove the database: %v", err)
		}
	})
}

func TestTheDemoOnce(t *testing.T) {
	t.Parallel()
	dir := devDir(t)
	out, said, code := run(t, dir, "ciclo", nil, "dev", "--demo", "--once", "--json", "--listen", "127.0.0.1:0")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	var executions []client.Execution
	if err := json.Unmarshal([]byte(out), &executions); err != nil {
		t.Fatalf("stdout is not the JSON alone: %v: %s", err, out)
	}
	if len(executions) == 0 {
		t.Fatal("the demo ran nothing")
	}
	for _, e := range executions {
		if e.Status != "completed" || path(e) != "started running completed" || e.Transitions[0].From != "" {
			t.Errorf("%s ended as %s", e.ID, e.Raw)
		}
	}
	info, err := os.Stat(filepath.Join(dir, ".ciclo", "token"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file: %v, %v", info, err)
	}
}

// children lists the direct children of a process.
func children(t *testing.T, pid int) []int {
	t.Helper()
	var out []int
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, child)
		}
	}
	return out
}

func alive(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(text), ") Z ")
}

// executable is what a process runs.
func executable(pid int) string {
	path, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	if err != nil {
		return ""
	}
	return filepath.Base(path)
}

func TestDevRestartsAWorkerAndAllDieWithIt(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("needs /proc to see processes: only Linux has it")
	}
	dir := devDir(t)
	p := start(t, dir, "ciclo", nil, "dev", "--listen", "127.0.0.1:0")
	eventually(t, time.Minute, "it serves", func() bool { return strings.Contains(p.out.String(), "The API serves at") })
	workers := func() (pids []int) {
		for _, pid := range children(t, p.cmd.Process.Pid) {
			if executable(pid) == "worker" {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	before := workers()
	if len(before) != 2 {
		t.Fatalf("the workers are %v", before)
	}
	if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "a killed worker is started again", func() bool { return len(workers()) == 2 && !alive(before[0]) })

	// What another command needs is in the folder.
	out, said, code := run(t, dir, "ciclo", nil, "status")
	if code != 0 || !strings.Contains(out, "client-value-predictor") {
		t.Errorf("ciclo status: %d %s%s", code, out, said)
	}

	all := children(t, p.cmd.Process.Pid)
	if len(all) != 4 { // Postgres, orchestrator, two workers
		t.Errorf("the children are %v", all)
	}
	p.signal(syscall.SIGKILL)
	eventually(t, 20*time.Second, "all its children have died with it", func() bool {
		for _, pid := range all {
			if alive(pid) {
				return false
			}
		}
		return true
	})
	// And it starts again on the same data.
	again := start(t, dir, "ciclo", nil, "dev", "--listen", "127.0.0.1:0")
	eventually(t, time.Minute, "it serves again", func() bool { return strings.Contains(again.out.String(), "The API serves at") })
	again.signal(syscall.SIGINT)
	if code := again.wait(time.Minute); code != 0 {
		t.Errorf("Ctrl-C ends it with %d: %s", code, again.err)
	}
}

func TestDevRefusesATakenAddress(t *testing.T) {
	t.Parallel()
	address := freePort(t)
	dir := devDir(t)
	p := start(t, dir, "ciclo", nil, "dev", "--listen", address)
	eventually(t, time.Minute, "it serves", func() bool { return strings.Contains(p.out.String(), "The API serves at") })
	_, said, code := run(t, t.TempDir(), "ciclo", nil, "dev", "--listen", address)
	if code != 1 || !strings.Contains(said, "--listen") {
		t.Errorf("a taken address: %d %s", code, said)
	}
}
