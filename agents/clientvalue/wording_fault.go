package clientvalue

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// faultOf says why a model's text must not stand in for the template's; empty where it
// may. Both have nameMark for the client's name. The words are of the languages that
// templates come in and of a few more: what is found wrongly costs a model's text, and
// what isn't found is still read by whoever approves it.
func faultOf(text, of template, firm string) string {
	whole, allowed := text.Subject+"\n"+text.Body, of.Subject+"\n"+of.Body
	if refusals.stray(whole, allowed) {
		return "a refusal"
	}
	if length := runes(text.Body); text.Subject == "" || 3*length < runes(of.Body) {
		return "a wrong length"
	}
	if why := tooLong(text); why != "" {
		return why
	}
	if strings.ContainsFunc(text.Subject, unseen) || strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(text.Body), unseen) {
		return "characters that aren't seen"
	}
	for _, part := range [][2]string{{text.Subject, of.Subject}, {text.Body, of.Body}} {
		if strings.Count(part[0], nameMark) != strings.Count(part[1], nameMark) {
			return "the client's name is missing, or there too often"
		}
	}
	whole, allowed = strings.ReplaceAll(whole, nameMark, ""), strings.ReplaceAll(allowed, nameMark, "")
	for _, s := range strays {
		if s.words.stray(whole, allowed) {
			return s.why
		}
	}
	if firm != "" && strings.Contains(of.Body, firm) && !strings.Contains(text.Body, firm) {
		return "the firm's name is missing"
	}
	lines := strings.Split(text.Body, "\n")
	for _, line := range kept(of.Body) {
		if !slices.Contains(lines, line) {
			return "how to opt out is missing"
		}
	}
	without := func(text string) string {
		if firm == "" {
			return text
		}
		return strings.ReplaceAll(text, firm, "")
	}
	if !sameLanguage(without(whole), without(allowed)) {
		return "another language"
	}
	return ""
}

// tooLong says that a text is longer than the database takes.
func tooLong(t template) string {
	if runes(t.Subject) > maxSubject || runes(t.Body) > maxMessage {
		return "a wrong length"
	}
	return ""
}

func runes(text string) int { return len([]rune(text)) }

// unseen says that a character is none that is read: it moves the cursor, turns the
// direction of writing, or stands for nothing.
func unseen(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar
}

var optOut = regexp.MustCompile(`\bSTOP\b`)

// kept are the lines that say how to hear no more: a model must not lose them.
func kept(body string) []string {
	all := []string{}
	for line := range strings.SplitSeq(body, "\n") {
		if optOut.MatchString(line) {
			all = append(all, line)
		}
	}
	return all
}

// words finds in a text what must not be there unless the template has it too: its
// first group is what is compared.
type words struct{ *regexp.Regexp }

// whole finds whole words, in whatever case: Go's \b knows ASCII alone.
func whole(alternatives string) words {
	return words{regexp.MustCompile(`(?:^|\PL)(` + alternatives + `)(?:\PL|$)`)}
}

// anywhere finds a pattern wherever it is, in lower case.
func anywhere(pattern string) words { return words{regexp.MustCompile(`(` + pattern + `)`)} }

// found are what it finds, in lower case and without the punctuation after it.
func (w words) found(text string) (all []string) {
	for _, m := range w.FindAllStringSubmatch(strings.ToLower(text), -1) {
		all = append(all, strings.TrimRight(m[1], ".,;:!?)"))
	}
	return all
}

// stray says that a text has what is not in the one that it is of.
func (w words) stray(text, of string) bool {
	allowed := w.found(of)
	return slices.ContainsFunc(w.found(text), func(found string) bool { return !slices.Contains(allowed, found) })
}

var refusals = whole(`i can['’]?t|i cannot|i (?:can|will|must) not|i won['’]t|i(?:['’]m| am) (?:unable|sorry|not able)|as an ai|(?:large )?language model|here(?:['’]s| is) (?:the|your|a)|as requested` +
	`|non posso|mi dispiace|sono spiacente|modello linguistico|ecco (?:il|la|un)|saya tidak (?:bisa|dapat)|maaf|model bahasa|berikut (?:ini|adalah)|lo siento|no puedo|je ne peux pas|désolée?|ich kann nicht`)

// strays are what a text must not have of itself, in the order in which one is named.
var strays = []struct {
	words words
	why   string
}{
	{anywhere(`\{[^{}]*\}?|\[[^\[\]]*\]?|<[^<>]*>?|[}\]>]`), "a placeholder"},
	{anywhere(`[^\s@]+@[^\s@]+`), "an e-mail address"},
	{anywhere(`(?:https?://|www\.)\S+|[\pL\pN-]+(?:\.[\pL\pN-]+)*\.[\pL][\pL\pN-]+(?:/\S*)?`), "a link"},
	{anywhere(`[$€£¥₹₽₩₫฿₺₴]`), "an amount of money"},
	{whole(`usd|eur|idr|gbp|rp|euros?|dollars?|doll?ar[io]|rupiah|sterlin[ae]|pounds?|cents?|ribu|juta`), "an amount of money"},
	{anywhere(`\+?\(?\pN[\pN ().\-/]{5,}\pN`), "a telephone number"},
	{whole(`discount(?:s|ed)?|vouchers?|coupons?|promo(?:s|tions?)?|special offers?|free of charge|for free|complimentary|half[ -]price|cash-?back|rebates?|gifts?|cheaper|percent|per cent` +
		`|scont[oi]|scontat[oaie]|omaggio?|gratis|gratuit[oaie]s?|offert[ae] special[ei]|promozion[ei]|regal[oi]|per ?cento` +
		`|diskon|potongan|hadiah|cuma-cuma|kupon|voucer|persen|descuentos?|remises?|réductions?|rabatt|kostenlos`), "a promise of a discount"},
	{anywhere(`%`), "a promise of a discount"},
	{anywhere(`\pN+(?:[.,:/]\pN+)*`), "a number"},
	{whole(`churn(?:ed|ing)?|scor(?:es?|ed|ing)|segment\pL*|vip|algor\pL+|analy[sz]\pL*|anali[sz]\pL*|predict\pL*|predizion[ei]|prediksi|probabilit\pL*|statisti\pL*|risks?|rischio|risiko|punteggio?|skor` +
		`|our (?:records|data)|i nostri dati|data kami|most valu\pL+|compute[rd]s?|calculat\pL*|calcol\pL*`), "a word of how the client was chosen"},
}

// sameLanguage says that a text looks as though it were in the language of another: in
// its scripts, and by which language's commonest words it has most.
func sameLanguage(text, of string) bool {
	scripts := map[string]bool{}
	for _, r := range of {
		scripts[scriptOf(r)] = true
	}
	letters, others := 0, 0
	for _, r := range text {
		if script := scriptOf(r); script != "" {
			letters++
			if !scripts[script] {
				others++
			}
		}
	}
	guessed := guessLanguage(of)
	return 20*others <= letters && (guessed == "" || guessLanguage(text) == guessed)
}

// scriptOf is a letter's; empty where it is none.
func scriptOf(r rune) string {
	switch {
	case !unicode.IsLetter(r):
		return ""
	case unicode.Is(unicode.Latin, r):
		return "Latin"
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return ""
}

// commonWords are some of the commonest of languages, enough to tell them apart.
var commonWords = []struct {
	language string
	words    []string
}{
	{"de", strings.Fields(`der die das und sie wir ist nicht für mit haben uns ihnen wenn auf ein eine zu von gerne`)},
	{"en", strings.Fields(`the and you we to of for with is are have has been if there that this your our would hello us it any from`)},
	{"es", strings.Fields(`el los las que y de para con es no si una usted nosotros hemos ha por su nuestro hola desde en lo`)},
	{"fr", strings.Fields(`le les des et vous nous pour avec est pas si une un dans votre notre bonjour que du depuis avons à ce`)},
	{"id", strings.Fields(`yang dan kami anda untuk dengan jika ada bisa ini tidak dari akan kepada telah sudah silakan apa halo sejak cukup dapat`)},
	{"it", strings.Fields(`il lo che di per con è sono abbiamo non se una un dal della nostro lei possiamo buongiorno cui in dall questo le da ci`)},
	{"nl", strings.Fields(`het een en u wij voor met niet hebben ons als van op te dat uw graag bij`)},
	{"pt", strings.Fields(`o os as que e de para com é não se uma você nós temos por seu nosso olá desde em do da`)},
}

// guessLanguage is the language whose commonest words a text has most of; empty where it
// has none.
func guessLanguage(text string) string {
	counts := map[string]int{}
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		counts[word]++
	}
	best, most := "", 0
	for _, l := range commonWords {
		n := 0
		for _, word := range l.words {
			n += counts[word]
		}
		if n > most {
			best, most = l.language, n
		}
	}
	return best
}
