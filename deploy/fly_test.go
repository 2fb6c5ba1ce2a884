package deploy

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// flyApp is as much of fly.toml as is used here, by the names of Fly's reference
// (fly.io/docs/reference/configuration).
type flyApp struct {
	App           string `toml:"app"`
	PrimaryRegion string `toml:"primary_region"`
	KillSignal    string `toml:"kill_signal"`
	KillTimeout   string `toml:"kill_timeout"`
	Build         struct {
		Dockerfile string `toml:"dockerfile"`
	} `toml:"build"`
	Deploy struct {
		ReleaseCommand        string  `toml:"release_command"`
		ReleaseCommandTimeout string  `toml:"release_command_timeout"`
		Strategy              string  `toml:"strategy"`
		MaxUnavailable        float64 `toml:"max_unavailable"`
	} `toml:"deploy"`
	Env         map[string]string `toml:"env"`
	Processes   map[string]string `toml:"processes"`
	HTTPService struct {
		Processes          []string `toml:"processes"`
		InternalPort       int      `toml:"internal_port"`
		ForceHTTPS         bool     `toml:"force_https"`
		AutoStopMachines   string   `toml:"auto_stop_machines"`
		AutoStartMachines  bool     `toml:"auto_start_machines"`
		MinMachinesRunning int      `toml:"min_machines_running"`
		Concurrency        struct {
			Type      string `toml:"type"`
			SoftLimit int    `toml:"soft_limit"`
		} `toml:"concurrency"`
		Checks []flyCheck `toml:"checks"`
	} `toml:"http_service"`
	Checks  map[string]flyPortCheck `toml:"checks"`
	Metrics []struct {
		Processes []string `toml:"processes"`
		Port      int      `toml:"port"`
		Path      string   `toml:"path"`
	} `toml:"metrics"`
	Restart []struct {
		Policy string `toml:"policy"`
	} `toml:"restart"`
	VM []struct {
		Processes []string `toml:"processes"`
		Size      string   `toml:"size"`
		Memory    string   `toml:"memory"`
	} `toml:"vm"`
}

type flyCheck struct {
	Method      string `toml:"method"`
	Path        string `toml:"path"`
	Interval    string `toml:"interval"`
	Timeout     string `toml:"timeout"`
	GracePeriod string `toml:"grace_period"`
}

type flyPortCheck struct {
	flyCheck
	Processes []string `toml:"processes"`
	Type      string   `toml:"type"`
	Port      int      `toml:"port"`
}

func readFly(t *testing.T, text []byte) (app flyApp, err error) {
	t.Helper()
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	err = decoder.Decode(&app)
	return app, err
}

func TestFly(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("fly/fly.toml")
	if err != nil {
		t.Fatal(err)
	}
	app, err := readFly(t, text)
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		t.Fatal(strict.String())
	} else if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join("fly", app.Build.Dockerfile)); err != nil {
		t.Errorf("Fly looks for the Dockerfile beside fly.toml: %v", err)
	}
	if program(t, strings.Fields(app.Deploy.ReleaseCommand)...) != "ciclo" {
		t.Errorf("a release begins with %q", app.Deploy.ReleaseCommand)
	}
	for group, command := range app.Processes {
		knows(t, group, onlyKnown(t, group, app.Env))
		if program(t, strings.Fields(command)...) != group {
			t.Errorf("the group %s runs %q", group, command)
		}
	}
	if groups := len(app.Processes); groups != 2 {
		t.Errorf("there are %d groups", groups)
	}
	for name := range app.Env {
		if variables(t, "orchestrator")[name] == "" && variables(t, "worker")[name] == "" && !strings.HasSuffix(name, "_LISTEN") {
			t.Errorf("no service reads %s", name)
		}
	}
	timeout := duration(t, app.KillTimeout)
	if least := drain(t, app.Env) + leave; app.KillSignal != "SIGTERM" || timeout <= least || timeout > 5*time.Minute {
		t.Errorf("a stop is %s and %s: a worker needs SIGTERM and more than %s, and Fly gives five minutes at most", app.KillSignal, timeout, least)
	}
	service := app.HTTPService
	if strconv.Itoa(service.InternalPort) != port(t, app.Env["CICLO_LISTEN"]) || port(t, app.Env["CICLO_LISTEN"]) != apiPort(t) {
		t.Errorf("the proxy asks %d, the API is at %s, by default at %s", service.InternalPort, app.Env["CICLO_LISTEN"], apiPort(t))
	}
	if !slices.Equal(service.Processes, []string{"orchestrator"}) || !service.ForceHTTPS {
		t.Errorf("the service is %+v", service)
	}
	if service.AutoStopMachines != "off" || service.MinMachinesRunning < 1 {
		t.Error("Fly may stop the last orchestrator: nobody would open cycles")
	}
	// Restarting mends no database, so the proxy alone looks at it.
	if len(service.Checks) != 1 || service.Checks[0].Path != "/readyz" {
		t.Errorf("the proxy's checks are %+v", service.Checks)
	}
	for name, check := range app.Checks {
		if check.Path != "/healthz" || strconv.Itoa(check.Port) != port(t, app.Env["CICLO_METRICS_LISTEN"]) || check.Type != "http" {
			t.Errorf("the check %s is %+v", name, check)
		}
	}
	if len(app.Metrics) != 1 || strconv.Itoa(app.Metrics[0].Port) != metricsPort || app.Metrics[0].Path != "/metrics" || len(app.Metrics[0].Processes) != 2 {
		t.Errorf("metrics are %+v", app.Metrics)
	}
	if metrics := port(t, app.Env["CICLO_METRICS_LISTEN"]); metrics != metricsPort || service.InternalPort == app.Metrics[0].Port {
		t.Errorf("metrics are served at %s", metrics)
	}
	for _, size := range app.VM {
		for _, group := range size.Processes {
			if app.Processes[group] == "" {
				t.Errorf("a size is of the group %s, which is not there", group)
			}
		}
	}
}

// onlyKnown leaves out what other services than this one read: Fly gives every
// machine the same environment.
func onlyKnown(t *testing.T, service string, environment map[string]string) map[string]string {
	t.Helper()
	others := map[string]string{"orchestrator": "worker", "worker": "orchestrator"}[service]
	kept := map[string]string{}
	for name, value := range environment {
		if _, known := variables(t, others)[name]; !known {
			kept[name] = value
		} else if _, known := variables(t, service)[name]; known {
			kept[name] = value
		}
	}
	return kept
}

func TestFlyRefusesAnUnknownKey(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"at the top":   `kill_timeouts = "60s"`,
		"in a section": "[http_service]\nauto_stop = true",
		"in a list":    "[[vm]]\nsizes = 1",
	} {
		if _, err := readFly(t, []byte(text)); err == nil {
			t.Errorf("%s it is taken", name)
		}
	}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
