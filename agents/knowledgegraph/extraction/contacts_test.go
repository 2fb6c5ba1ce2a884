package extraction

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// owned is each contact's value with its owner's key.
func owned(t *testing.T, m Message, extractors ...Extractor) string {
	t.Helper()
	p, err := NewPipeline(extractors...)
	if err != nil {
		t.Fatal(err)
	}
	found, err := p.Read(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range found.Contacts {
		owner := "nobody"
		if c.Of >= 0 {
			owner = found.Mentions[c.Of].Key
		}
		lines = append(lines, fmt.Sprintf("%s of %s", c.Value, owner))
	}
	return strings.Join(lines, "; ")
}

func TestContactsHaveOwnersOnlyWhereTheMessageTells(t *testing.T) {
	t.Parallel()
	g := newGazetteer(t,
		FirmName{Person, "c1", "Anna Ruiz", true}, FirmName{Person, "c2", "Ben Smith", true}, FirmName{Person, "c3", "Anna Bianchi", true},
		FirmName{Company, "n1", "Acme Trading Ltd", false}, FirmName{Company, "n2", "PT Bali Jaya", false}, FirmName{Location, "l1", "Sanur", false})
	e := newExact(t, "ID")
	for _, c := range []struct{ body, role, want string }{
		{"Anna Ruiz <anna@acme.com>", "agent", "anna@acme.com of anna ruiz"},
		{"Anna Ruiz <x123@acme.com>", "agent", "x123@acme.com of anna ruiz"},
		{"Anna Ruiz, +62 812 3456 7890", "agent", "+6281234567890 of anna ruiz"},
		{"Ben Smith's number is 0812 3456 7890.", "agent", "+6281234567890 of ben smith"},
		{"Anna Ruiz\nanna@acme.com\n0812 3456 7890", "agent", "anna@acme.com of anna ruiz; +6281234567890 of anna ruiz"},
		{"Please write to aruiz@acme.com, I spoke with Anna Ruiz.", "agent", "aruiz@acme.com of anna ruiz"},
		{"Anna Ruiz and Anna Bianchi: anna@acme.com", "agent", "anna@acme.com of nobody"},
		{"Anna Ruiz and Anna Bianchi: anna.ruiz@acme.com", "agent", "anna.ruiz@acme.com of anna ruiz"},
		{"anna.ruiz@acme.com, as Anna Ruiz and Anna Bianchi know", "agent", "anna.ruiz@acme.com of anna ruiz"},
		{"anna.smith@acme.com is not of Anna Ruiz", "agent", "anna.smith@acme.com of nobody"},
		{"Anna Ruiz, Ben Smith, +62 812 3456 7890", "agent", "+6281234567890 of nobody"},
		{"Ben Smith, anna@acme.com", "agent", "anna@acme.com of nobody"},
		{"I spoke with Ben Smith. 0812 3456 7890 is the office", "agent", "+6281234567890 of nobody"},
		{"Ben Smith came. My number is 0812 3456 7890", "client", "+6281234567890 of nobody"},
		{"I am Anna Ruiz. My number is 0812 3456 7890", "client", "+6281234567890 of anna ruiz"},
		{"I am Anna Ruiz. My lawyer's number is 0812 3456 7890", "client", "+6281234567890 of nobody"},
		{"Anna Ruiz: my number is 0812 3456 7890", "agent", "+6281234567890 of nobody"},
		{"Saya Anna Ruiz. Nomor hp saya 0812 3456 7890", "client", "+6281234567890 of anna ruiz"},
		{"Acme Trading is at info@acme.com and www.acme.com", "agent", "info@acme.com of acme trading; acme.com of acme trading"},
		{"PT Bali Jaya. See www.bali-jaya.co.id", "agent", "bali-jaya.co.id of bali jaya"},
		{"Acme Trading. ask info@gmail.com, zoe@acme.com", "agent", "info@gmail.com of nobody; zoe@acme.com of nobody"},
		{"Sanur, 0812 3456 7890", "agent", "+6281234567890 of nobody"},
		{"12345@acme.com", "agent", "12345@acme.com of nobody"},
	} {
		if got := owned(t, Message{ID: "m", Body: c.body, Role: c.role, ClientID: "c1", SentAt: wednesday}, e, g, Contacts{}); got != c.want {
			t.Errorf("%q by the %s:\n got %s\nwant %s", c.body, c.role, got, c.want)
		}
	}
}

func TestPeopleAreReachedAsMessagesSay(t *testing.T) {
	t.Parallel()
	g := newGazetteer(t,
		FirmName{Person, "c1", "Anna Ruiz", true}, FirmName{Person, "c2", "Ben Smith", true}, FirmName{Person, "c4", "Søren Björklund", true}, FirmName{Person, "c5", "Sven van den Berg", true},
		FirmName{Company, "n1", "Acme Trading Ltd", false}, FirmName{Location, "l1", "Sanur", false})
	e := newExact(t, "ID")
	const phone, address = "+62 812 3456 7890", "q7@acme.com"
	for _, c := range []struct{ body, phone, address string }{
		// Contacts of Ben Smith: {c} is one of them.
		{"You can reach Ben Smith at {c}.", "ben smith", "ben smith"},
		{"Ben Smith can be reached at {c}.", "ben smith", "ben smith"},
		{"Ben Smith may be contacted on {c}", "ben smith", "ben smith"},
		{"Please write to Ben Smith, {c}.", "ben smith", "ben smith"},
		{"Please write to Mr. Ben Smith: {c}.", "ben smith", "ben smith"},
		{"The contact of Ben Smith is {c}", "ben smith", "ben smith"},
		{"Ask for him. Call Ben Smith on {c}", "ben smith", "ben smith"},
		{"Ben Smith is reachable under {c}", "ben smith", "ben smith"},
		{"Ben Smith's new number is now {c}", "ben smith", "ben smith"},
		{"Ben Smith, tel. {c}", "ben smith", "ben smith"},
		{"Ben Smith (mobile no. {c})", "ben smith", "ben smith"},
		{"Ben Smith works for Acme Trading. Ben Smith: {c}", "ben smith", "ben smith"},
		{"Ben Smith bisa dihubungi di {c}.", "ben smith", "ben smith"},
		{"Ben Smith dapat dihubungi melalui WA {c}.", "ben smith", "ben smith"},
		{"Silakan hubungi Ben Smith, {c}.", "ben smith", "ben smith"},
		{"Kontak Ben Smith adalah {c}", "ben smith", "ben smith"},
		{"Nomor hp Ben Smith {c}", "ben smith", "ben smith"},
		{"Kirim ke Ben Smith, {c}", "ben smith", "ben smith"},
		{"Ben Smith risponde a {c}.", "ben smith", "ben smith"},
		{"Ben Smith risponde al numero {c}", "ben smith", "ben smith"},
		{"Può scrivere a Ben Smith, {c}.", "ben smith", "ben smith"},
		{"Il contatto di Ben Smith è {c}", "ben smith", "ben smith"},
		{"Il numero di Ben Smith e\u0300 {c}", "ben smith", "ben smith"},
		{"Il numero di Ben Smith e' {c}", "ben smith", "ben smith"},
		{"Chiami il sig. Ben Smith al {c}", "ben smith", "ben smith"},
		{"Ben Smith può essere contattato tramite {c}", "ben smith", "ben smith"},
		// A comma tells of a number; of an address not enough.
		{"Ben Smith, {c}", "ben smith", "nobody"},
		// Nobody's.
		{"Ben Smith asked me to write to {c}", "nobody", "nobody"},
		{"Ben Smith says you should call {c}", "nobody", "nobody"},
		{"Ben Smith called {c}", "nobody", "nobody"},
		{"Ben Smith, call {c}", "nobody", "nobody"},
		{"Ben Smith, contact {c}", "nobody", "nobody"},
		{"Ben Smith and {c}", "nobody", "nobody"},
		{"Write to Ben Smith or to {c}", "nobody", "nobody"},
		{"Scriva a Ben Smith e a {c}", "nobody", "nobody"},
		{"Hubungi Ben Smith atau {c}", "nobody", "nobody"},
		{"Hello Ben Smith, {c}", "nobody", "nobody"},
		{"Dear Mr. Ben Smith: {c}", "nobody", "nobody"},
		{"Grazie Ben Smith: {c}", "nobody", "nobody"},
		{"You can't reach Ben Smith at {c}", "nobody", "nobody"},
		{"Never write to Ben Smith, {c}", "nobody", "nobody"},
		{"Jangan hubungi Ben Smith di {c}", "nobody", "nobody"},
		{"Non scriva a Ben Smith, {c}", "nobody", "nobody"},
		{"Ben Smith is no longer at {c}", "nobody", "nobody"},
		{"Is Ben Smith at {c}?", "nobody", "nobody"},
		{"Ben Smith risponde a {c} ?", "nobody", "nobody"},
		{"I spoke with Ben Smith, {c} is our office", "nobody", "nobody"},
		{"Saya dengan Ben Smith, {c} adalah nomor kantor", "nobody", "nobody"},
		{"Ben Smith is my contact there, {c}", "nobody", "nobody"},
		{"I saw Ben Smith. You can reach us at {c}", "nobody", "nobody"},
		{"Call Anna Ruiz or Ben Smith at {c}", "nobody", "nobody"},
		{"Call Zoe Tan or Ben Smith at {c}", "nobody", "nobody"},
		{"Call Zoe Tan, Ben Smith, at {c}", "nobody", "nobody"},
		{"Ben Smith of Acme Trading: {c}", "nobody", "nobody"},
		{"Ben Smith, an accountant at Acme Trading, can be reached at {c}", "nobody", "nobody"},
		{"Ben Smith in Sanur: {c}", "nobody", "nobody"},
		{"Ben Smith! {c}", "nobody", "nobody"},
		{"Ben Smith. {c}", "nobody", "nobody"},
	} {
		for contact, want := range map[string]string{phone: "+6281234567890 of " + c.phone, address: address + " of " + c.address} {
			body := strings.ReplaceAll(c.body, "{c}", contact)
			if got := owned(t, Message{ID: "m", Body: body, Role: "client", ClientID: "c1", SentAt: wednesday}, e, g, Contacts{}); got != want {
				t.Errorf("%q:\n got %s\nwant %s", body, got, want)
			}
		}
	}
	for body, want := range map[string]string{
		// What an address spells, letters left out, counts wherever it stands.
		"Søren Björklund said sren.bjrklund.9@acme.com":                   "sren.bjrklund.9@acme.com of soren bjorklund",
		"s.vandenberg@acme.com, as Sven van den Berg wrote":               "s.vandenberg@acme.com of sven van den berg",
		"You can reach Ben Smith at carla.neri@acme.com":                  "carla.neri@acme.com of nobody",
		"You can reach Ben Smith at ben.jones@acme.com":                   "ben.jones@acme.com of nobody",
		"You can reach Ben Smith at info@acme.com":                        "info@acme.com of nobody",
		"Write to Ben Smith or info@acme.com":                             "info@acme.com of nobody",
		"Ben Smith: ben@acme.com, carla@acme.com":                         "ben@acme.com of ben smith; carla@acme.com of nobody",
		"Ben Smith: ben@acme.com or 0812 3456 7890":                       "ben@acme.com of ben smith; +6281234567890 of ben smith",
		"Ben Smith is my contact. Anna Ruiz. My number is 0812 3456 7890": "+6281234567890 of anna ruiz",
		"Acme Trading: ben@acme.com. Rafael Moreau is here":               "ben@acme.com of acme trading",
	} {
		if got := owned(t, Message{ID: "m", Body: body, Role: "client", ClientID: "c1", SentAt: wednesday}, e, g, Contacts{}); got != want {
			t.Errorf("%q:\n got %s\nwant %s", body, got, want)
		}
	}
}

func TestContactsOfStrangers(t *testing.T) {
	t.Parallel()
	g := newGazetteer(t, FirmName{Company, "n1", "Bumi Jaya", false})
	half := adds("tagger", Mention{Span: Span{7, 13}, Type: Person, Key: "moreau", Name: "Moreau", Confidence: .9})
	e := newExact(t, "ID")
	for _, c := range []struct {
		body, want string
		extractors []Extractor
	}{
		{"Sven van den Berg works for Bumi Jaya. Sven van den Berg can be reached at sven.van.den.berg.3@example.org or +62 812 3456 7890.", "sven.van.den.berg.3@example.org of sven van den berg; +6281234567890 of sven van den berg", []Extractor{e, g, Addresses{}, Introductions{}, Contacts{}}},
		{"José Dlamini: jos.dlamini@example.org, Bumi Jaya <bumi.jaya@example.org>", "jos.dlamini@example.org of jose dlamini; bumi.jaya@example.org of bumi jaya", []Extractor{e, g, Addresses{}, Introductions{}, Contacts{}}},
		{"Anna Ruiz and Ana Ruiz: a.ruiz@example.org", "a.ruiz@example.org of nobody", []Extractor{e, g, Addresses{}, Contacts{}}},
		{"Rafael Moreau, tel. +62 812 3456 7890", "+6281234567890 of nobody", []Extractor{e, half, Contacts{}}},
		{"Reach  Moreau, tel. +62 812 3456 7890", "+6281234567890 of moreau", []Extractor{e, adds("tagger", Mention{Span: Span{7, 13}, Type: Person, Key: "moreau", Name: "Moreau", Confidence: .9}), Contacts{}}},
	} {
		if got := owned(t, Message{ID: "m", Body: c.body, Role: "client", SentAt: wednesday}, c.extractors...); got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.body, got, c.want)
		}
	}
}
