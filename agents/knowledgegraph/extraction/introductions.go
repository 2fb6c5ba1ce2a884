package extraction

import (
	"context"
	"slices"
	"strings"
)

// Introductions finds people, in whatever table of the firm or none, by how messages
// in English, Indonesian and Italian name them: behind titles ("Sig.ra Bianchi", "Pak
// Budi"), as somebody's ("my colleague Rafael Moreau", "teman saya …", "il mio
// collega …"), as who speaks ("my name is …", "Saya …, saya …", "Sono … e …"), and
// before what says that they work for a company that others have found. But behind
// titles a name has two to four words with capitals; none of a word that is common, of
// an organisation, or beside what may be more of it. Whoever is introduced is found
// wherever the message has the whole name.
type Introductions struct{}

// Name is introductions.
func (Introductions) Name() string { return "introductions" }

// Version is of the rules.
func (Introductions) Version() string { return "1" }

// The chances that a name is a person's, by what it was told by.
const (
	titledConfidence    = .95
	oneTitledConfidence = .88
	saidConfidence      = .92
	selfConfidence      = .88
	workingConfidence   = .9
)

// mostIntroduced are a name's words with capitals.
const mostIntroduced = 4

// run is a name, perhaps: tokens from first to last, the last included.
type run struct {
	first, last int
	// capitals are its words without particles.
	capitals int
}

// Extract adds mentions of people.
func (in Introductions) Extract(_ context.Context, m Message, found Found) (Found, error) {
	all := tokens(m.Body, found)
	p := passage{body: m.Body, all: all, companies: companyStarts(found)}
	runs := p.runs()
	named := map[string]float64{}
	confidences := make([]float64, len(runs))
	keys := make([]string, len(runs))
	for i, r := range runs {
		keys[i] = Normal(Person, m.Body[all[r.first].Start:all[r.last].End])
		confidences[i] = p.introduced(r)
		if r.capitals > 1 {
			named[keys[i]] = max(named[keys[i]], confidences[i])
		}
	}
	mentions := slices.Clone(found.Mentions)
	for i, r := range runs {
		confidence := max(confidences[i], named[keys[i]])
		if confidence == 0 || keys[i] == "" {
			continue
		}
		span := Span{all[r.first].Start, all[r.last].End}
		mentions = append(mentions, Mention{Span: span, Type: Person, Key: keys[i], Name: visible(m.Body[span.Start:span.End]), Extractor: in.Name(), Version: in.Version(), Confidence: confidence})
	}
	found.Mentions = mentions
	return found, nil
}

// companyStarts are where companies' mentions begin.
func companyStarts(found Found) map[int]bool {
	starts := map[int]bool{}
	for _, m := range found.Mentions {
		if m.Type == Company {
			starts[m.Start] = true
		}
	}
	return starts
}

// passage is a message's text as names are looked for in it.
type passage struct {
	body      string
	all       []token
	companies map[int]bool
}

// nameable reports whether a token may be of a name.
func (p passage) nameable(i int) bool {
	t := p.all[i]
	return t.capital && !t.taken && !t.shouted && !t.ordinary() && !titles[t.text] && !organisations[t.text] && !anyForm(t.text)
}

// foreign are particles that are no words of the demo's languages.
var foreign = set("van von der den ten ter bin binti dos das do de y e")

// runs are the longest sequences of words that may be of a name, with nothing beside
// them that may be of it too.
func (p passage) runs() []run {
	var all []run
	for i := 0; i < len(p.all); i++ {
		if !p.nameable(i) {
			continue
		}
		r := run{first: i, last: i, capitals: 1}
		for at := i + 1; at < len(p.all) && p.all[at].near; at++ {
			if p.nameable(at) {
				r.last, r.capitals = at, r.capitals+1
			} else if t := p.all[at]; t.taken || !particles[t.text] || !t.capital && !foreign[t.text] || at-r.last > 2 {
				break
			}
		}
		i = r.last
		if r.capitals <= mostIntroduced && p.all[r.last].End-p.all[r.first].Start <= longestForm && whole(p.all, r.first, r.last) {
			all = append(all, r)
		}
	}
	return all
}

// introduced is the chance that a run is a person's name by what stands around it, or
// 0.
func (p passage) introduced(r run) float64 {
	if p.titled(r) {
		if r.capitals > 1 {
			return titledConfidence
		}
		return oneTitledConfidence
	}
	switch {
	case r.capitals < 2:
		return 0
	case p.said(r):
		return saidConfidence
	case p.works(r):
		return workingConfidence
	case p.speaks(r):
		return selfConfidence
	}
	return 0
}

// before is the folded token n before one, or nothing where a sentence begins between.
func (p passage) before(at, n int) string {
	for i := range n {
		if at-i <= 0 || p.all[at-i].first {
			return ""
		}
	}
	return p.all[at-n].text
}

// joint is the text between a token and the one before.
func (p passage) joint(at int) string {
	if at == 0 {
		return ""
	}
	return strings.TrimSpace(p.body[p.all[at-1].End:p.all[at].Start])
}

// titled reports a title right before. Those that are also words have signs that they
// are titles: a capital (Miss, Dr) or a dot (ing., dr.).
func (p passage) titled(r run) bool {
	at := r.first
	if at == 0 || !p.all[at].near {
		return false
	}
	title := p.all[at-1]
	dot := strings.Contains(p.joint(at), ".")
	if len(title.text) == 2 && title.text == "ra" || title.text == "ssa" { // Sig.ra, Dott.ssa
		return at > 1 && p.joint(at-1) == "." && dottedTitles[p.all[at-2].text]
	}
	switch {
	case title.shouted && len(title.text) == 2: // MS Word
		return false
	case plainTitles[title.text]:
		return true
	case capitalTitles[title.text]:
		return title.capital && (dot || r.capitals > 1 || title.text != "dr" && title.text != "miss" || title.text == "dr" && !title.first)
	case dottedTitles[title.text]:
		return dot
	}
	return false
}

var (
	plainTitles   = set("bpk bapak pak ibu bu mbak sigra signor signora signore dottor dottoressa dottssa avvocato notaio")
	capitalTitles = set("mr mrs ms miss dr prof mx")
	dottedTitles  = set("dr prof sig dott avv ing geom rag arch bpk sdr sdri drs ir")
)

// said reports who is called somebody's, or by name: my colleague, teman saya, il mio
// collega, my name is, mi chiamo.
func (p passage) said(r run) bool {
	at := r.first
	joint := p.joint(at)
	if joint != "" && joint != "," && joint != ":" {
		return false
	}
	words := make([]string, 4) // the nearest first
	for n := range words {
		words[n] = p.before(at, n+1)
	}
	called := words
	switch { // my colleague called …, teman saya bernama …, il mio amico di nome …
	case joint == "" && naming[words[0]]:
		words = append(words[1:], "")
	case joint == "" && words[0] == "nome" && words[1] == "di":
		words = append(words[2:], "", "")
	}
	a, b, c := words[0], words[1], words[2]
	between := func(adjectives map[string]bool) string {
		if adjectives[b] {
			return c
		}
		return b
	}
	owner := between(warm)
	ownerItalian := between(warmItalian)
	related := func(who, owner string) bool { return !trades[who] || !many[owner] }
	switch {
	case kin[a] && whose[owner] && related(a, owner), kinItalian[a] && possessive[ownerItalian] && related(a, ownerItalian):
		return true
	case owning[a] && (kinIndonesian[b] && related(b, a) || b == "kerja" && kinIndonesian[c]):
		return true
	case kinIndonesian[strings.TrimSuffix(a, "nya")] && strings.HasSuffix(a, "nya"), kinIndonesian[strings.TrimSuffix(a, "ku")] && strings.HasSuffix(a, "ku"):
		return true
	case joint == ",":
		return false
	}
	a, b, c = called[0], called[1], called[2]
	switch [2]string{b, a} {
	case [2]string{"name", "is"}:
		return c == "my" || c == "his" || c == "her"
	case [2]string{"mi", "chiamo"}, [2]string{"si", "chiama"}:
		return true
	case [2]string{"nama", "saya"}, [2]string{"nama", "aku"}, [2]string{"nama", "lengkap"}:
		return true
	case [2]string{"nome", "e"}:
		return c == "mio" || c == "suo"
	}
	return a == "namanya" || a == "adalah" && (b == "saya" && c == "nama" || b == "namanya")
}

// works reports what says that one works for a company right behind: words of work
// alone, one of them a verb or a place of work, then the company.
func (p passage) works(r run) bool {
	verb := false
	for at := r.last + 1; at < len(p.all) && at <= r.last+farthestWork; at++ {
		t := p.all[at]
		if p.companies[t.Start] {
			return verb
		}
		if t.taken || t.first || t.capital || strings.Trim(p.joint(at), " ,'’") != "" {
			return false
		}
		switch {
		case working[t.text]:
			verb = true
		case !aboutWork[t.text]:
			return false
		}
	}
	return false
}

// farthestWork is how many words there may be from a name to the company.
const farthestWork = 9

// speaks reports whoever says who they are: "I am …, I", "Saya … dan saya", "Sono …,
// lavoro", "… here".
func (p passage) speaks(r run) bool {
	behind := func(n int) string {
		if at := r.last + n; at < len(p.all) {
			return p.all[at].text
		}
		return ""
	}
	a, b := p.before(r.first, 1), p.before(r.first, 2)
	plain := r.first > 0 && p.all[r.first].near
	joint := ""
	if r.last+1 < len(p.all) {
		joint = p.joint(r.last + 1)
	}
	told := strings.Trim(joint, ",. ") == "" && (speaking[behind(1)] || and[behind(1)] && speaking[behind(2)])
	switch {
	case plain && (a == "am" && b == "i" || a == "im" || a == "m" && b == "i"), plain && (a == "saya" || a == "aku" || a == "sono"):
		return told
	case joint == "" && behind(1) == "here" && speaking[behind(2)], joint == "" && behind(1) == "di" && behind(2) == "sini" && speaking[behind(3)]:
		return p.all[r.first].first || !plain
	}
	return false
}
