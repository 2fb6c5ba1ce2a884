package cli

import (
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
)

func TestGantt(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	at := func(s int) *time.Time {
		instant := from.Add(time.Duration(s) * time.Second)
		return &instant
	}
	for name, c := range map[string]struct {
		agent client.CycleAgent
		want  string
	}{
		"not begun":   {client.CycleAgent{}, ""},
		"waits":       {client.CycleAgent{StartedAt: at(10)}, "          .............................."},
		"runs":        {client.CycleAgent{StartedAt: at(10), RunningAt: at(20)}, "          ..........####################"},
		"ended":       {client.CycleAgent{StartedAt: at(0), RunningAt: at(0), EndedAt: at(20)}, "####################"},
		"very short":  {client.CycleAgent{StartedAt: at(5), RunningAt: at(5), EndedAt: at(5)}, "     #"},
		"never began": {client.CycleAgent{StartedAt: at(0), EndedAt: at(4)}, "...."},
		"before it":   {client.CycleAgent{StartedAt: at(-5), RunningAt: at(-5), EndedAt: at(99)}, "########################################"},
	} {
		if got := gantt(c.agent, from, *at(40)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
