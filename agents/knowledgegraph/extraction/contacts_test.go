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
