package extraction

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// Contacts says whose the contacts are that others found, where the message tells,
// and leaves the rest to nobody: a wrong owner would join two people.
//
// In this order: "my number is" is of the client who says it, by the client's own
// name in the message; an e-mail address is of the only person here whose name its
// local part is made of ("anna.ruiz", "aruiz"); a contact is of the person or company
// right before it ("Anna Ruiz <…>", "Anna Ruiz, +62 …", also below a name alone on
// its line, or behind another contact of it); a site, and an office's address
// (info@), is of the only company here with the domain's name. Where an e-mail's
// name speaks against the person before it, it is nobody's.
type Contacts struct{}

// Name is contacts.
func (Contacts) Name() string { return "contacts" }

// Version is of the rules.
func (Contacts) Version() string { return "1" }

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
		words := strings.Fields(m.Key)
		switch m.Type {
		case Person:
			for _, form := range localForms(words) {
				o.people[form] = append(o.people[form], i)
			}
		case Company:
			joined := strings.Join(words, "")
			o.companies[joined] = append(o.companies[joined], i)
			if len(words) > 1 && utf8.RuneCountInString(words[0]) > 3 && !common[words[0]] {
				o.companies[words[0]] = append(o.companies[words[0]], i)
			}
		}
	}
}

// localForms are what may stand of a name before an @: each of its words of three
// letters or more, and first and last name in one, whole or one by its initial.
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
	if len(words) > 1 {
		first, last := words[0], words[len(words)-1]
		for _, form := range []string{first + last, last + first, initial(first) + last, last + initial(first), first + initial(last)} {
			put(form, 4)
		}
	}
	return forms
}

// owner is whose a contact is, or nobody.
func (o *owners) owner(c Contact) int {
	place, sure := o.before(c)
	from := o.sentence(c)
	o.behind, o.of = c.End, place
	if self, plain := selfSaid(o.message.Body[from:c.Start]); self {
		o.of = nobody
		if plain && o.message.Role == "client" {
			return o.client
		}
		return nobody
	}
	switch c.Kind {
	case Email:
		local, domain, _ := strings.Cut(c.Value, "@")
		parts := strings.FieldsFunc(Fold(local), func(r rune) bool { return !unicode.IsLetter(r) })
		people := o.called(parts)
		switch {
		case len(people) > 1, len(people) == 1 && place != nobody && o.mentions[place].Type == Person && o.mentions[place].Key != o.mentions[people[0]].Key:
			o.of = nobody
			return nobody
		case len(people) == 1 && place != nobody && o.mentions[place].Key == o.mentions[people[0]].Key && o.mentions[place].Type == Person:
			return place // the nearest of its mentions
		case len(people) == 1:
			return people[0]
		case place != nobody && sure:
			return place
		case len(parts) > 0 && offices[parts[0]] && !mailboxes[siteName(domain)]:
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

// before is the person or company right before a contact, or that of the contact
// right before it, and whether more than a comma joins them.
func (o *owners) before(c Contact) (of int, sure bool) {
	body := o.message.Body
	at, _ := slices.BinarySearchFunc(o.order, c.Start+1, func(i, start int) int { return cmp.Compare(o.mentions[i].End, start) })
	if at == 0 || o.mentions[o.order[at-1]].End < o.behind {
		if o.behind > 0 && o.of != nobody && joins(body[o.behind:c.Start]) {
			return o.of, true
		}
		return nobody, false
	}
	at--
	m := o.mentions[o.order[at]]
	gap := body[m.End:c.Start]
	if m.Type != Person && m.Type != Company || !joins(gap) {
		return nobody, false
	}
	if strings.Contains(gap, "\n") && strings.TrimSpace(body[lineStart(body, m.Start):m.Start]) != "" {
		return nobody, false // a signature has its name alone on a line
	}
	if at > 0 { // Anna Ruiz, Ben Smith, +62 …: of which of them?
		other := o.mentions[o.order[at-1]]
		if between := body[min(other.End, m.Start):m.Start]; (other.Type == Person || other.Type == Company) && len(between) < farthest && lists[strings.Trim(Fold(between), " ,;/")] {
			return nobody, false
		}
	}
	return o.order[at], strings.Trim(gap, " ,") != ""
}

// lineStart is where the line begins that holds a place; lines longer than names
// and titles are don't begin.
func lineStart(body string, at int) int {
	from := max(0, at-farthest)
	return from + strings.LastIndexByte(body[from:at], '\n') + 1
}

// joins reports whether what stands between a name and a contact joins them: signs
// and words such as "e-mail:" and "'s number is", at most one line break.
func joins(gap string) bool {
	if len(gap) > farthest || strings.Count(gap, "\n") > 1 {
		return false
	}
	for _, r := range gap {
		if !isWord(unicode.ToLower(r)) && !isBlank(r) && !isApostrophe(r) && !unicode.Is(unicode.Pd, r) && !isInvisible(r) && !strings.ContainsRune(",:;<([|", r) {
			return false
		}
	}
	for word := range strings.FieldsFuncSeq(Fold(gap), func(r rune) bool { return !isWord(r) }) {
		if !joining[word] {
			return false
		}
	}
	return true
}

// sentence is where what is said of a contact begins: behind the mention, contact
// or end of a sentence before it.
func (o *owners) sentence(c Contact) int {
	from := max(0, c.Start-2*farthest, o.behind)
	for from < c.Start && !utf8.RuneStart(o.message.Body[from]) {
		from++
	}
	at, _ := slices.BinarySearchFunc(o.order, c.Start+1, func(i, start int) int { return cmp.Compare(o.mentions[i].End, start) })
	if at > 0 {
		from = max(from, o.mentions[o.order[at-1]].End)
	}
	if end := strings.LastIndexAny(o.message.Body[from:c.Start], "\n!?"); end >= 0 {
		from += end + 1
	}
	if end := strings.LastIndex(o.message.Body[from:c.Start], ". "); end >= 0 {
		from += end + 1
	}
	return from
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
		words := strings.Fields(o.mentions[i].Key)
		forms := localForms(words)
		of := func(part string) bool {
			return slices.Contains(forms, part) || slices.Contains(words, part) || slices.ContainsFunc(words, func(w string) bool { return initial(w) == part })
		}
		among := func(word string) bool { return slices.Contains(parts, word) }
		return slices.ContainsFunc(parts, func(p string) bool { return !of(p) }) && slices.ContainsFunc(words, func(w string) bool { return !among(w) }) && !slices.Contains(forms, strings.Join(parts, ""))
	})
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

var (
	// joining stand between a name and its contact.
	joining = set("s email e mail emails tel telp telepon phone telephone mobile cell cel cellulare hp wa whatsapp fax contact kontak contatto number numero nomor no nr n address alamat indirizzo at is on by via website site web sito situs url ext or and its the e ed dan atau adalah di al ini itu nya his her reached id")
	// selves are words of the one who speaks.
	selves = set("my mine me i our ours us we saya aku kami kita mio mia mi miei mie nostro nostra ci io")
	// reaching are verbs by which one is reached.
	reaching = set("call reach write text message send chat contact please you can could to for here hubungi kontak kirim ke tolong silakan bisa chiama chiamami scrivi scrivimi contattami puoi la il lo a per")
	// lists join names.
	lists = map[string]bool{"": true, "and": true, "&": true, "or": true, "e": true, "o": true, "dan": true, "atau": true}
	// offices are what firms call addresses that are of no person.
	offices = set("info admin office sales hello contact contacts support help mail hr finance legal accounting billing marketing kontak cs customer reception amministrazione segreteria vendite")
	// mailboxes are domains of everybody.
	mailboxes = set("gmail googlemail yahoo ymail hotmail outlook live msn icloud me aol gmx proton protonmail libero virgilio tiscali alice tim mail yandex zoho")
)
