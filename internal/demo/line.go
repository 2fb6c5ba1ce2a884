package demo

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// line is a message in the making: its words, and what they name where.
type line struct {
	text   strings.Builder
	chars  int
	places []Place
	// says are statements that it makes, or withholds.
	says []statement
}

func (l *line) write(text string) {
	l.text.WriteString(text)
	l.chars += utf8.RuneCountInString(text)
}

// filling is what stands for {s} and {o} in a phrase.
type filling struct {
	called
	entity string
}

// add adds a sentence: the phrase with its subject, object and contact.
func (l *line) add(phrase string, subject, object filling, contact string) {
	if l.chars > 0 {
		l.write(l.between())
	}
	begins := true // of a sentence
	for phrase != "" {
		text, rest, found := strings.Cut(phrase, "{")
		if strings.HasSuffix(l.text.String(), ".") {
			text = strings.TrimPrefix(text, ".") // of S.r.l.
		}
		if l.write(text); text != "" {
			begins = strings.HasSuffix(text, ". ")
		}
		if !found {
			return
		}
		token, rest, _ := strings.Cut(rest, "}")
		switch token {
		case "s":
			subject.article = ""
			l.name(subject, begins)
		case "S":
			l.name(subject, begins)
		case "o":
			object.article = ""
			l.name(object, begins)
		case "O":
			l.name(object, begins)
		case "c":
			l.write(contact)
		}
		begins, phrase = false, rest
	}
}

// between is what goes before another sentence: a line of its own where the last one
// has no end.
func (l *line) between() string {
	if last, _ := utf8.DecodeLastRuneInString(l.text.String()); strings.ContainsRune(".!?…,", last) {
		return " "
	}
	return "\n"
}

// name writes a name, which is where the message names the entity.
func (l *line) name(f filling, begins bool) {
	surface := f.text
	switch {
	case begins && f.article != "":
		l.write(capital(f.article))
	case begins:
		surface = capital(surface)
	default:
		l.write(f.article)
	}
	start := l.chars
	l.write(surface)
	l.places = append(l.places, Place{Start: start, End: l.chars, Surface: surface, Entity: f.entity})
}

func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// body is the message's; in small letters, as some people write, where that is asked.
func (l *line) body(small bool) string {
	if !small {
		return l.text.String()
	}
	for i := range l.places {
		l.places[i].Surface = strings.ToLower(l.places[i].Surface)
	}
	return strings.ToLower(l.text.String())
}
