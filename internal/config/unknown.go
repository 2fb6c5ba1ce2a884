package config

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// names are the variables of all programs, one a line: a program doesn't know those
// of the others. A test holds them against the programs.
//
//go:embed names.txt
var names string

// Elsewhere are variables of Ciclo's that no program reads: of docker-compose.yml and
// its scripts, of make, of tests. They are what they mean, by name.
func Elsewhere() map[string]string {
	return maps.Clone(map[string]string{
		"CICLO_IMAGE":                "docker-compose.yml: the image of Ciclo's services",
		"CICLO_POSTGRES_IMAGE":       "docker-compose.yml, deploy/check-compose: the image of Postgres",
		"CICLO_BIND":                 "docker-compose.yml: the address that ports are published on",
		"CICLO_PORT":                 "docker-compose.yml: the port that the API is published on",
		"CICLO_SECRETS":              "docker-compose.yml: the folder of the secrets",
		"CICLO_GRAFANA_VERSION":      "docker-compose.yml: Grafana's version",
		"CICLO_GRAFANA_PORT":         "docker-compose.yml: Grafana's port",
		"CICLO_PROMETHEUS_IMAGE":     "docker-compose.yml: Prometheus' image",
		"CICLO_PROMETHEUS_PORT":      "docker-compose.yml: Prometheus' port",
		"CICLO_GO_IMAGE":             "deploy/check-compose: the image that deploy/Dockerfile is built with",
		"CICLO_CHECK_KEEP":           "deploy/check-compose: 1 leaves everything up",
		"CICLO_TEST_POSTGRES_IMAGE":  "tests: the image of their Postgres where Docker has it",
		"CICLO_TEST_POSTGRES":        "tests: url, local or container, that Postgres and no other",
		"CICLO_VERSION":              "docker-compose.yml: the version that the image is labelled with",
		"CICLO_REVISION":             "docker-compose.yml: the revision that the image is labelled with",
		"CICLO_CREATED":              "docker-compose.yml: the time that the image is labelled with",
		"CICLO_POSTGRES_CONNECTIONS": "docker-compose.yml: Postgres' max_connections",
		"CICLO_NEED_CONTAINERS":      "deploy/check-compose and the container tests: 1 makes it an error that there is no Docker or no image",
		"CICLO_BIN":                  "deploy/check-systemd: a folder with the programs",
		"CICLO_TAGS":                 "deploy/stage-root: more build tags",
	})
}

// Unknown are the variables CICLO_… of an environment, as os.Environ gives it, that
// nothing reads, each with the name that is nearest. known adds to the names.
func Unknown(environment []string, known map[string]bool) (all []Problem) {
	candidates := append(strings.Fields(names), slices.Collect(maps.Keys(Elsewhere()))...)
	candidates = append(candidates, slices.Collect(maps.Keys(known))...)
	slices.Sort(candidates)
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		// Those of the tests are many and nobody else's.
		if !strings.HasPrefix(name, "CICLO_") || strings.HasPrefix(name, "CICLO_TEST_") || slices.Contains(candidates, name) {
			continue
		}
		p := Problem{Variable: name, Text: name + " is read by nothing"}
		if near := nearest(name, candidates); near != "" {
			p.Text += fmt.Sprintf(": is %s meant?", near)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Problem) int { return strings.Compare(a.Variable, b.Variable) })
	return all
}

// nearest is the candidate of the fewest edits, at most a third of the name's own
// part; empty where none is near.
func nearest(name string, candidates []string) string {
	best, least := "", (len(name)-len("CICLO_"))/3+1
	for _, c := range candidates {
		if d := distance(name, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is Levenshtein's, of bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			corner, row[j+1] = row[j+1], min(corner+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
