package cli

import (
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
)

func TestBar(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	eta := now.Add(90 * time.Second)
	for want, e := range map[string]client.Execution{
		"started   accepted": {Status: "started", Message: "accepted"},
		"running   [############............] 5/10 scoring": {Status: "running", Progress: &client.Progress{Done: 5, Total: 10, Text: "scoring"}},
		"running   [........................] 0/3 loading, about 1m30s left": {
			Status: "running", ETAAt: &eta, Progress: &client.Progress{Total: 3, Text: "loading"},
		},
		"running   [########################] 9/3 more than all": {Status: "running", Progress: &client.Progress{Done: 9, Total: 3, Text: "more than all"}},
		"running   somewhere (7 of 0)":                           {Status: "running", Progress: &client.Progress{Done: 7, Text: "somewhere"}},
	} {
		if got := bar(e, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
