package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// samples is how many failures are written out, and most how many end the run.
const (
	samples     = 10
	maxFailures = 100
)

var errFound = errors.New("an answer is not as it has to be")

// report counts answers and keeps what failed.
type report struct {
	address string
	seed    uint64

	mu      sync.Mutex
	classes map[string]int
	// counts are by operation and status; 0 is of those that were not waited for.
	counts   map[string]map[int]int
	took     []time.Duration
	requests int
	failures int
	texts    []string
	// kinds are the failures that were written out, one of each kind.
	kinds map[string]bool
}

func newReport(address string, seed uint64) *report {
	return &report{address: address, seed: seed, classes: map[string]int{}, counts: map[string]map[int]int{}, kinds: map[string]bool{}}
}

func (r *report) sent() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

func (r *report) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failures > 0
}

// full reports whether so much failed that the rest would tell nothing new.
func (r *report) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failures >= maxFailures
}

func (r *report) add(one *request, a answer, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := "(none)"
	if one.op != nil {
		id = one.op.id
	}
	if one.class == "raw" {
		id = "(raw)"
	}
	if one.wire == nil || a.status == 0 {
		r.requests++
		class := one.class
		if class == "valid" && one.want == anything {
			class = "valid as far as the document tells"
		}
		r.classes[class]++
	}
	if one.wire == nil || a.status != 0 {
		if r.counts[id] == nil {
			r.counts[id] = map[int]int{}
		}
		r.counts[id][a.status]++
	}
	if a.status != 0 && one.patience == 0 {
		r.took = append(r.took, a.took)
	}
	if err != nil {
		r.failures++
		r.write(id, one, a, err)
	}
}

// write keeps a failure with a command that repeats it.
func (r *report) write(id string, one *request, a answer, err error) {
	kind := fmt.Sprint(id, one.class, one.about, a.status)
	if r.kinds[kind] || len(r.texts) >= samples {
		return
	}
	r.kinds[kind] = true
	text := fmt.Sprintf("%s, %s (%s): %.1500s", id, one.class, one.about, err)
	if a.status != 0 {
		text += fmt.Sprintf("\n    answer: %.600q", a.body)
	}
	file := ""
	if content := append(slices.Clone(one.wire), one.body...); one.wire != nil || len(one.body) > 0 {
		if one.wire != nil {
			content = one.wire
		}
		file = filepath.Join(os.TempDir(), fmt.Sprintf("ciclo-hostile-%d-%d", r.seed, len(r.texts)+1))
		if err := os.WriteFile(file, content, 0o600); err != nil {
			text += "\n    " + err.Error()
		}
	}
	command := one.curl(r.address, token, file)
	if len(command) > 4000 {
		command = command[:4000] + " … (cut)"
	}
	r.texts = append(r.texts, text+"\n    "+command)
}

// finding keeps what is wrong with the system as a whole.
func (r *report) finding(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures++
	if text := err.Error(); len(r.texts) < samples && !r.kinds[text] {
		r.kinds[text] = true
		r.texts = append(r.texts, text)
	}
}

func (r *report) print(took time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	statuses := map[int]bool{}
	for _, byStatus := range r.counts {
		for status := range byStatus {
			statuses[status] = true
		}
	}
	columns := slices.Sorted(maps.Keys(statuses))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "answers\t")
	for _, status := range columns {
		if status == 0 {
			fmt.Fprint(w, "left\t")
			continue
		}
		fmt.Fprint(w, status, "\t")
	}
	fmt.Fprintln(w)
	for _, id := range slices.Sorted(maps.Keys(r.counts)) {
		fmt.Fprint(w, id, "\t")
		for _, status := range columns {
			if n := r.counts[id][status]; n > 0 {
				fmt.Fprint(w, n)
			}
			fmt.Fprint(w, "\t")
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var classes []string
	for _, class := range slices.Sorted(maps.Keys(r.classes)) {
		classes = append(classes, fmt.Sprintf("%d %s", r.classes[class], class))
	}
	slices.Sort(r.took)
	fmt.Printf("\nseed %d: %d requests (%s) in %.1f s, %.0f a second", r.seed, r.requests, strings.Join(classes, ", "), took.Seconds(), float64(r.requests)/took.Seconds())
	if n := len(r.took); n > 0 {
		fmt.Printf("; half were answered within %s, 99%% within %s, all within %s", r.took[n/2].Round(10*time.Microsecond), r.took[n*99/100].Round(100*time.Microsecond), r.took[n-1].Round(time.Millisecond))
	}
	fmt.Println()
	for _, text := range r.texts {
		fmt.Println("\n  " + text)
	}
	if r.failures > 0 {
		return fmt.Errorf("%w: %d times, again with -seed %d; the commands need CICLO_TOKEN, and -keep leaves the services up for them", errFound, r.failures, r.seed)
	}
	fmt.Println("nothing found")
	return nil
}
