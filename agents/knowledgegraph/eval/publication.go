package eval

import (
	"bufio"
	"fmt"
	"html"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

// publication is a record of DBLP or ACM, folded.
type publication struct {
	title   string
	words   []string
	authors [][]string
	venue   string
	year    float64
}

// labelledPair is a pair of publications, and whether they are one.
type labelledPair struct {
	a, b  publication
	match bool
}

// readPublications reads pairs as DeepMatcher's serialisation has them: two records
// and 1 or 0, between tabs.
func readPublications(path string) ([]labelledPair, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read publications: %w", err)
	}
	defer f.Close()
	var pairs []labelledPair
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		parts := strings.Split(lines.Text(), "\t")
		if len(parts) != 3 || parts[2] != "0" && parts[2] != "1" {
			return nil, fmt.Errorf("read publications: line %d isn't two records and a label", len(pairs)+1)
		}
		pair := labelledPair{match: parts[2] == "1"}
		for i, to := range []*publication{&pair.a, &pair.b} {
			if *to, err = readPublication(parts[i]); err != nil {
				return nil, fmt.Errorf("read publications: line %d: %w", len(pairs)+1, err)
			}
		}
		pairs = append(pairs, pair)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read publications: %w", err)
	}
	return pairs, nil
}

var (
	publicationColumns = regexp.MustCompile(`^COL title VAL (.*?) ?COL authors VAL (.*?) ?COL venue VAL (.*?) ?COL year VAL ?(.*)$`)
	// htmlEntity is a character by its number, which the tokenizer has put blanks around.
	htmlEntity = regexp.MustCompile(` ?(&#\d+;) ?`)
	numeral    = regexp.MustCompile(`^(\d.*|[ivx]+)$`)
)

func readPublication(record string) (publication, error) {
	parts := publicationColumns.FindStringSubmatch(strings.TrimSpace(record))
	if parts == nil {
		return publication{}, fmt.Errorf("%.60q isn't title, authors, venue and year", record)
	}
	for i := range parts {
		parts[i] = html.UnescapeString(htmlEntity.ReplaceAllString(parts[i], "$1"))
	}
	p := publication{words: resolution.Tokens(parts[1]), venue: strings.Join(resolution.Tokens(parts[3]), " "), year: math.NaN()}
	p.title = strings.Join(p.words, " ")
	for _, name := range strings.Split(parts[2], ",") {
		if tokens := resolution.Tokens(name); len(tokens) > 0 {
			p.authors = append(p.authors, tokens)
		}
	}
	if year, err := strconv.ParseFloat(strings.TrimSpace(parts[4]), 64); err == nil {
		p.year = year
	}
	return p, nil
}

// describer turns pairs into features. What it knows of words and venues is from the
// pairs it was made of.
type describer struct {
	titles *resolution.Corpus
	names  *resolution.Corpus
	// venues are the log odds that two venues, in order, are of one publication.
	venues map[[2]string]float64
}

func newDescriber(pairs []labelledPair) *describer {
	var titles, names [][]string
	count := map[[2]string][2]float64{}
	var total [2]float64
	for _, p := range pairs {
		titles = append(titles, p.a.words, p.b.words)
		names = append(names, slices.Concat(p.a.authors...), slices.Concat(p.b.authors...))
		key, which := [2]string{p.a.venue, p.b.venue}, 0
		if p.match {
			which = 1
		}
		n := count[key]
		n[which]++
		count[key] = n
		total[which]++
	}
	d := &describer{resolution.NewCorpus(titles), resolution.NewCorpus(names), map[[2]string]float64{}}
	for key, n := range count {
		// One more pair of each kind, by their shares: rare venues say little.
		d.venues[key] = math.Log((n[1]+1)/(total[1]+1)) - math.Log((n[0]+1)/(total[0]+1))
	}
	return d
}

// features are a pair's similarities, all finite. -1 is for what is missing.
func (d *describer) features(p labelledPair) []float64 {
	a, b := &p.a, &p.b
	years := -1.
	if gap := math.Abs(a.year - b.year); !math.IsNaN(gap) {
		years = min(gap, 10)
	}
	common, different := d.rarity(a.words, b.words)
	features := []float64{
		resolution.EditSimilarity(a.title, b.title),
		resolution.JaroWinkler(a.title, b.title),
		resolution.QGrams(a.title, b.title, 3),
		resolution.Jaccard(a.words, b.words),
		resolution.Overlap(a.words, b.words),
		d.titles.Cosine(a.words, b.words),
		d.titles.SoftCosine(a.words, b.words, resolution.JaroWinkler, .9),
		nearness(len(a.words), len(b.words)),
		float64(min(len(a.words), len(b.words))),
		common, different,
		d.venues[[2]string{a.venue, b.venue}],
		years,
		float64(min(len(a.authors), len(b.authors))),
		float64(max(len(a.authors), len(b.authors))),
	}
	if len(a.authors) == 0 || len(b.authors) == 0 {
		return append(features, -1, -1, -1, -1, -1, -1)
	}
	x, y := slices.Concat(a.authors...), slices.Concat(b.authors...)
	return append(features,
		resolution.Jaccard(x, y),
		d.names.SoftCosine(x, y, resolution.JaroWinkler, .9),
		resolution.MongeElkan(x, y, resolution.JaroWinkler),
		resolution.Overlap(lasts(a.authors), lasts(b.authors)),
		resolution.MongeElkan(a.authors, b.authors, authorLikeness),
		nearness(len(a.authors), len(b.authors)))
}

func nearness(a, b int) float64 {
	return resolution.Nearness(float64(a), float64(b), float64(max(a, b, 1)))
}

// rarity is how much the words weigh that two titles share, and the most that one
// weighs which only one of them has, numbers at double: part 2 isn't part 3.
func (d *describer) rarity(a, b []string) (common, different float64) {
	for i, list := range [][]string{a, b} {
		other := [][]string{b, a}[i]
		for k, word := range list {
			switch {
			case slices.Contains(list[:k], word):
			case slices.Contains(other, word):
				common += d.titles.Weight(word) / 2
			case len(word) <= 3 || !slices.ContainsFunc(other, func(w string) bool { return resolution.Edits(w, word) == 1 }):
				w := d.titles.Weight(word)
				if numeral.MatchString(word) {
					w *= 2
				}
				different = max(different, w)
			}
		}
	}
	return common, different
}

func lasts(authors [][]string) []string {
	var names []string
	for _, tokens := range authors {
		names = append(names, tokens[len(tokens)-1])
	}
	return names
}

// authorLikeness compares two names' parts; an initial is nearly the name.
func authorLikeness(a, b []string) float64 {
	return resolution.MongeElkan(a, b, func(v, w string) float64 {
		if v != w && (len(v) == 1 || len(w) == 1) {
			if v[0] == w[0] {
				return .9
			}
			return 0
		}
		return resolution.JaroWinkler(v, w)
	})
}
