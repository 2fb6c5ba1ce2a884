package relations

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// item is a word, a mark, a mention or the end of a sentence.
type item struct {
	extraction.Span
	// word is in lower case and composed, without invisible characters; a mention has
	// none.
	word string
	// mention is an index among what was found, or -1.
	mention int
	// stop ends a sentence.
	stop bool
}

// sentence is a run of items, its stop, where it has one, excluded.
type sentence struct{ from, to int }

// maxItems cuts what has no stops: a pasted table, or a megabyte of words.
const maxItems = 100

// bullet stands for the end of a line in a list.
const bullet = "•"

// abbreviations have a point that ends no sentence.
var abbreviations = wordSet("pt cv mr mrs ms dr prof st no art vs etc co ltd inc corp tbk jl sig dott avv spa srl dll dsb bpk sdr approx e.g i.e")

func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		set[word] = true
	}
	return set
}

// itemise splits a message. Mentions are one item each. It fails where a mention
// has a place that is not in the message, or shares one with another.
func itemise(body string, mentions []extraction.Mention) ([]item, error) {
	order := make([]int, len(mentions))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(mentions[a].Start, mentions[b].Start) })
	last := 0
	for _, i := range order {
		m := mentions[i].Span
		if m.Start < last || m.Start >= m.End || m.End > len(body) || !boundary(body, m.Start) || !boundary(body, m.End) {
			return nil, fmt.Errorf("mention %d at %d to %d: its place is none, or another's too", i, m.Start, m.End)
		}
		last = m.End
	}
	s := scanner{body: body, mentions: mentions, order: order}
	for s.at < len(body) {
		s.step()
	}
	return s.items, nil
}

func boundary(body string, at int) bool { return at == len(body) || utf8.RuneStart(body[at]) }

// scanner goes through a message from its beginning to its end.
type scanner struct {
	body     string
	mentions []extraction.Mention
	// order are the mentions still to come.
	order []int
	at    int
	items []item
	// list is between a colon at a line's end and the last bullet.
	list bool
}

// until is where the next mention begins, or the end.
func (s *scanner) until() int {
	if len(s.order) > 0 {
		return s.mentions[s.order[0]].Start
	}
	return len(s.body)
}

func (s *scanner) add(end int, word string, stop bool) {
	s.items = append(s.items, item{extraction.Span{Start: s.at, End: end}, word, -1, stop})
	s.at = end
}

func (s *scanner) last() string {
	if len(s.items) == 0 {
		return ""
	}
	return s.items[len(s.items)-1].word
}

func (s *scanner) step() {
	if s.at == s.until() {
		i := s.order[0]
		s.order = s.order[1:]
		s.items = append(s.items, item{s.mentions[i].Span, "", i, false})
		s.at = s.mentions[i].End
		s.form()
		return
	}
	r, size := utf8.DecodeRuneInString(s.body[s.at:])
	switch {
	case r == '\n':
		s.line()
	case unicode.IsSpace(r) || unicode.Is(unicode.Cf, r):
		s.at += size
	case letter(r) || r == '\'' || r == '’':
		s.word()
	case r == '.' || r == '!' || r == '?' || r == '…':
		s.point()
	case strings.ContainsRune(quotes, r):
		s.at += size
	default:
		s.add(s.at+size, string(r), false)
	}
}

// quotes, and what makes letters bold or slanted in chats, mean nothing here.
const quotes = "\"“”„«»*_~`‘"

func letter(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// word takes letters, digits and apostrophes between or after them; an apostrophe
// before them only directly behind a mention, as in 's.
func (s *scanner) word() {
	end, until := s.at, s.until()
	for end < until {
		r, size := utf8.DecodeRuneInString(s.body[end:])
		if !letter(r) && r != '\'' && r != '’' && !unicode.Is(unicode.Cf, r) {
			break
		}
		end += size
	}
	word := s.body[s.at:end]
	plain := true
	for i := range len(word) {
		plain = plain && word[i] < utf8.RuneSelf
	}
	if !plain {
		word = norm.NFC.String(strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) {
				return -1
			}
			if r == '’' {
				return '\''
			}
			return r
		}, word))
	}
	word = strings.ToLower(word)
	if behind := len(s.items) > 0 && s.items[len(s.items)-1].mention >= 0 && s.items[len(s.items)-1].End == s.at; !behind {
		word = strings.TrimLeft(word, "'")
	}
	if end != until || until == len(s.body) {
		word = strings.TrimRight(word, "'")
	}
	if word == "" {
		s.at = end
		return
	}
	s.add(end, word, false)
}

// point takes a run of points, exclamation and question marks. It ends a sentence
// before white space, unless it belongs to an abbreviation.
func (s *scanner) point() {
	abbreviation := abbreviations[s.last()]
	end, until := s.at, s.until()
	mark := "."
	for end < until {
		r, size := utf8.DecodeRuneInString(s.body[end:])
		if r == '?' {
			mark = "?"
		} else if r != '.' && r != '!' && r != '…' {
			break
		}
		end += size
	}
	next, _ := utf8.DecodeRuneInString(s.body[end:])
	ends := end == len(s.body) || unicode.IsSpace(next) || strings.ContainsRune(`"'”’)]`, next)
	if mark == "." && (!ends || end == s.at+1 && abbreviation) {
		s.at = end
		return
	}
	s.add(end, mark, true)
}

// form takes a dot that ends the name of a firm (Bianchi S.r.l.), which one that finds
// names may have left out. It ends a sentence too where another one begins.
func (s *scanner) form() {
	last := &s.items[len(s.items)-1]
	switch name := s.body[last.Start:last.End]; {
	case s.mentions[last.mention].Type != extraction.Company:
		return
	case strings.HasSuffix(name, "."):
	case inner.MatchString(name) && s.at < s.until() && s.body[s.at] == '.':
		s.at++
	default:
		return
	}
	rest := s.body[s.at:s.until()]
	next := strings.TrimLeftFunc(rest, unicode.IsSpace)
	if next == "" || len(next) == len(rest) {
		return
	}
	word, _, _ := strings.Cut(next[:min(len(next), maxOpening)], " ")
	word = strings.TrimRightFunc(word, func(r rune) bool { return !letter(r) })
	first, _ := utf8.DecodeRuneInString(next)
	lower := strings.ToLower(word)
	if unicode.IsUpper(first) && !ranks[lower] || word == lower && starts[lower] {
		s.add(s.at, ".", true)
	}
}

// inner is the end of a form with dots, without its last.
var inner = regexp.MustCompile(`\b\pL(\.\pL)+$`)

// maxOpening is more bytes than a word has that begins a sentence.
const maxOpening = 40

var (
	// starts begin a sentence without a capital letter.
	starts = wordSet("how when hi hello ok okay thanks thank thx please pls sorry what berapa kapan bagaimana terima makasih tolong maaf quanto quanti quando grazie ciao i i'm")
	// ranks are what somebody is at a firm: "Acme Inc. Chairman Rossi" goes on.
	ranks = wordSet(english.classes["title"] + " " + english.classes["staff"] + " managing finance general senior vice deputy")
)

// line ends a sentence, but not before an item of a list.
func (s *scanner) line() {
	colon := s.last() == ":"
	end := s.at
	for end < len(s.body) {
		r, size := utf8.DecodeRuneInString(s.body[end:])
		if !unicode.IsSpace(r) {
			break
		}
		end += size
	}
	end = min(end, s.until())
	rest := strings.TrimLeft(s.body[end:min(end+3, s.until())], "0123456789")
	bulleted := end < s.until() && (strings.IndexAny(rest, "-*.)") == 0 || strings.HasPrefix(s.body[end:s.until()], bullet) || strings.HasPrefix(s.body[end:s.until()], "–"))
	switch {
	case bulleted && (colon || s.list):
		s.list = true
		if colon {
			s.at = end
		} else {
			s.add(end, bullet, false)
		}
		for s.at < s.until() {
			r, size := utf8.DecodeRuneInString(s.body[s.at:])
			if unicode.IsLetter(r) || unicode.IsSpace(r) {
				return
			}
			s.at += size
		}
	case colon:
		s.at = end
	default:
		s.list = false
		s.add(end, "\n", true)
	}
}

// sentences splits items at stops.
func sentences(items []item) []sentence {
	var all []sentence
	from := 0
	for i, it := range items {
		if it.stop || i-from == maxItems {
			if i > from {
				all = append(all, sentence{from, i})
			}
			from = i
			if it.stop {
				from++
			}
		}
	}
	if from < len(items) {
		all = append(all, sentence{from, len(items)})
	}
	return all
}
