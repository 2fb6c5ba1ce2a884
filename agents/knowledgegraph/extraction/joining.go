package extraction

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// joins reports whether what stands between a name and a contact joins them: signs
// and words such as "e-mail:" and "can be reached at", at most one line break. Behind
// another contact (more), words that add one join too.
func joins(gap string, more bool) bool {
	if len(gap) > farthest || strings.Count(gap, "\n") > 1 {
		return false
	}
	for _, r := range gap {
		if !isWord(unicode.ToLower(r)) && !isBlank(r) && !isApostrophe(r) && !unicode.Is(unicode.Pd, r) && !isInvisible(r) && !strings.ContainsRune(",:;<([|.", r) {
			return false
		}
	}
	folded := Fold(gap)
	for i, r := range folded { // a dot is of an abbreviation
		if r == '.' && !dotted[folded[strings.LastIndexFunc(folded[:i], func(r rune) bool { return !isWord(r) })+1:i]] {
			return false
		}
	}
	for word := range strings.FieldsFuncSeq(folded, func(r rune) bool { return !isWord(r) }) {
		if !joining[word] && (!more || !adding[word]) {
			return false
		}
	}
	// Without its accent or an apostrophe, the Italian "is" is "and".
	return more || !slices.Contains(strings.Fields(strings.ToLower(gap)), "e")
}

// claimed reports whether a contact is told to be that of a name before it, and not
// asked about, or spoken of itself: "Ben Smith, 0812 … is our office".
func claimed(gap, behind string) bool {
	bare := !strings.ContainsFunc(gap, isWord)
	behind = behind[:min(len(behind), farthest)]
	if !bare && strings.HasPrefix(strings.TrimLeft(behind, " )\"'"), "?") {
		return false
	}
	if _, told, comma := strings.Cut(gap, ","); comma && calling[strings.TrimSpace(Fold(told))] { // Ben Smith, call 0812 …
		return false
	}
	next := strings.FieldsFunc(strings.ToLower(strings.TrimLeft(behind, " ")), unicode.IsSpace)
	return !bare || len(next) == 0 || !strings.HasPrefix(behind, " ") || !being[next[0]]
}

// lead is what stands before a name in its sentence, folded, the nearest word last.
type lead struct {
	words []string
	// beside is the word before, with nothing but a blank between, and sign what else
	// stands there.
	beside token
	near   bool
	sign   string
}

// leadOf reads what stands before a mention, no further than twice the farthest.
func leadOf(body string, m Mention) lead {
	from := max(0, m.Start-2*farthest)
	for !utf8.RuneStart(body[from]) {
		from++
	}
	before := body[from:m.Start]
	if end := max(strings.LastIndexAny(before, "\n!?"), strings.LastIndex(before, ". ")); end >= 0 {
		if word := before[strings.LastIndexAny(before[:end], " \n")+1 : end]; before[end] != '.' || !titles[Fold(word)] {
			before = before[end+1:]
		}
	}
	all := tokens(before, Found{})
	l := lead{}
	for _, t := range all {
		l.words = append(l.words, t.text)
	}
	if len(all) > 0 {
		l.beside = all[len(all)-1]
		l.sign = strings.TrimSpace(before[l.beside.End:])
		l.near = l.sign == ""
	}
	for len(l.words) > 0 && titles[l.words[len(l.words)-1]] {
		l.words, l.near = l.words[:len(l.words)-1], l.near || l.sign == "."
	}
	return l
}

// word is the n-th before the name, the nearest is 1.
func (l lead) word(n int) string {
	if n > len(l.words) {
		return ""
	}
	return l.words[len(l.words)-n]
}

// names reports whether a contact behind the mention may be of it: it is a whole name,
// the only one, nobody is greeted by it, and nothing is denied.
func (l lead) names(m Mention) bool {
	if slices.ContainsFunc(l.words, func(w string) bool { return denying[w] }) {
		return false
	}
	another := l.beside.capital && !titles[l.beside.text] && !l.beside.ordinary()
	switch {
	case lists[l.word(1)] && l.word(1) != "":
		return false
	case l.near && greetings[l.word(1)]:
		return false
	case l.near && m.FirmID == "" && another: // half of a name
		return false
	}
	return l.sign != "," || !another // Zoe, Ben Smith, +62 …
}

// asks reports words that ask to reach who is named next.
func (l lead) asks() bool {
	return asking[l.word(1)] || toward[l.word(1)] && asking[l.word(2)]
}

var (
	// joining stand between a name and its contact.
	joining = set(`
s email e mail emails tel telp telepon phone telephone mobile mob cell cel cellulare hp wa whatsapp fax contact kontak contatto number numero nomor no nr n address alamat indirizzo at is on by via website site web sito situs url ext its the a al alla allo all adalah di ini itu nya his her id
can could may be reached contacted reachable available under through using uses has now also new direct personal private answers
bisa dapat dihubungi lewat melalui pada nomornya emailnya kontaknya hpnya teleponnya pakai punya juga sekarang baru pribadi
risponde rispondera raggiungibile contattabile puo essere raggiunto raggiunta contattato contattata usa ha il lo la sul ora anche nuovo diretto personale suo sua tramite`)
	// adding stand between two contacts of one.
	adding = set("and or e ed o oppure dan atau serta")
	// dotted are abbreviations.
	dotted = set("tel telp no nr n mob cell cel ext hp fax")
	// selves are words of the one who speaks.
	selves = set("my mine me i our ours us we saya aku kami kita mio mia mi miei mie nostro nostra ci io")
	// reaching are verbs by which one is reached.
	reaching = set("call reach write text message send chat contact please you can could to for here and or e ed dan atau hubungi kontak kirim ke tolong silakan bisa chiama chiamami scrivi scrivimi contattami puoi la il lo a per")
	// calling are those that say to reach somebody else; alone behind a comma.
	calling = set("contact kontak telepon email mail phone whatsapp wa tel")
	// asking come before who is to be reached, toward between.
	asking = set(`
reach contact call text message email mail phone ring whatsapp write number contacts address
hubungi menghubungi kontak kontaknya nomor nomornya hp telepon email emailnya wa alamat tulis kirim menulis
scrivere scriva scrivi chiamare chiami chiama contattare contatti contatta contatto numero indirizzo rivolgersi telefonare telefoni`)
	toward = set("to of for a ad di ke kepada untuk dari")
	// denying are words of what is not so, or no more.
	denying = set("not t don dont doesn doesnt didn never cannot cant without wrong former jangan tidak tak bukan enggak nggak ga gak salah non mai sbagliato")
	// being begin what is said of the contact itself.
	being = set("is are was adalah itu ini è e' era")
	// lists join names.
	lists = map[string]bool{"": true, "and": true, "&": true, "or": true, "e": true, "ed": true, "o": true, "dan": true, "atau": true, "serta": true}
	// offices are what firms call addresses that are of no person.
	offices = set("info admin office sales hello contact contacts support help mail hr finance legal accounting billing marketing kontak cs customer reception reservation reservations booking bookings amministrazione segreteria vendite")
	// mailboxes are domains of everybody.
	mailboxes = set("gmail googlemail yahoo ymail hotmail outlook live msn icloud me aol gmx proton protonmail libero virgilio tiscali alice tim mail yandex zoho")
)
