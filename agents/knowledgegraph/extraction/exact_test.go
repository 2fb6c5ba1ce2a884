package extraction

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// wednesday is when the messages of the tests were sent.
var wednesday = time.Date(2026, 3, 11, 9, 0, 0, 0, time.UTC)

func newExact(tb testing.TB, region string) *Exact {
	tb.Helper()
	e, err := NewExact(region)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// shown is what an extractor finds in a text: type, surface and key of each, in order.
func shown(t *testing.T, m Message, extractors ...Extractor) string {
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
	for _, m1 := range found.Mentions {
		lines = append(lines, fmt.Sprintf("%s %q = %s", m1.Type, m.Body[m1.Start:m1.End], m1.Key))
	}
	for _, c := range found.Contacts {
		lines = append(lines, fmt.Sprintf("%s %q = %s", c.Kind, m.Body[c.Start:c.End], c.Value))
	}
	return strings.Join(lines, "; ")
}

func checkExact(t *testing.T, region string, cases map[string]string) {
	t.Helper()
	e := newExact(t, region)
	for body, want := range cases {
		if got := shown(t, Message{ID: "m", Body: body, SentAt: wednesday}, e); got != want {
			t.Errorf("%q:\n got %s\nwant %s", body, got, want)
		}
	}
}

func TestMoney(t *testing.T) {
	t.Parallel()
	checkExact(t, "", map[string]string{
		"The fee is Rp 15.000.000.":             `money "Rp 15.000.000" = IDR 15000000`,
		"Rp15.000.000,- tunai":                  `money "Rp15.000.000" = IDR 15000000`,
		"Rp. 15.000.000,00":                     `money "Rp. 15.000.000,00" = IDR 15000000`,
		"biaya IDR 15 juta saja":                `money "IDR 15 juta" = IDR 15000000`,
		"sekitar Rp15jt ya":                     `money "Rp15jt" = IDR 15000000`,
		"Rp 2,5 juta atau 500 ribu rupiah":      `money "Rp 2,5 juta" = IDR 2500000; money "500 ribu rupiah" = IDR 500000`,
		"modal Rp 10 miliar":                    `money "Rp 10 miliar" = IDR 10000000000`,
		"modal Rp 2,5 M":                        `money "Rp 2,5 M" = IDR 2500000000`,
		"15 million rupiah":                     `money "15 million rupiah" = IDR 15000000`,
		"It is $1,200.50, not $5 bills.":        `money "$1,200.50" = USD 1200.5; money "$5" = USD 5`,
		"$1.2 million and $2bn":                 `money "$1.2 million" = USD 1200000; money "$2bn" = USD 2000000000`,
		"USD 1.234 million":                     `money "USD 1.234 million" = USD 1234000`,
		"Rp 1.234 juta":                         `money "Rp 1.234 juta" = IDR 1234000000`,
		"costano € 300 o EUR 1.200,50":          `money "€ 300" = EUR 300; money "EUR 1.200,50" = EUR 1200.5`,
		"300 euro, 1.500€, 3 mila euro":         `money "300 euro" = EUR 300; money "1.500€" = EUR 1500; money "3 mila euro" = EUR 3000`,
		"2 milioni di euro":                     `money "2 milioni di euro" = EUR 2000000`,
		"USD 3k; AUD 0.500":                     `money "USD 3k" = USD 3000; money "AUD 0.500" = AUD 0.5`,
		"US$ 007":                               `money "US$ 007" = USD 7`,
		"EUR 15\u202f000\u202f000":              "money \"EUR 15\\u202f000\\u202f000\" = EUR 15000000",
		"Rp 15\u00a0000\u00a0000":               "money \"Rp 15\\u00a0000\\u00a0000\" = IDR 15000000",
		"Rp 1\u200b5.0\u200b00.000 lunas":       "money \"Rp 1\\u200b5.0\\u200b00.000\" = IDR 15000000",
		"Ｒｐ １５.０００":                             `money "Ｒｐ １５.０００" = IDR 15000`,
		"CHF 1'250.00":                          `money "CHF 1'250.00" = CHF 1250`,
		"USD 3 kg of rice":                      `money "USD 3" = USD 3`,
		"Rp 15.000¹ per head":                   `money "Rp 15.000" = IDR 15000`,
		"200 dolar atau 300 dollari":            `money "200 dolar" = USD 200; money "300 dollari" = USD 300`,
		"Rp 10-15 juta, $100 - 200, 1-2 euro":   "", // ranges
		"15 juta orang, 300 people, 5 pounds":   "",
		"corp 15, group2 5, sharp 500, 30eurox": "",
		"$.50 or .50$":                          `money "$.50" = USD 0.5`,
		"1.2.3.4 euro":                          "",
		"300\nEUR":                              "",
		"$ and € alone, Rp":                     "",
	})
}

func TestDates(t *testing.T) {
	t.Parallel()
	checkExact(t, "", map[string]string{
		"on 12 March 2026.":                                  `date "12 March 2026" = 2026-03-12`,
		"March 12, 2026":                                     `date "March 12, 2026" = 2026-03-12`,
		"the 1st of Sept. 2026":                              `date "1st of Sept. 2026" = 2026-09-01`,
		"12 Maret 2026, 12 marzo 2026":                       `date "12 Maret 2026" = 2026-03-12; date "12 marzo 2026" = 2026-03-12`,
		"tanggal 05 Agustus 2026":                            `date "05 Agustus 2026" = 2026-08-05`,
		"il 1º maggio 2026":                                  `date "1º maggio 2026" = 2026-05-01`,
		"l'8 agosto del 2026":                                `date "8 agosto del 2026" = 2026-08-08`,
		"2026-03-12 and 2026/3/9":                            `date "2026-03-12" = 2026-03-12; date "2026/3/9" = 2026-03-09`,
		"12/03/2026":                                         `date "12/03/2026" = 2026-03-12`, // the day first
		"03/25/2026":                                         `date "03/25/2026" = 2026-03-25`, // only so it is one
		"25.3.26":                                            `date "25.3.26" = 2026-03-25`,
		"12\nMarch\u00a02026":                                "date \"12\\nMarch\\u00a02026\" = 2026-03-12",
		"in March 2026, Desember 2025":                       `date "March 2026" = 2026-03; date "Desember 2025" = 2025-12`,
		"tomorrow, besok, domani":                            `date "tomorrow" = 2026-03-12; date "besok" = 2026-03-12; date "domani" = 2026-03-12`,
		"the day after tomorrow, lusa":                       `date "day after tomorrow" = 2026-03-13; date "lusa" = 2026-03-13`,
		"hari ini, today, oggi, yesterday":                   `date "yesterday" = 2026-03-10`,
		"next Tuesday, Selasa depan":                         `date "next Tuesday" = 2026-03-17; date "Selasa depan" = 2026-03-17`, // sent on a Wednesday
		"martedì prossimo, lunedì scorso":                    `date "martedì prossimo" = 2026-03-17`,                               // last Monday is of this week to some
		"next Friday, last Friday, this Friday":              `date "last Friday" = 2026-03-06; date "this Friday" = 2026-03-13`,
		"last Tuesday":                                       "",
		"sabato scorso":                                      `date "sabato scorso" = 2026-03-07`,
		"minggu depan, next week":                            "", // a week
		"besok-besok":                                        "",
		"30 February 2026, 2026-13-01, 31/04/2026, 0/0/2026": "",
		"12 March, at 12:30, v1.2.3, 192.168.10.2024":        "",
		"112/03/2026, 12/03/20261":                           "",
		"may 5 people":                                       "",
	})
	e := newExact(t, "")
	if got := shown(t, Message{Body: "besok, 12 March 2026"}, e); got != `date "12 March 2026" = 2026-03-12` {
		t.Errorf("without the time of the message: %s", got)
	}
	bali := time.FixedZone("", 8*3600)
	if got := shown(t, Message{Body: "besok", SentAt: time.Date(2026, 3, 11, 23, 0, 0, 0, time.UTC).In(bali)}, e); got != `date "besok" = 2026-03-13` {
		t.Errorf("the day is not of the message's zone: %s", got)
	}
}

func TestAmbiguousOrderOfDaysIsHalfAGuess(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]float64{"12/03/2026": .5, "12/12/2026": .95, "13/03/2026": .95, "12.03.2026": .9} {
		found, err := newExact(t, "").Extract(context.Background(), Message{Body: body}, Found{})
		if err != nil || len(found.Mentions) != 1 || found.Mentions[0].Confidence != want {
			t.Errorf("%s: %v, %v; want confidence %v", body, found.Mentions, err, want)
		}
	}
}

func TestLaws(t *testing.T) {
	t.Parallel()
	checkExact(t, "", map[string]string{
		"Law No. 6 of 2011 on Immigration":                 `law "Law No. 6 of 2011" = law 6/2011`,
		"Article 12 of Law 6/2011":                         `law "Law 6/2011" = law 6/2011`,
		"UU No. 6 Tahun 2011":                              `law "UU No. 6 Tahun 2011" = law 6/2011`,
		"Pasal 3 UU No. 06/2011":                           `law "UU No. 06/2011" = law 6/2011`,
		"Undang-Undang Nomor 6 Tahun 2011":                 `law "Undang-Undang Nomor 6 Tahun 2011" = law 6/2011`,
		"UU Cipta Kerja No. 11 Tahun 2020":                 `law "UU Cipta Kerja No. 11 Tahun 2020" = law 11/2020`,
		"law number 6 year 2011":                           `law "law number 6 year 2011" = law 6/2011`,
		"UU\u00a0No.\u00a06\u200b Tahun 2011":              "law \"UU\\u00a0No.\\u00a06\\u200b Tahun 2011\" = law 6/2011",
		"PP 34/2021, Government Regulation No. 34 of 2021": `law "PP 34/2021" = government regulation 34/2021; law "Government Regulation No. 34 of 2021" = government regulation 34/2021`,
		"Perpres 10/2021":                                  `law "Perpres 10/2021" = presidential regulation 10/2021`,
		"PMK No. 66/PMK.010/2023":                          `law "PMK No. 66/PMK.010/2023" = minister of finance regulation 66/2023`,
		"Regulation (EU) 2016/679":                         `law "Regulation (EU) 2016/679" = eu regulation 2016/679`,
		"Regolamento (UE) 2016/679":                        `law "Regolamento (UE) 2016/679" = eu regulation 2016/679`,
		"Regulation (EC) No 1907/2006":                     `law "Regulation (EC) No 1907/2006" = eu regulation 1907/2006`,
		"Directive 95/46/EC":                               `law "Directive 95/46/EC" = eu directive 1995/46`,
		"D.Lgs. 231/2001":                                  `law "D.Lgs. 231/2001" = dlgs 231/2001`,
		"d.lgs. 8 giugno 2001, n. 231":                     `law "d.lgs. 8 giugno 2001, n. 231" = dlgs 231/2001`,
		"il Decreto Legislativo n. 231 del 2001":           `law "Decreto Legislativo n. 231 del 2001" = dlgs 231/2001`, //nolint:misspell // Italian
		"legge 241/1990, L. 241/1990":                      `law "legge 241/1990" = legge 241/1990; law "L. 241/1990" = legge 241/1990`,
		"my son-in-law 6/2011":                             "",
		"the law of 2011, Law 6/11, law firm 12":           "",
		"outlaw 6/2011, law 6/2011/3, Law 0/2011":          "",
		"law 12/03/2026":                                   `date "12/03/2026" = 2026-03-12`,
	})
}

func TestEmails(t *testing.T) {
	t.Parallel()
	checkExact(t, "", map[string]string{
		"Write to Anna.Ruiz@Acme.COM.":                               `email "Anna.Ruiz@Acme.COM" = anna.ruiz@acme.com`,
		"Anna <anna+visa@bali-jaya.co.id>":                           `email "anna+visa@bali-jaya.co.id" = anna+visa@bali-jaya.co.id`,
		"mailto:'anna@acme.com', (b@acme.it)":                        `email "anna@acme.com" = anna@acme.com; email "b@acme.it" = b@acme.it`,
		"müller@bücher.de":                                           `email "müller@bücher.de" = müller@bücher.de`,
		"an\u200bna@acme.com":                                        "email \"an\\u200bna@acme.com\" = anna@acme.com",
		"anna@acme.com's":                                            `email "anna@acme.com" = anna@acme.com`,
		"a@b, @anna, anna@, me@home, a@@b.com, a..b@acme.com, x@1.2": "",
		"@@@@@@":                              "",
		strings.Repeat("a", 65) + "@acme.com": "",
	})
}

func TestURLs(t *testing.T) {
	t.Parallel()
	checkExact(t, "", map[string]string{
		"see https://www.Acme.com/Visa?id=1#top.": `url "https://www.Acme.com/Visa?id=1#top" = acme.com/Visa?id=1`,
		"(http://acme.com/a_(b))":                 `url "http://acme.com/a_(b)" = acme.com/a_(b)`,
		"www.acme.it, acme.co.id/kontak.":         `url "www.acme.it" = acme.it; url "acme.co.id/kontak" = acme.co.id/kontak`,
		"lihat acme.id, su acme.it.":              `url "acme.id" = acme.id; url "acme.it" = acme.it`,
		"our site acme.com!":                      `url "acme.com" = acme.com`,
		"https://user:secret@acme.com/":           `url "https://user:secret@acme.com/" = acme.com`,
		"e.g. this, file.Then that, i.e.the, done.it works, ok.so what, 3.5.it, readme.md, report.zip, http://localhost, S.r.l.": "",
		"their studies.it makes me good. Thanks.me too. Sanur.Id love it":                                                        "",
		"a.b.c.d.e.f.g.h.i.j.com": "",
	})
}

func TestPhones(t *testing.T) {
	t.Parallel()
	checkExact(t, "ID", map[string]string{
		"WA +62 812-3456-7890 ya":             `phone "+62 812-3456-7890" = +6281234567890`,
		"0812 3456 7890":                      `phone "0812 3456 7890" = +6281234567890`,
		"hp 081234567890.":                    `phone "081234567890" = +6281234567890`,
		"(0361) 123-4567":                     `phone "(0361) 123-4567" = +623611234567`,
		"0039 06 1234 5678":                   `phone "0039 06 1234 5678" = +390612345678`,
		"+39\u00a006\u00a01234\u202f5678":     "phone \"+39\\u00a006\\u00a01234\\u202f5678\" = +390612345678",
		"+62 8\u200b12 3456 7890":             "phone \"+62 8\\u200b12 3456 7890\" = +6281234567890",
		"order 123 0812 3456 7890":            `phone "0812 3456 7890" = +6281234567890`,
		"+62 812-3456-7890\n+39 06 1234 5678": `phone "+62 812-3456-7890" = +6281234567890; phone "+39 06 1234 5678" = +390612345678`,
		"NIK 5171010101900001, invoice 8123456789, 15.000.000, 15 000 000, 192.168.1.100": "",
		"081234567890123456, #081234567890, x081234567890, 081234567890x":                 "",
		"2026-03-12 and 12/03/2026": `date "2026-03-12" = 2026-03-12; date "12/03/2026" = 2026-03-12`,
		"+999 0812 3456 7890":       "",
	})
	checkExact(t, "", map[string]string{
		"0812 3456 7890":    "", // of no region
		"+62 812 3456 7890": `phone "+62 812 3456 7890" = +6281234567890`,
	})
	checkExact(t, "IT", map[string]string{
		"chiamami 3331234567": `phone "3331234567" = +393331234567`,
		"3331234567":          "",
		"333 123 4567":        `phone "333 123 4567" = +393331234567`,
	})
}

func TestRegionsWithoutNumbersAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := NewExact("EU"); err == nil {
		t.Error("EU has no numbers")
	}
	if a, b := newExact(t, "ID").Version(), newExact(t, "it").Version(); a != "1-ID" || b != "1-IT" {
		t.Errorf("versions %s and %s: what is found depends on the region", a, b)
	}
}
