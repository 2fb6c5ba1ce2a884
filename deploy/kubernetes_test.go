package deploy

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// manifest is as much of Kubernetes' objects as is held against the code here; the
// module in kubernetes/check holds all of them against their own types.
type manifest struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Data map[string]string `json:"data"`
	Spec struct {
		Replicas int `json:"replicas"`
		Template struct {
			Spec podSpec `json:"spec"`
		} `json:"template"`
		Ports []struct {
			TargetPort any `json:"targetPort"`
		} `json:"ports"`
	} `json:"spec"`
}

type podSpec struct {
	Grace           int64 `json:"terminationGracePeriodSeconds"`
	Automount       *bool `json:"automountServiceAccountToken"`
	ServiceLinks    *bool `json:"enableServiceLinks"`
	SecurityContext struct {
		RunAsNonRoot   bool  `json:"runAsNonRoot"`
		RunAsUser      int64 `json:"runAsUser"`
		SeccompProfile struct {
			Type string `json:"type"`
		} `json:"seccompProfile"`
	} `json:"securityContext"`
	Containers []container `json:"containers"`
	Volumes    []struct {
		Name   string `json:"name"`
		Secret *struct {
			SecretName string `json:"secretName"`
		} `json:"secret"`
	} `json:"volumes"`
}

type container struct {
	Args    []string `json:"args"`
	EnvFrom []struct {
		ConfigMapRef struct {
			Name string `json:"name"`
		} `json:"configMapRef"`
	} `json:"envFrom"`
	Env []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"env"`
	Ports []struct {
		Name string `json:"name"`
		Port int    `json:"containerPort"`
	} `json:"ports"`
	StartupProbe, LivenessProbe, ReadinessProbe *probe
	Lifecycle                                   struct {
		PreStop struct {
			Sleep struct {
				Seconds int64 `json:"seconds"`
			} `json:"sleep"`
		} `json:"preStop"`
	} `json:"lifecycle"`
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `json:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `json:"readOnlyRootFilesystem"`
		Capabilities             struct {
			Drop []string `json:"drop"`
		} `json:"capabilities"`
	} `json:"securityContext"`
	Resources struct {
		Requests, Limits map[string]string
	} `json:"resources"`
	VolumeMounts []struct {
		Name      string `json:"name"`
		MountPath string `json:"mountPath"`
	} `json:"volumeMounts"`
}

type probe struct {
	HTTPGet struct {
		Path string `json:"path"`
		Port string `json:"port"`
	} `json:"httpGet"`
}

// built are the objects of each kustomization, by its folder.
func built(t *testing.T) map[string][]manifest {
	t.Helper()
	check := filepath.Join(t.TempDir(), "check")
	build := exec.Command("go", "build", "-o", check, ".")
	build.Dir = "kubernetes/check"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	run := exec.Command(check, "base", "overlays/example")
	run.Dir = "kubernetes"
	out, err := run.Output()
	if err != nil {
		var stderr []byte
		if exit, ended := err.(*exec.ExitError); ended { //nolint:errorlint // Output gives it bare
			stderr = exit.Stderr
		}
		t.Fatalf("%v\n%s", err, stderr)
	}
	var all map[string][]manifest
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	for folder, objects := range built(t) {
		settings, services := map[string]map[string]string{}, map[string]int{}
		for _, o := range objects {
			if o.Kind == "ConfigMap" {
				settings[o.Metadata.Name] = o.Data
			}
		}
		for _, o := range objects {
			where := folder + ": " + o.Metadata.Name
			switch o.Kind {
			case "Deployment", "Job":
				services[workload(t, where, o, settings)] = o.Spec.Replicas
			case "Service":
				for _, p := range o.Spec.Ports {
					if p.TargetPort != "api" {
						t.Errorf("%s opens %v", where, p.TargetPort)
					}
				}
			}
		}
		if services["orchestrator"] < 2 || services["worker"] < 3 || len(services) != 3 {
			t.Errorf("%s runs %v", folder, services)
		}
	}
}

// workload holds one against the code, and says which program it runs.
func workload(t *testing.T, where string, o manifest, settings map[string]map[string]string) string {
	t.Helper()
	pod := o.Spec.Template.Spec
	if len(pod.Containers) != 1 {
		t.Fatalf("%s has %d containers", where, len(pod.Containers))
	}
	c := pod.Containers[0]
	service := program(t, c.Args...)
	environment := map[string]string{}
	for _, from := range c.EnvFrom { // both services get the same; each reads its own
		knows(t, service, onlyKnown(t, service, settings[from.ConfigMapRef.Name]))
	}
	for _, e := range c.Env {
		environment[e.Name] = e.Value
	}
	knows(t, service, environment)
	secretFiles(t, where, pod, environment)
	confined(t, where, pod)
	ports := map[string]string{}
	for _, p := range c.Ports {
		ports[p.Name] = strconv.Itoa(p.Port)
	}
	grace, least := time.Duration(pod.Grace-c.Lifecycle.PreStop.Sleep.Seconds)*time.Second, answering
	switch service {
	case "ciclo":
		return service
	case "worker":
		least = drain(t, environment) + leave
		if c.LivenessProbe.HTTPGet.Path != "/healthz" || c.ReadinessProbe != nil {
			t.Errorf("%s: the probes are %+v and %+v", where, c.LivenessProbe, c.ReadinessProbe)
		}
	case "orchestrator":
		if ports["api"] != port(t, environment["CICLO_LISTEN"]) || ports["api"] != apiPort(t) {
			t.Errorf("%s: the API is at %s, the port %s", where, environment["CICLO_LISTEN"], ports["api"])
		}
		// While Postgres is away readyz is 503: who restarts for that mends nothing.
		if c.StartupProbe.HTTPGet.Path != "/healthz" || c.LivenessProbe.HTTPGet.Path != "/healthz" || c.ReadinessProbe.HTTPGet.Path != "/readyz" {
			t.Errorf("%s: the probes are %+v, %+v, %+v", where, c.StartupProbe, c.LivenessProbe, c.ReadinessProbe)
		}
	}
	if grace < least {
		t.Errorf("%s is killed after %s, and needs %s", where, grace, least)
	}
	if ports["metrics"] != port(t, environment["CICLO_METRICS_LISTEN"]) || ports["metrics"] != metricsPort {
		t.Errorf("%s: metrics are at %s, the port %s", where, environment["CICLO_METRICS_LISTEN"], ports["metrics"])
	}
	return service
}

// secretFiles looks that each …_FILE is below a mount of a secret.
func secretFiles(t *testing.T, where string, pod podSpec, environment map[string]string) {
	t.Helper()
	secrets := map[string]bool{}
	for _, v := range pod.Volumes {
		secrets[v.Name] = v.Secret != nil
	}
	folders := map[string]bool{}
	for _, m := range pod.Containers[0].VolumeMounts {
		folders[m.MountPath] = secrets[m.Name]
	}
	for name, value := range environment {
		if len(name) > 5 && name[len(name)-5:] == "_FILE" && !folders[filepath.Dir(value)] {
			t.Errorf("%s: %s=%s is in no secret", where, name, value)
		}
	}
	if environment["DATABASE_URL_FILE"] == "" {
		t.Errorf("%s has no database", where)
	}
}

// confined looks at what a pod may do.
func confined(t *testing.T, where string, pod podSpec) {
	t.Helper()
	c := pod.Containers[0]
	no := func(b *bool) bool { return b != nil && !*b }
	if s := pod.SecurityContext; !s.RunAsNonRoot || s.RunAsUser != 65532 || s.SeccompProfile.Type != "RuntimeDefault" || !no(pod.Automount) || !no(pod.ServiceLinks) {
		t.Errorf("%s may too much: %+v", where, pod)
	}
	if s := c.SecurityContext; !s.ReadOnlyRootFilesystem || !no(s.AllowPrivilegeEscalation) || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("%s may too much: %+v", where, s)
	}
	if c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" || c.Resources.Requests["cpu"] == "" {
		t.Errorf("%s asks for %+v", where, c.Resources)
	}
}
