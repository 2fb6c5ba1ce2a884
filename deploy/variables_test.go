// Package deploy holds the ways of running Ciclo in this folder against its code:
// that the programs they start are there, with the ports and variables that these
// know, and are given the time that a stop takes. It has tests alone.
package deploy

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/agents/conversation"
	"github.com/nuzantara/ciclo/agents/messagesender"
	"github.com/nuzantara/ciclo/internal/channel"
	"github.com/nuzantara/ciclo/internal/pullrequest"
	"github.com/nuzantara/ciclo/orchestrator"
	"github.com/nuzantara/ciclo/worker"
)

const (
	// leave is what a worker needs after its drain: 10 s for the last words of its
	// attempts and 5 s to leave.
	leave = 15 * time.Second
	// answering is how long an orchestrator that stops still answers.
	answering = 15 * time.Second
	// metricsPort is where Prometheus looks (deploy/prometheus) when nothing else is said.
	metricsPort = "9464"
)

// variables are what a service reads from its environment, with the defaults: of the
// fields that kong reads, and what is read past it.
func variables(t *testing.T, service string) map[string]string {
	t.Helper()
	known := map[string]string{"CICLO_LOG_LEVEL": "info", "OTEL_EXPORTER_OTLP_ENDPOINT": "", "GOMEMLIMIT": "", "GOMAXPROCS": "", "SSL_CERT_FILE": ""}
	switch service {
	case "orchestrator":
		fields(reflect.TypeFor[orchestrator.Command](), known)
	case "worker": // as in cmd/worker
		for _, of := range []reflect.Type{
			reflect.TypeFor[worker.Command](), reflect.TypeFor[channel.Config](), reflect.TypeFor[messagesender.Config](),
			reflect.TypeFor[pullrequest.Settings](), reflect.TypeFor[conversation.Config](),
		} {
			fields(of, known)
		}
	case "ciclo":
		known["DATABASE_URL"], known["DATABASE_URL_FILE"] = "", ""
	default:
		t.Fatalf("there is no service %q", service)
	}
	return known
}

func fields(of reflect.Type, known map[string]string) {
	for i := range of.NumField() {
		f := of.Field(i)
		if env := f.Tag.Get("env"); env != "" {
			known[env] = f.Tag.Get("default")
		} else if f.Type.Kind() == reflect.Struct {
			fields(f.Type, known)
		}
	}
}

// program is a command of ours by its words: cmd has it, and of `ciclo` migrate alone
// is run without a person.
func program(t *testing.T, words ...string) string {
	t.Helper()
	if len(words) == 0 {
		t.Fatal("no command")
	}
	name := filepath.Base(words[0])
	if _, err := os.Stat(filepath.Join("..", "cmd", name)); err != nil {
		t.Errorf("%v starts no program of cmd: %v", words, err)
	}
	switch {
	case name == "ciclo" && (len(words) != 2 || words[1] != "migrate"):
		t.Errorf("%v is not `ciclo migrate`", words)
	case name != "ciclo" && len(words) != 1:
		t.Errorf("%v: the services are set by their environment", words)
	}
	return name
}

// knows fails for variables that a service doesn't know, or whose value is a secret.
func knows(t *testing.T, service string, environment map[string]string) {
	t.Helper()
	known := variables(t, service)
	for name := range environment {
		if _, there := known[name]; !there {
			t.Errorf("%s reads no %s", service, name)
		}
		if strings.HasSuffix(name, "_TOKEN") || name == "DATABASE_URL" {
			t.Errorf("%s of %s is a secret: give it by a file", name, service)
		}
	}
}

// drain is how long a worker with an environment lets its attempts finish.
func drain(t *testing.T, environment map[string]string) time.Duration {
	t.Helper()
	text, set := environment["CICLO_DRAIN"]
	if !set {
		text = variables(t, "worker")["CICLO_DRAIN"]
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("CICLO_DRAIN is %q: %v", text, err)
	}
	return d
}

// port is that of an address such as :8080.
func port(t *testing.T, address string) string {
	t.Helper()
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		t.Fatalf("%q is no address", address)
	}
	return address[i+1:]
}

// apiPort is where an orchestrator listens unless it is told otherwise.
func apiPort(t *testing.T) string {
	t.Helper()
	return port(t, variables(t, "orchestrator")["CICLO_LISTEN"])
}
