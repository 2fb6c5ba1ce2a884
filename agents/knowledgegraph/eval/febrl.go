package eval

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

// Columns of Febrl's records.
const (
	febrlGiven = iota
	febrlSurname
	febrlNumber
	febrlStreet
	febrlAddress
	febrlSuburb
	febrlPostcode
	febrlState
	febrlBirth
	febrlSecurity
	febrlColumns
)

// readFebrl gives the rows by id, and the person of each as the ids say: rec-N-org and
// rec-N-dup-k are one.
func readFebrl(path string) ([]resolution.Row, map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read Febrl: %w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.TrimLeadingSpace = true
	r.FieldsPerRecord = febrlColumns + 1
	if _, err := r.Read(); err != nil {
		return nil, nil, fmt.Errorf("read Febrl's header: %w", err)
	}
	var rows []resolution.Row
	person := map[string]string{}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, person, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read Febrl: %w", err)
		}
		row := resolution.Row{ID: record[0], Columns: make([][]string, febrlColumns)}
		for c, v := range record[1:] {
			// A blank more or less is no difference.
			if v = strings.ReplaceAll(v, " ", ""); v != "" {
				row.Columns[c] = []string{v}
			}
		}
		rows = append(rows, row)
		person[row.ID] = strings.Join(strings.Split(row.ID, "-")[:2], "-")
	}
}

// febrlComparisons are written from what the fields are, not from the labels.
func febrlComparisons() []resolution.Comparison {
	return []resolution.Comparison{
		named("given name", febrlGiven, febrlSurname),
		named("surname", febrlSurname, febrlGiven),
		resolution.Close("street number", febrlNumber, resolution.EditSimilarity, .6),
		named("street", febrlStreet, febrlAddress),
		named("address", febrlAddress, febrlStreet),
		resolution.Close("suburb", febrlSuburb, resolution.EditSimilarity, .9, .75),
		resolution.Close("postcode", febrlPostcode, resolution.EditSimilarity, .7),
		resolution.Close("state", febrlState, resolution.EditSimilarity, .6),
		resolution.Close("birth", febrlBirth, resolution.EditSimilarity, .85, .7),
		resolution.Close("security", febrlSecurity, resolution.EditSimilarity, .85, .7),
	}
}

// named compares a column that may have changed places with another.
func named(name string, column, other int) resolution.Comparison {
	c := resolution.Close(name, column, resolution.EditSimilarity, .8, .6)
	within := c.At
	last := len(c.Levels) - 1
	c.Levels = append(c.Levels[:last:last], resolution.Level{Name: "in the other's place", M: .02, U: .001}, c.Levels[last])
	c.Levels[last+1].M -= .02
	c.Levels[last+1].U -= .001
	c.At = func(a, b *resolution.Row) int {
		at := within(a, b)
		if at != last {
			return at
		}
		for _, pair := range [][2][]string{{a.Columns[column], b.Columns[other]}, {b.Columns[column], a.Columns[other]}} {
			for _, v := range pair[0] {
				for _, w := range pair[1] {
					if resolution.EditSimilarity(v, w) >= .8 {
						return last
					}
				}
			}
		}
		return last + 1
	}
	return c
}

// febrlKeys are by what rows meet.
func febrlKeys(r *resolution.Row) []string {
	var keys []string
	add := func(kind string, parts ...[]string) {
		key := kind
		for _, p := range parts {
			if len(p) == 0 {
				return
			}
			key += "\x00" + p[0]
		}
		keys = append(keys, key)
	}
	phonetic := func(column int) []string {
		if len(r.Columns[column]) == 0 {
			return nil
		}
		return []string{resolution.Phonetic(r.Columns[column][0])}
	}
	add("security", r.Columns[febrlSecurity])
	add("birth", r.Columns[febrlBirth])
	add("street", phonetic(febrlStreet), r.Columns[febrlNumber])
	add("suburb", phonetic(febrlSuburb), r.Columns[febrlNumber])
	add("address", phonetic(febrlAddress))
	add("street", phonetic(febrlStreet))
	add("name", phonetic(febrlGiven), phonetic(febrlSurname))
	add("name", phonetic(febrlSurname), phonetic(febrlGiven))
	add("postcode", r.Columns[febrlPostcode], phonetic(febrlSurname))
	add("postcode", r.Columns[febrlPostcode], phonetic(febrlGiven))
	add("postcode", r.Columns[febrlPostcode], r.Columns[febrlNumber])
	return keys
}

// What the figures take a pair for, by its probability: one person where that is
// likelier than not, and sure enough to merge without anyone looking.
const (
	likely = .5
	sure   = .95
)

// Febrl links the records of Febrl's data sets 1 and 2 (Christen & Churches 2002)
// without labels, by one procedure and bounds for all. F1 and recall are over pairs
// of records within clusters, of all pairs of one person; precision is that of the
// pairs sure enough to merge; the calibration error is that of the candidates'
// probabilities in ten bins. The third is the second without what nearly identifies
// a person: names and addresses alone.
func Febrl(data string) ([]Figure, error) {
	var figures []Figure
	for _, set := range []struct {
		name, file string
		without    []int
		f1         float64
	}{
		{"Febrl 1", "dataset1.csv", nil, .995},
		{"Febrl 2", "dataset2.csv", nil, .99},
		{"Febrl 2, no security number, no birth", "dataset2.csv", []int{febrlSecurity, febrlBirth}, .99},
	} {
		rows, person, err := readFebrl(filepath.Join(data, "febrl", set.file))
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			for _, column := range set.without {
				r.Columns[column] = nil
			}
		}
		l, err := linkFebrl(rows, person)
		if err != nil {
			return nil, fmt.Errorf("link %s: %w", set.name, err)
		}
		figures = append(figures,
			atLeast(set.name+": F1 of clusters, no labels", set.f1, l.clusters.f1()),
			atLeast(set.name+": recall of clusters", set.f1, l.clusters.recall()),
			atLeast(set.name+": precision of sure pairs", .98, l.sure.precision()),
			atMost(set.name+": calibration error of candidates", .02, l.calibration))
	}
	return figures, nil
}

type linkage struct {
	clusters, sure tally
	calibration    float64
}

func linkFebrl(rows []resolution.Row, person map[string]string) (linkage, error) {
	table, err := resolution.NewTable(rows)
	if err != nil {
		return linkage{}, err
	}
	blocks, err := resolution.Block(table, febrlKeys, resolution.DefaultLimits())
	if err != nil {
		return linkage{}, err
	}
	model, err := resolution.Fit(table, febrlComparisons(), blocks.Candidates, resolution.FitOptions{})
	if err != nil {
		return linkage{}, err
	}
	if !model.Converged {
		return linkage{}, fmt.Errorf("EM did not converge in %d iterations", model.Iterations)
	}
	probabilities, err := model.Probabilities(blocks.Candidates)
	if err != nil {
		return linkage{}, err
	}
	same := func(a, b int) bool { return person[table.Row(a).ID] == person[table.Row(b).ID] }
	people := map[string]int{}
	matches := 0
	for _, p := range person {
		matches += people[p] // pairs with those of the same person so far
		people[p]++
	}
	l := linkage{clusters: tally{matches: matches}, sure: tally{matches: matches}}
	cluster := make([]int, table.Len())
	for i := range cluster {
		cluster[i] = i
	}
	truth := make([]bool, len(probabilities))
	for i, c := range blocks.Candidates {
		truth[i] = same(c.A, c.B)
		if probabilities[i] >= sure {
			l.sure.add(truth[i])
		}
		if from, to := cluster[c.B], cluster[c.A]; probabilities[i] >= likely && from != to {
			for j := range cluster {
				if cluster[j] == from {
					cluster[j] = to
				}
			}
		}
	}
	for a := range cluster {
		for b := a + 1; b < len(cluster); b++ {
			if cluster[a] == cluster[b] {
				l.clusters.add(same(a, b))
			}
		}
	}
	l.calibration = calibrationError(probabilities, truth)
	return l, nil
}
