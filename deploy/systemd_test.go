package deploy

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// unit is a unit file: the values of each key, in their order.
type unit map[string][]string

func readUnit(t *testing.T, path string) unit {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	u := unit{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		key, value, found := strings.Cut(lines.Text(), "=")
		if line := lines.Text(); line == "" || line[0] == '#' || line[0] == '[' {
			continue
		} else if !found {
			t.Fatalf("%s: %q is no setting", path, line)
		}
		u[key] = append(u[key], value)
	}
	return u
}

func (u unit) one(t *testing.T, key string) string {
	t.Helper()
	if len(u[key]) != 1 {
		t.Errorf("%s is %q", key, u[key])
		return ""
	}
	return u[key][0]
}

func (u unit) environment(t *testing.T) map[string]string {
	t.Helper()
	environment := map[string]string{}
	for _, line := range u["Environment"] {
		for _, word := range strings.Fields(line) {
			name, value, _ := strings.Cut(word, "=")
			environment[name] = value
		}
	}
	return environment
}

func (u unit) seconds(t *testing.T, key string) time.Duration {
	t.Helper()
	text := u.one(t, key)
	if text != "" && text[len(text)-1] <= '9' {
		text += "s"
	}
	return duration(t, text)
}

const units = "systemd"

func TestSystemdUnits(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{"ciclo-migrate.service": "ciclo", "ciclo-orchestrator.service": "orchestrator", "ciclo-worker@.service": "worker"} {
		u := readUnit(t, filepath.Join(units, file))
		if got := program(t, strings.Fields(u.one(t, "ExecStart"))...); got != want {
			t.Errorf("%s starts %s", file, got)
		}
		environment := u.environment(t)
		knows(t, want, environment)
		// Each secret is a credential, and each credential is read.
		loaded := map[string]bool{}
		for _, credential := range u["LoadCredential"] {
			name, path, _ := strings.Cut(credential, ":")
			loaded["%d/"+name] = path == "/etc/ciclo/"+name
		}
		for name, value := range environment {
			if strings.HasSuffix(name, "_FILE") {
				if !loaded[value] {
					t.Errorf("%s: %s=%s is not loaded from /etc/ciclo", file, name, value)
				}
				delete(loaded, value)
			}
		}
		if len(loaded) > 0 {
			t.Errorf("%s loads %v, which nothing reads", file, loaded)
		}
		if want == "ciclo" {
			continue
		}
		if u.one(t, "Restart") != "always" || u.one(t, "KillSignal") != "SIGTERM" || u.one(t, "KillMode") != "mixed" {
			t.Errorf("%s: Restart=%s KillSignal=%s KillMode=%s", file, u["Restart"], u["KillSignal"], u["KillMode"])
		}
		least := answering
		if want == "worker" {
			least = drain(t, environment) + leave
		} else if port(t, environment["CICLO_LISTEN"]) != apiPort(t) || port(t, environment["CICLO_METRICS_LISTEN"]) != metricsPort {
			t.Errorf("%s listens at %v", file, environment)
		}
		if stop := u.seconds(t, "TimeoutStopSec"); stop <= least {
			t.Errorf("%s is killed after %s, and needs %s", file, stop, least)
		}
		// With this pause between two starts the bound must be within reach.
		if u.one(t, "StartLimitBurst") != "20" || 20*u.seconds(t, "RestartSec") >= u.seconds(t, "StartLimitIntervalSec") {
			t.Errorf("%s never comes to its bound of restarts", file)
		}
	}
}

// systemdAnalyze says what systemd itself finds in the units.
func TestSystemdAnalyze(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("systemd-analyze is missing: apt-get install systemd")
	} else if err != nil {
		t.Skip("no systemd-analyze on this machine")
	}
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(units, "*"))
	if err != nil || len(files) != 4 {
		t.Fatalf("the units are %v: %v", files, err)
	}
	// verify wants the programs to be there.
	for _, name := range []string{"ciclo", "orchestrator", "worker"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil { //nolint:gosec // it must be executable
			t.Fatal(err)
		}
	}
	verify := []string{"verify", "--man=no", "--recursive-errors=no"}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, strings.Replace(filepath.Base(file), "@", "@1", 1))
		if err := os.WriteFile(name, bytes.ReplaceAll(text, []byte("=/usr/local/bin/"), []byte("="+dir+"/")), 0o600); err != nil {
			t.Fatal(err)
		}
		verify = append(verify, name)
		if strings.HasSuffix(name, ".service") {
			// 2.0 of 10, where 10 is a service that may do all.
			if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=20", name).CombinedOutput(); err != nil {
				t.Errorf("%s may do too much: %v\n%s", file, err, out)
			}
		}
	}
	if out, err := exec.Command(analyze, verify...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
