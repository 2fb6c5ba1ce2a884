package extraction

import (
	"cmp"
	"slices"
	"strings"
)

// reader matches one message's words.
type reader struct {
	gazetteer *Gazetteer
	message   Message
	words     []word
	hits      []hit
	// steps counts the automaton's, those along suffixes included.
	steps int
}

// hit is a place that is a name: its words from first to last, the last included,
// and the forms that are written so, or the client called by one word.
type hit struct {
	first, last int
	forms       []form
	given       *given
}

// read splits the message and gathers hits: those of the automaton may overlap.
func (r *reader) read() {
	auto := r.gazetteer.auto
	calls := r.gazetteer.clients[r.message.ClientID]
	splitWords(r.message.Body, func(w word, folded []byte) {
		id, known := auto.vocabulary[string(folded)]
		w.id = -1
		if known {
			w.id = id
		}
		r.words = append(r.words, w)
	})
	node := int32(0)
	for i, w := range r.words {
		r.steps++
		if w.id < 0 {
			node = 0
			continue
		}
		node = auto.step(node, w.id)
		for at := auto.ends[node]; at >= 0; at = auto.ends[auto.suffix[at]] {
			r.steps++
			r.hit(i-int(auto.depth[at])+1, i, r.gazetteer.forms[auto.low[at]:auto.high[at]])
		}
	}
	for i := range r.words {
		for k := range calls {
			if r.called(i, calls[k]) {
				r.hits = append(r.hits, hit{first: i, last: i, given: &calls[k]})
			}
		}
	}
}

// hit keeps those forms that the place allows.
func (r *reader) hit(first, last int, forms []form) {
	var kept []form
	for _, f := range forms {
		if f.capitals && slices.ContainsFunc(r.words[first:last+1], func(w word) bool { return !w.sign && !w.capital }) {
			continue
		}
		if (f.kind == turnedRound || f.kind == turnedWithoutMiddle) && r.namedBefore(first) { // Joanna Ruiz, Anna Bianchi
			continue
		}
		if r.whole(first, last, r.gazetteer.things[f.thing].Type == Person) {
			kept = append(kept, f)
		}
	}
	if len(kept) > 0 {
		r.hits = append(r.hits, hit{first: first, last: last, forms: kept})
	}
}

// whole reports whether words are not part of something longer: D'Angelo is not
// Angelo and Nest'Orto not Nest, but Anna's is Anna and dell'Acme Acme. A name of a
// person is also longer by a hyphen, while "Acme-based" speaks of Acme.
func (r *reader) whole(first, last int, person bool) bool {
	attached := func(i int) bool { return i > 0 && i < len(r.words) && !r.words[i].gap }
	if attached(first) && attached(first-1) && !r.words[first-2].sign {
		before := r.words[first-2]
		switch {
		case r.words[first-1].apostrophe:
			switch r.message.Body[before.Start:before.End] {
			case "d", "D", "o", "O":
				return false
			}
		case r.words[first-1].hyphen && person:
			return false
		}
	}
	if attached(last+1) && attached(last+2) && !r.words[last+2].sign {
		behind := r.words[last+2]
		switch {
		case r.words[last+1].apostrophe:
			s := r.message.Body[behind.Start:behind.End]
			return s == "s" || s == "S"
		case r.words[last+1].hyphen && person:
			return false
		}
	}
	return true
}

// called reports whether one word is the client's own name: written like one, or
// greeted, and with no other name beside it ("Anna Bianchi" is somebody else).
func (r *reader) called(i int, by given) bool {
	w := r.words[i]
	if w.id != by.word || !r.whole(i, i, true) {
		return false
	}
	greeted := i > 0 && !w.broken && r.greets(i-1)
	if i > 1 && r.words[i-1].sign && !r.words[i-1].gap && r.greets(i-2) { // Hello, Anna; Sig. Rossi
		greeted = true
	}
	if r.namedBefore(i) || i+1 < len(r.words) && r.words[i+1].gap && !r.words[i+1].broken && r.looksNamed(i+1) {
		return false
	}
	return greeted || w.capital && !by.common
}

// namedBefore reports a word right before, beyond a blank, that looks like a name.
func (r *reader) namedBefore(i int) bool {
	return i > 0 && r.words[i].gap && !r.words[i].broken && r.looksNamed(i-1)
}

// looksNamed reports a word with a capital that is neither common nor a greeting.
func (r *reader) looksNamed(i int) bool {
	w := r.words[i]
	return w.capital && !w.sign && !common[r.folded(i)] && !r.greets(i)
}

func (r *reader) greets(i int) bool { return greetings[r.folded(i)] || titles[r.folded(i)] }

func (r *reader) folded(i int) string { return Fold(r.message.Body[r.words[i].Start:r.words[i].End]) }

// longest are the hits that don't overlap: from the left, the longest.
func (r *reader) longest() []hit {
	slices.SortStableFunc(r.hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last))
	})
	var kept []hit
	next := 0
	for _, h := range r.hits {
		if h.first >= next {
			kept = append(kept, h)
			next = h.last + 1
		}
	}
	return kept
}

// mention is what a hit says, with an id where only one thing is called so.
func (r *reader) mention(h hit) Mention {
	g := r.gazetteer
	m := Mention{Span: Span{Start: r.words[h.first].Start, End: r.end(h)}, Extractor: g.Name(), Version: g.Version()}
	known := func(t thing, confidence float64) Mention {
		m.Type, m.Key, m.Name = t.Type, t.key, t.Name
		m.FirmID, m.IsClient, m.Confidence = t.ID, t.IsClient, confidence
		return m
	}
	if h.given != nil {
		return known(g.things[h.given.thing], givenConfidence)
	}
	best := h.forms[0]
	several := false
	for _, f := range h.forms {
		if t := g.things[f.thing]; t.IsClient && t.ID == r.message.ClientID {
			return known(t, formConfidence[f.kind])
		}
		several = several || f.thing != best.thing
	}
	if !several {
		return known(g.things[best.thing], formConfidence[best.kind])
	}
	// Things are in order of their types.
	m.Type, m.Name = g.things[best.thing].Type, visible(r.message.Body[m.Start:m.End])
	m.Key, m.Confidence = Normal(m.Type, m.Name), ambiguousConfidence
	return m
}

// end is where a hit ends: behind the dot of a legal form that is written with dots
// (Bianchi S.r.l.) or has one in the firm's name (Acme Inc.). Another dot is the
// sentence's.
func (r *reader) end(h hit) int {
	last := r.words[h.last]
	if !strings.HasPrefix(r.message.Body[last.End:], ".") {
		return last.End
	}
	written := r.message.Body[last.Start:last.End]
	if !anyForm(strings.ReplaceAll(Fold(written), ".", "")) {
		return last.End
	}
	if slices.ContainsFunc(h.forms, func(f form) bool {
		return r.gazetteer.things[f.thing].Type == Company && f.kind == asWritten && (f.dotted || strings.Contains(written, "."))
	}) {
		return last.End + 1
	}
	return last.End
}

// greetings come before a client's name.
var greetings = set("hello hi hey dear good morning afternoon evening thanks thank halo hai salam selamat pagi siang sore malam terima kasih makasih yth kak kakak mas mbak bang bli mbok ciao salve buongiorno buonasera gentile caro cara carissimo carissima grazie egregio egregia")
