package extraction

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// Contacts says whose the contacts are that others found, where the message tells,
// and leaves the rest to nobody: a wrong owner would join two people.
//
// In this order: "my number is" is of the client who says it, by the client's own
// name in the message; an e-mail address is of the only person here whose name its
// local part is made of ("anna.ruiz", "aruiz"); a contact is of the person or company
// right before it ("Anna Ruiz <…>", "Anna Ruiz, +62 …", "you can reach Anna Ruiz at
// …", also below a name alone on its line, or behind another contact of it); a site,
// and an office's address (info@), is of the only company here with the domain's name.
//
// It is nobody's where an e-mail's name speaks against the person before it, and
// where the person is greeted, one of several, perhaps half of a name, or where it is
// asked or denied that one is reached so.
type Contacts struct{}

// Name is contacts.
func (Contacts) Name() string { return "contacts" }

// Version is of the rules.
func (Contacts) Version() string { return "2" }

// Extract sets owners where there are none.
func (Contacts) Extract(_ context.Context, m Message, found Found) (Found, error) {
	if len(found.Contacts) == 0 || len(found.Mentions) == 0 {
		return found, nil
	}
	o := owners{message: m, mentions: found.Mentions, contacts: slices.Clone(found.Contacts)}
	for i := range found.Mentions {
		o.order = append(o.order, i)
	}
	slices.SortStableFunc(o.order, func(a, b int) int { return cmp.Compare(found.Mentions[a].End, found.Mentions[b].End) })
	slices.SortStableFunc(o.contacts, func(a, b Contact) int { return cmp.Compare(a.Start, b.Start) })
	o.gather()
	for i := range o.contacts {
		if o.contacts[i].Of < 0 {
			o.contacts[i].Of = o.owner(o.contacts[i])
		}
	}
	found.Contacts = o.contacts
	return found, nil
}

// owners looks for those of one message's contacts.
type owners struct {
	message  Message
	mentions []Mention
	// order are the mentions by their ends.
	order    []int
	contacts []Contact
	// people are the first mentions of each person by what may stand of them before
	// an @; companies by what their domains may be called.
	people, companies map[string][]int
	// behind is the end of the last contact, and of whom its place said that it was.
	behind, of int
	// kind is of that contact.
	kind ContactKind
	// client is where the message names the conversation's client, or nobody.
	client int
}

const (
	nobody = -1
	// farthest is how many bytes there may be between a name and its contact.
	farthest = 48
	// crowd is how many people of one name there may be for any of them to be looked at.
	crowd = 8
)

func (o *owners) gather() {
	o.people, o.companies, o.of = map[string][]int{}, map[string][]int{}, nobody
	o.client = slices.IndexFunc(o.mentions, func(m Mention) bool {
		return m.IsClient && m.FirmID != "" && m.FirmID == o.message.ClientID
	})
	seen := map[Mention]bool{}
	for i, m := range o.mentions {
		thing := Mention{Type: m.Type, Key: m.Key}
		if seen[thing] {
			continue
		}
		seen[thing] = true
		switch m.Type {
		case Person:
			for _, words := range spelledKeys(m) {
				for _, form := range localForms(words) {
					if of := o.people[form]; len(of) == 0 || of[len(of)-1] != i {
						o.people[form] = append(of, i)
					}
				}
			}
		case Company:
			words := strings.Fields(m.Key)
			joined := strings.Join(words, "")
			o.companies[joined] = append(o.companies[joined], i)
			if len(words) > 1 && utf8.RuneCountInString(words[0]) > 3 && !common[words[0]] {
				o.companies[words[0]] = append(o.companies[words[0]], i)
			}
		}
	}
}

// localForms are what may stand of a name before an @: each of its words of three
// letters or more, and given and family name in one, whole or one by its initial.
func localForms(words []string) []string {
	var forms []string
	put := func(form string, fewest int) {
		if utf8.RuneCountInString(form) >= fewest && !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	for _, w := range words {
		put(w, 3)
	}
	for _, form := range slices.Concat(wholeForms(words), initialForms(words)) {
		put(form, 4)
	}
	if len(words) > 1 {
		put(words[0]+initial(words[len(words)-1]), 4)
	}
	return forms
}

// owner is whose a contact is, or nobody.
func (o *owners) owner(c Contact) int {
	place, sure := o.before(c)
	from, of := o.sentence(c)
	o.behind, o.of, o.kind = c.End, place, c.Kind
	if self, plain := selfSaid(o.message.Body[from:c.Start]); self {
		o.of = nobody
		if plain && o.message.Role == "client" && (of == nobody || o.mentions[of].Key == o.mentions[max(o.client, 0)].Key) {
			return o.client
		}
		return nobody
	}
	switch c.Kind {
	case Email:
		_, domain, _ := strings.Cut(c.Value, "@")
		parts := localParts(c.Value)
		people := o.called(parts)
		office := len(parts) > 0 && offices[parts[0]]
		person := place != nobody && o.mentions[place].Type == Person
		switch {
		case len(people) > 1, len(people) == 1 && person && o.mentions[place].Key != o.mentions[people[0]].Key, person && o.against(parts, place):
			o.of = nobody
			return nobody
		case len(people) == 1 && person:
			return place // the nearest of its mentions
		case len(people) == 1:
			return people[0]
		case place != nobody && sure && (!person || !office):
			return place
		case office && !mailboxes[siteName(domain)]:
			return o.company(domain)
		}
		return nobody
	case URL:
		host, _, page := strings.Cut(c.Value, "/")
		if place != nobody && sure || page { // a page may be of anybody
			return place
		}
		return o.company(host)
	}
	return place
}

// against reports whether the words before an @ are two or more, of which not all are
// of the person.
func (o *owners) against(parts []string, of int) bool {
	if len(parts) < 2 || slices.ContainsFunc(parts, func(p string) bool { return utf8.RuneCountInString(p) < 2 }) {
		return false
	}
	return !slices.ContainsFunc(spelledKeys(o.mentions[of]), func(words []string) bool { return agree(parts, words) })
}

// last is the place in the order of mentions of the last one that ends before a
// contact, or -1.
func (o *owners) last(c Contact) int {
	at, _ := slices.BinarySearchFunc(o.order, c.Start+1, func(i, start int) int { return cmp.Compare(o.mentions[i].End, start) })
	return at - 1
}

// before is the person or company right before a contact, or that of the contact
// right before it, and whether more than a comma joins them.
func (o *owners) before(c Contact) (of int, sure bool) {
	body := o.message.Body
	at := o.last(c)
	if at < 0 || o.mentions[o.order[at]].End < o.behind {
		// Of two addresses side by side the second may be somebody else's.
		if o.behind > 0 && o.of != nobody && (c.Kind != Email || o.kind != Email) && joins(body[o.behind:c.Start], true) {
			return o.of, true
		}
		return nobody, false
	}
	m := o.mentions[o.order[at]]
	gap := body[m.End:c.Start]
	if m.Type != Person && m.Type != Company || !joins(gap, false) {
		return nobody, false
	}
	if strings.Contains(gap, "\n") && strings.TrimSpace(body[lineStart(body, m.Start):m.Start]) != "" {
		return nobody, false // a signature has its name alone on a line
	}
	bare := strings.Trim(gap, " ,") == ""
	if o.doubtful(at, c) || !claimed(gap, body[c.End:]) {
		return nobody, false
	}
	lead := leadOf(body, m)
	if !lead.names(m) {
		return nobody, false
	}
	return o.order[at], !bare || lead.asks()
}

// doubtful reports another person or company that a contact may as well be of: Anna
// Ruiz, Ben Smith, +62 …; Anna Ruiz of Bali Jaya, +62 ….
func (o *owners) doubtful(at int, c Contact) bool {
	m := o.mentions[o.order[at]]
	for at--; at >= 0; at-- {
		other := o.mentions[o.order[at]]
		between := o.message.Body[min(other.End, m.Start):m.Start]
		if o.behind > other.End || len(between) > farthest || strings.ContainsAny(between, "\n!?;") || strings.Contains(between, ". ") {
			return false
		}
		switch {
		case other.Type == Person && m.Type == Company:
			return true
		case other.Type == Person || other.Type == Company:
			return lists[strings.Trim(Fold(between), " ,;/")]
		}
	}
	return false
}

// lineStart is where the line begins that holds a place; lines longer than names
// and titles are don't begin.
func lineStart(body string, at int) int {
	from := max(0, at-farthest)
	return from + strings.LastIndexByte(body[from:at], '\n') + 1
}

// sentence is where what is said of a contact begins: behind the mention, contact
// or end of a sentence before it. of is the mention, where it is that.
func (o *owners) sentence(c Contact) (from, of int) {
	from, of = max(0, c.Start-2*farthest, o.behind), nobody
	for from < c.Start && !utf8.RuneStart(o.message.Body[from]) {
		from++
	}
	if at := o.last(c); at >= 0 && o.mentions[o.order[at]].End > from {
		of = o.order[at]
		from = o.mentions[of].End
	}
	if end := strings.LastIndexAny(o.message.Body[from:c.Start], "\n!?"); end >= 0 {
		from, of = from+end+1, nobody
	}
	if end := strings.LastIndex(o.message.Body[from:c.Start], ". "); end >= 0 {
		from, of = from+end+1, nobody
	}
	return from, of
}

// selfSaid reports whether words before a contact speak of the speaker's own (my,
// saya, mio), and whether plainly of it and not of "my lawyer's".
func selfSaid(said string) (self, plain bool) {
	words := strings.FieldsFunc(Fold(said), func(r rune) bool { return !isWord(r) })
	for i, w := range words {
		if !selves[w] {
			continue
		}
		self = true
		plain = true
		for _, other := range append(words[max(0, i-2):i:i], words[i+1:]...) {
			plain = plain && (joining[other] || selves[other] || reaching[other])
		}
	}
	return self, plain
}

// called are the people whose names agree with the words before an @: all words
// are of the name or its initials, or the whole name is among the words.
func (o *owners) called(parts []string) []int {
	var candidates []int
	for _, part := range append(slices.Clone(parts), strings.Join(parts, "")) {
		for _, i := range o.people[part] {
			if !slices.Contains(candidates, i) {
				candidates = append(candidates, i)
			}
			if len(candidates) > crowd {
				return candidates
			}
		}
	}
	return slices.DeleteFunc(candidates, func(i int) bool {
		return !slices.ContainsFunc(spelledKeys(o.mentions[i]), func(words []string) bool { return agree(parts, words) })
	})
}

// agree reports whether the words before an @ are all of a name or its initials, or
// the whole name is among them.
func agree(parts, words []string) bool {
	forms := localForms(words)
	of := func(part string) bool {
		return slices.Contains(forms, part) || slices.Contains(words, part) || slices.ContainsFunc(words, func(w string) bool { return initial(w) == part })
	}
	among := func(word string) bool { return slices.Contains(parts, word) }
	return !slices.ContainsFunc(parts, func(p string) bool { return !of(p) }) || !slices.ContainsFunc(words, func(w string) bool { return !among(w) }) || slices.Contains(forms, strings.Join(parts, ""))
}

// spelledKeys are the words of a person's key, and of the name as addresses may have
// it otherwise.
func spelledKeys(m Mention) [][]string {
	all := [][]string{strings.Fields(m.Key)}
	for _, words := range spellings(m.Name) {
		if !slices.Equal(words, all[0]) {
			all = append(all, words)
		}
	}
	return all
}

// company is the only one that a domain's name is of, or nobody.
func (o *owners) company(domain string) int {
	if of := o.companies[siteName(domain)]; len(of) == 1 {
		return of[0]
	}
	return nobody
}

// siteName is what a domain is called: balijaya of www.bali-jaya.co.id.
func siteName(domain string) string {
	whole, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(whole, ".")
	return strings.ReplaceAll(name, "-", "")
}
