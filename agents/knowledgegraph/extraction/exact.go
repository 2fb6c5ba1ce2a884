package extraction

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/internal/phone"
)

// exactVersion is of the rules; what Exact finds depends on its region too.
const exactVersion = "1"

// Exact finds what can be told by its form alone, in English, Indonesian and
// Italian: e-mail addresses, telephone numbers and URLs as contacts; laws, dates and
// amounts of money as mentions. A place is the first of e-mail, URL, law, date, money
// and telephone number that it can be.
type Exact struct {
	region string
	urls   urlReader
}

// NewExact is with the region (ID, IT) that telephone numbers without + are of;
// empty, there are none. It refuses a region that has no numbers.
func NewExact(region string) (*Exact, error) {
	region = strings.ToUpper(strings.TrimSpace(region))
	if region != "" && !phone.Region(region) {
		return nil, fmt.Errorf("%q is no region of telephone numbers, such as ID", region)
	}
	urls, err := newURLReader()
	if err != nil {
		return nil, fmt.Errorf("compile the form of URLs: %w", err)
	}
	return &Exact{region: region, urls: urls}, nil
}

// Name is exact.
func (e *Exact) Name() string { return "exact" }

// Version is of the rules and the region.
func (e *Exact) Version() string {
	if e.region == "" {
		return exactVersion
	}
	return exactVersion + "-" + e.region
}

// Extract adds contacts and mentions.
func (e *Exact) Extract(_ context.Context, m Message, found Found) (Found, error) {
	c := claims{exact: e, taken: make([]bool, len(m.Body)), found: Found{
		Mentions: slices.Clone(found.Mentions), Contacts: slices.Clone(found.Contacts), Relations: found.Relations,
	}}
	seen := visibleView(m.Body)
	for _, email := range findEmails(seen.text) {
		c.contact(seen, Email, email)
	}
	for _, url := range e.urls.find(seen.text) {
		c.contact(seen, URL, url)
	}
	folded := foldedView(m.Body)
	for _, law := range findLaws(folded.text) {
		c.mention(folded.span(law.start, law.end), Law, law.key, law.name, .95)
	}
	for _, date := range findDates(folded.text, m.SentAt) {
		c.mention(folded.span(date.start, date.end), Date, date.key, shownDate(date.key), date.confidence)
	}
	for _, money := range findMoney(folded.text) {
		c.mention(folded.span(money.start, money.end), Money, money.key, money.name, money.confidence)
	}
	taken := func(start, end int) bool { return c.isTaken(seen.span(start, end)) }
	for _, number := range findPhones(seen.text, e.region, taken) {
		c.contact(seen, Phone, number)
	}
	return c.found, nil
}

// shownDate is a date as English has it: 12 March 2026.
func shownDate(key string) string {
	if day, err := time.Parse(time.DateOnly, key); err == nil {
		return day.Format("2 January 2006")
	}
	month, err := time.Parse("2006-01", key)
	if err != nil {
		return key
	}
	return month.Format("January 2006")
}

// claims gathers what is found, no two in one place.
type claims struct {
	exact *Exact
	taken []bool
	found Found
}

func (c *claims) isTaken(s Span) bool { return slices.Contains(c.taken[s.Start:s.End], true) }

func (c *claims) claim(s Span) bool {
	if c.isTaken(s) {
		return false
	}
	for i := s.Start; i < s.End; i++ {
		c.taken[i] = true
	}
	return true
}

func (c *claims) contact(v *view, kind ContactKind, m contactMatch) {
	if s := v.span(m.start, m.end); c.claim(s) {
		c.found.Contacts = append(c.found.Contacts, Contact{Span: s, Kind: kind, Value: m.value, Of: -1, Extractor: c.exact.Name(), Version: c.exact.Version()})
	}
}

func (c *claims) mention(s Span, t Type, key, name string, confidence float64) {
	if c.claim(s) {
		c.found.Mentions = append(c.found.Mentions, Mention{Span: s, Type: t, Key: key, Name: name, Extractor: c.exact.Name(), Version: c.exact.Version(), Confidence: confidence})
	}
}
