package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/nuzantara/ciclo/internal/process"
)

// machine is what the figures were measured on.
type machine struct {
	System   string  `json:"system"`
	CPU      string  `json:"cpu"`
	Cores    int     `json:"cores"`
	MemoryGB float64 `json:"memory_gb"`
	Load     string  `json:"load_before"`
	Go       string  `json:"go"`
	Postgres string  `json:"postgres"`
}

func describe(ctx context.Context, d *database) machine {
	m := machine{
		System: runtime.GOOS + "/" + runtime.GOARCH, CPU: procField("/proc/cpuinfo", "model name"),
		Cores: runtime.NumCPU(), MemoryGB: procKB("/proc/meminfo", "MemTotal") / (1 << 20),
		Go: runtime.Version(), Postgres: d.settings(ctx),
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Fields(string(text))[0]
	}
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores (%s), %.0f GB, load %s before the run, %s", m.System, m.Cores, m.CPU, m.MemoryGB, m.Load, m.Go)
}

// procField reads a "name: value" line of a file in /proc; empty where there is none.
func procField(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// procKB reads a line such as "VmRSS:   1234 kB".
func procKB(path, name string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSuffix(procField(path, name), " kB"), 64)
	if err != nil {
		return 0
	}
	return n
}

// residentMB is the child's resident memory, as Linux counts it; 0 elsewhere.
func residentMB(p *process.Process) float64 {
	return procKB(fmt.Sprintf("/proc/%d/status", p.PID()), "VmRSS") / 1024
}
