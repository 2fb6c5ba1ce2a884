package relations

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

//nolint:misspell // Italian
func TestWritersOfThemselves(t *testing.T) {
	t.Parallel()
	for language, cases := range map[string]map[string]string{
		"English": {
			"Hi, [Anna:P] here. I work for [Acme:C]. How long does it take?":                "Anna works_for Acme",
			"[Anna:P] here, I work at [Acme:C].":                                            "Anna works_for Acme",
			"I am [Anna:P] and I am employed by [Acme:C].":                                  "Anna works_for Acme",
			"I am [Anna:P] and I have joined [Acme:C].":                                     "Anna works_for Acme",
			"[Anna:P] again: I now work for [Acme:C]":                                       "Anna works_for Acme",
			"I'm [Anna:P], and since this month I work for [Acme:C].":                       "Anna works_for Acme",
			"It's [Anna:P], I have moved to [Acme:C].":                                      "Anna works_for Acme",
			"hello this is [anna:P] i work for [acme:C] now":                                "anna works_for acme",
			"I'm [Anna:P]. I left [Globex:C] last year and now work for [Acme:C].":          "Anna works_for Acme",
			"My name is [Anna:P] and work for [Acme:C]":                                     "Anna works_for Acme",
			"I work for [Acme:C] and need a visa. My full name is [Anna Ruiz:P].":           "Anna Ruiz works_for Acme",
			"I've been working for [Acme:C] for years.\n\nKind regards,\n[Anna Ruiz:P]":     "Anna Ruiz works_for Acme",
			"I recently started a new job at [Acme:C].\nThanks, [Anna:P]":                   "Anna works_for Acme",
			"I'm the finance manager of [Acme:C]. Best, [Anna:P]":                           "Anna works_for Acme",
			"Good morning, my name's [Anna:P]. I've just joined [Acme:C]!":                  "Anna works_for Acme",
			"Name: [Anna Ruiz:P]\nI currently work at [Acme:C].":                            "Anna Ruiz works_for Acme",
			"This is [Anna:P]. The company I work for is [Acme:C]. Can you help?":           "Anna works_for Acme",
			"[Anna:P] speaking, I'm with [Acme:C].":                                         "Anna works_for Acme",
			"[Anna:P] here from [Acme:C]":                                                   "Anna works_for Acme",
			"I'm [Anna:P]. I work full-time for [Acme:C].":                                  "Anna works_for Acme",
			"I'm [Anna:P], I work in the finance department of [Acme:C].":                   "Anna works_for Acme",
			"I've been with [Acme:C] since 2019. Best regards, [Anna:P]":                    "Anna works_for Acme",
			"Just to introduce myself: I'm [Anna:P]. I work as a lawyer at [Acme:C].":       "Anna works_for Acme",
			"I'm [Anna:P]. I resigned from [Globex:C] and joined [Acme:C].":                 "Anna works_for Acme",
			"I'm [Anna:P]. I don't work for [Globex:C], I work for [Acme:C].":               "Anna works_for Acme",
			"I'm [Anna:P]. I work for [Acme:C], not for [Globex:C].":                        "Anna works_for Acme",
			"I, [Anna:P], work for [Acme:C].":                                               "Anna works_for Acme",
			"Call me [Anna:P]. My employer is [Acme:C].":                                    "Anna works_for Acme",
			"Hi, I'm [Anna:P]. I was hired by [Acme:C] in May.":                             "Anna works_for Acme",
			"I'm [Anna:P], I work for [Acme:C], I left [Globex:C] in May":                   "Anna works_for Acme",
			"I'm [Anna:P], I have two questions. I live in [Bali:L] and work for [Acme:C].": "Anna located_in Bali; Anna works_for Acme",
			"[Anna:P] here. I've moved to [Ubud:L].":                                        "Anna located_in Ubud",
			"I'm [Anna:P]. I'm a long-time client of [Acme:C].":                             "Anna client_of Acme",
			"Hello, I'm [Anna:P]. I work at [Acme S.r.l.:C] How long does it take?":         "Anna works_for Acme S.r.l.",
			"[anna:P] here, i work at [acme s.p.a:C]. how long does it take?":               "anna works_for acme s.p.a",
			"[Anna:P] here. I work for [Acme:C]. Regards, [Anna Ruiz:P]":                    "Anna works_for Acme",
		},
		"Indonesian": {
			"[Budi:P] di sini. Saya bekerja di [PT Maju:C]. Berapa lama?":                      "Budi works_for PT Maju",
			"Ini [Budi:P], sejak bulan ini saya bekerja untuk [PT Maju:C].":                    "Budi works_for PT Maju",
			"Saya [Budi:P], sekarang saya bekerja di [PT Maju:C].":                             "Budi works_for PT Maju",
			"Saya [Budi:P] dan saya sudah pindah ke [PT Maju:C].":                              "Budi works_for PT Maju",
			"Halo kak saya [Budi:P], aku kerja di [PT Maju:C]":                                 "Budi works_for PT Maju",
			"Nama saya [Budi:P]. Sudah lama saya bekerja sebagai akuntan di [PT Maju:C].":      "Budi works_for PT Maju",
			"Perkenalkan, saya [Budi:P]. Saya karyawan [PT Maju:C].":                           "Budi works_for PT Maju",
			"Saya [Budi:P], mulai bulan lalu bergabung dengan [PT Maju:C]":                     "Budi works_for PT Maju",
			"Saya baru bergabung dengan [PT Maju:C].\nSalam,\n[Budi Hartono:P]":                "Budi Hartono works_for PT Maju",
			"Saya bekerja di [PT Maju:C]. Terima kasih, [Budi:P]":                              "Budi works_for PT Maju",
			"Saya [Budi:P]. Saya tinggal di [Ubud:L] dan bekerja di [PT Maju:C].":              "Budi located_in Ubud; Budi works_for PT Maju",
			"Saya [Budi:P] saya keluar dari [Globex:C] dan sekarang bekerja di [PT Maju:C].":   "Budi works_for PT Maju",
			"Saya [Budi:P]. Saya bekerja paruh waktu di bagian keuangan [PT Maju:C].":          "Budi works_for PT Maju",
			"Saya [Budi:P], bukan dari [Globex:C], saya dari [PT Maju:C].":                     "Budi works_for PT Maju",
			"Saya [Budi:P]. Tempat kerja saya [PT Maju:C].":                                    "Budi works_for PT Maju",
			"Nama: [Budi:P]\nPerusahaan tempat saya bekerja adalah [PT Maju:C].":               "Budi works_for PT Maju",
			"Selamat pagi, ini dengan [Budi:P]. Saya dari [PT Maju:C].":                        "Budi works_for PT Maju",
			"[Budi:P] lagi nih. Saya dulu bantu teman. Sekarang saya kerja untuk [PT Maju:C].": "",
			"Hormat saya,\n[Budi:P]":                            "",
			"Saya [Budi:P]. Saya adalah klien [PT Maju:C]":      "Budi client_of PT Maju",
			"Saya [Budi:P], karyawan [PT Maju:C].":              "Budi works_for PT Maju",
			"Nama saya adalah [Budi:P], saya pegawai [Acme:C].": "Budi works_for Acme",
		},
		"Italian": {
			"Sono [Anna:P]. Lavoro per [Acme:C]":                                              "Anna works_for Acme",
			"Buongiorno sono [Anna:P], adesso lavoro per [Acme:C].":                           "Anna works_for Acme",
			"Sono [Anna:P] e da questo mese lavoro presso [Acme:C].":                          "Anna works_for Acme",
			"Sono [Anna:P], sono passata a [Acme:C].":                                         "Anna works_for Acme",
			"Qui [Anna:P], dipendente di [Acme:C].":                                           "Anna works_for Acme",
			"qui [anna:P]. lavoro per [acme:C]":                                               "anna works_for acme",
			"Mi chiamo [Anna:P]. Da anni sono impiegata presso l'[Acme:C].":                   "Anna works_for Acme",
			"Salve, sono la dott.ssa [Anna Ruiz:P]. Sono la responsabile vendite di [Acme:C]": "Anna Ruiz works_for Acme",
			"Il mio nome è [Anna:P]. Ho iniziato a lavorare per [Acme:C].":                    "Anna works_for Acme",
			"Sto lavorando per [Acme:C].\n\nCordiali saluti,\n[Anna Ruiz:P]":                  "Anna Ruiz works_for Acme",
			"Lavoro come contabile per [Acme:C]. Grazie, [Anna:P]":                            "Anna works_for Acme",
			"Sono ancora [Anna:P]: mi sono trasferita alla [Acme:C].":                         "Anna works_for Acme",
			"Sono [Anna:P]. Abito a [Roma:L] e sono cliente di [Acme:C].":                     "Anna located_in Roma; Anna client_of Acme",
			"Sono [Anna:P]. Ho lasciato [Globex:C] e adesso lavoro per [Acme:C].":             "Anna works_for Acme",
			"Sono [Anna:P], non più di [Globex:C]: ora lavoro da casa per [Acme:C].":          "Anna works_for Acme",
			"Sono [Anna:P]. Ho trovato un nuovo lavoro presso [Acme:C].":                      "Anna works_for Acme",
			"Sono [Anna:P], faccio parte dell'[Acme:C]":                                       "Anna works_for Acme",
			"Un saluto, sono [Anna:P]. L'azienda per cui lavoro è [Acme:C].":                  "Anna works_for Acme",
			"Sono [Anna:P], sono stata assunta da [Acme:C].":                                  "Anna works_for Acme",
		},
	} {
		for text, want := range cases {
			t.Run(language+": "+text, func(t *testing.T) {
				t.Parallel()
				if diff := cmp.Diff(want, strings.Join(triples(t, New(nil), text), "; ")); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestWritersWhoDontSay(t *testing.T) {
	t.Parallel()
	for what, texts := range map[string][]string{
		"denied": {
			"I'm [Anna:P] and I don't work for [Acme:C].",
			"[Anna:P] here, I do not work for [Acme:C].",
			"I am [Anna:P], I have never worked for [Acme:C].",
			"I'm [Anna:P]. I no longer work for [Acme:C]",
			"I'm [Anna:P]. I am not employed by [Acme:C]",
			"I'm [Anna:P]. I don't live in [Bali:L] and work for [Acme:C]",
			"Saya [Budi:P] dan saya tidak bekerja di [PT Maju:C].",
			"Saya [Budi:P], saya bukan karyawan [PT Maju:C].",
			"[Budi:P] di sini. Saya sudah tidak bekerja di [PT Maju:C].",
			"Sono [Anna:P] e non lavoro per [Acme:C].",
			"Sono [Anna:P], non sono dipendente di [Acme:C].",
			"Qui [Anna:P]. Non lavoro più per [Acme:C].",
		},
		"asked": {
			"[Anna:P] here. Do I work for [Acme:C]?",
			"I'm [Anna:P]. I work for [Acme:C]?",
			"Is this [Anna:P]? I work for [Acme:C].",
			"[Anna:P] here? I work for [Acme:C].",
			"Saya [Budi:P]. Apakah saya bekerja di [PT Maju:C]?",
			"Sono [Anna:P]. Lavoro per [Acme:C]?",
		},
		"supposed or to come": {
			"I'm [Anna:P]. If I work for [Acme:C], what visa do I need?",
			"I'm [Anna:P]. I would like to work for [Acme:C].",
			"I'm [Anna:P]. I will work for [Acme:C].",
			"I'm [Anna:P] and I want to move and work for [Acme:C].",
			"I'm [Anna:P]. I plan to leave [Globex:C] and work for [Acme:C].",
			"I'm [Anna:P]. I'll move to Bali and work for [Acme:C].",
			"I'm [Anna:P]. I can stay and work for [Acme:C].",
			"Saya [Budi:P]. Kalau saya bekerja di [PT Maju:C], visa apa?",
			"Saya [Budi:P]. Saya ingin bekerja di [PT Maju:C].",
			"Saya [Budi:P]. Saya akan pindah dan bekerja di [PT Maju:C].",
			"Sono [Anna:P]. Se lavoro per [Acme:C], che visto serve?",
			"Sono [Anna:P]. Vorrei lavorare per [Acme:C].",
			"Sono [Anna:P], cerco lavoro presso [Acme:C].",
			"Sono [Anna:P]. Il lavoro per [Acme:C] è finito.",
		},
		"past": {
			"I'm [Anna:P]. I used to work for [Acme:C].",
			"I'm [Anna:P]. I worked for [Acme:C].",
			"I'm [Anna:P]. I was employed by [Acme:C].",
			"I'm [Anna:P]. I joined [Acme:C] in 2019 and left in 2021.",
			"I'm [Anna:P]. I used to live in Rome and work for [Acme:C].",
			"I'm [Anna:P]. Until May I work for [Acme:C].",
			"I'm [Anna:P], former director of [Acme:C].",
			"I'm [Anna:P]. I have left [Acme:C].",
			"Saya [Budi:P]. Saya kerja di [PT Maju:C] sampai tahun lalu.",
			"Saya [Budi:P]. Dulu saya bekerja di [PT Maju:C].",
			"Saya [Budi:P]. Saya dulu bekerja di [PT Maju:C].",
			"Saya [Budi:P], saya mantan karyawan [PT Maju:C].",
			"Sono [Anna:P]. Lavoravo per [Acme:C].",
			"Sono [Anna:P], ho lavorato per [Acme:C].",
			"Sono [Anna:P], sono un ex dipendente di [Acme:C].",
		},
		"by nobody who is named": {
			"I work for [Acme:C].",
			"I met [Anna:P]. I work for [Acme:C].",
			"I met [Anna:P] here. I work for [Acme:C].",
			"Thanks, [Anna:P]. I work for [Acme:C].",
			"Dear [Anna:P], I work for [Acme:C].",
			"I work for [Acme:C]. Thanks [Anna:P]",
			"Teman saya [Budi:P]. Saya kerja di [PT Maju:C].",
			"Ci sono [Anna:P] e [Luca:P]. Lavoro per [Acme:C].",
			"Non sono [Anna:P]. Lavoro per [Acme:C].",
			"I'm [Anna:P]'s brother. I work for [Acme:C].",
			"This is [Anna:P], my sister. I work for [Acme:C].",
			"This is [Anna:P], she is my boss. I work for [Acme:C].",
			"My husband's name is [Luca:P]. I work for [Acme:C].",
			"I'm Siobhan [Ruiz:P]. I work for [Acme:C].",
			"I'm Siobhan. I work for [Acme:C]. Regards, [Anna:P]",
		},
		"of several": {
			"I'm [Anna:P]. I work for [Acme:C]. Regards, [Luca:P]",
			"[Anna:P] here. [Luca:P] here. I work for [Acme:C].",
			"Sono [Anna:P] e [Luca:P]. Lavoro per [Acme:C].",
		},
		"of somebody else": {
			"I'm [Anna:P]. [Luca:P] said: I work for [Acme:C].",
			"I'm [Anna:P]. He wrote \"Hello. I work for [Acme:C].\" and left.",
			"I'm [Anna:P]\n> Hello, I work for [Acme:C]",
			"> I'm [Anna:P]\nI work for [Acme:C]",
			"I'm [Anna:P]. I know [Luca:P] and work for [Acme:C]",
			"Saya [Anna:P]. Saya kenal [Budi:P], bekerja sama dan di [PT Maju:C]",
			"I'm [Anna:P]. I work for [Acme:C]'s bookkeeper.",
			"I'm [Anna:P], my wife works for [Acme:C].",
			"I'm [Anna:P], my parents work for [Acme:C].",
			"I'm [Anna:P] and my boss is at [Acme:C].",
			"Saya [Budi:P]. Istri saya bekerja di [PT Maju:C].",
			"Saya [Budi:P]. Sekarang istri saya karyawan [PT Maju:C].",
			"Saya [Budi:P] dan istri saya dari [PT Maju:C].",
			"Sono [Anna:P]. Mia moglie lavora per [Acme:C].",
			"I'm [Anna:P]. We know who works for [Acme:C].",
		},
		"too far": {"I'm [Anna:P]. " + strings.Repeat("The weather is fine today. ", 20) + "I work for [Acme:C]."},
	} {
		for _, text := range texts {
			t.Run(what+": "+text, func(t *testing.T) {
				t.Parallel()
				if got := triples(t, New(nil), text); got != nil {
					t.Errorf("found %q", got)
				}
			})
		}
	}
}

func TestClientsWhoWrite(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		text, role, client string
		want               []string
	}{
		"the client":                 {"My file is under [Anna:P]. I work for [Acme:C].", "client", "7", []string{"Anna works_for Acme"}},
		"greeted":                    {"Hello [Anna:P], I work for [Acme:C].", "client", "7", []string{"the client works_for Acme"}},
		"another client":             {"My file is under [Anna:P]. I work for [Acme:C].", "client", "8", []string{"the client works_for Acme"}},
		"nobody named":               {"Since May I work for [Acme:C].", "client", "7", []string{"the client works_for Acme"}},
		"nobody named, left":         {"I no longer work for [Acme:C], I work for [Nordvik:C] now.", "client", "7", []string{"the client works_for Nordvik"}},
		"nobody named, in Italian":   {"Io lavoro per [Acme:C].", "client", "7", []string{"the client works_for Acme"}},
		"a noun":                     {"Rinnovo visto lavoro presso [Acme:C] per mio cugino.", "client", "7", nil},
		"a noun alone":               {"Lavoro presso [Acme:C] cercasi", "client", "7", nil},
		"a supplier":                 {"I am working with [Acme:C] to get my visa.", "client", "7", nil},
		"a supplier, Indonesian":     {"Saya bekerja dengan [Acme:C] untuk urus visa.", "client", "7", nil},
		"forwarded":                  {"---------- Forwarded message ---------\n\nHi, I work for [Acme:C].", "client", "7", nil},
		"supposed":                   {"When I work for [Acme:C], what visa do I need?", "client", "7", nil},
		"to come":                    {"I work for [Acme:C] from next month", "client", "7", nil},
		"to come, Indonesian":        {"Saya bekerja di [Acme:C] mulai bulan depan", "client", "7", nil},
		"gone":                       {"Saya kerja di [Acme:C] dulu", "client", "7", nil},
		"of a part":                  {"I joined the [Acme:C] webinar", "client", "7", nil},
		"of another":                 {"I work for [Acme:C] competitor", "client", "7", nil},
		"somebody's words":           {"I work for [Acme:C], he said", "client", "7", nil},
		"nobody named, Indonesian":   {"Sekarang saya bekerja di [Acme:C].", "client", "7", []string{"the client works_for Acme"}},
		"nobody named, denied":       {"I don't work for [Acme:C].", "client", "7", nil},
		"nobody named, asked":        {"Do I work for [Acme:C]?", "client", "7", nil},
		"nobody named, an agent":     {"I work for [Acme:C].", "agent", "7", nil},
		"nobody named or known":      {"I work for [Acme:C].", "client", "", nil},
		"several":                    {"I'm [Luca:P]. I'm [Mario:P]. I work for [Acme:C].", "client", "7", nil},
		"without a client":           {"My file is under [Anna:P]. I work for [Acme:C].", "client", "", nil},
		"an agent":                   {"The file is under [Anna:P]. I work for [Acme:C].", "agent", "7", nil},
		"an agent who thanks":        {"I work for [Acme:C]. Thanks, [Anna:P]", "agent", "7", nil},
		"somebody else of their own": {"I'm [Luca:P], the brother of [Anna:P]. I work for [Acme:C].", "client", "7", []string{"Luca works_for Acme"}},
		"somebody unknown":           {"I'm Luca, the brother of [Anna:P]. I work for [Acme:C].", "client", "7", nil},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			read := mark(t, c.text)
			read.Message.Role, read.Message.ClientID = c.role, c.client
			for i, m := range read.Found.Mentions {
				if m.Name == "Anna" {
					read.Found.Mentions[i].FirmID, read.Found.Mentions[i].IsClient = "7", true
				}
			}
			found, err := New(nil).Extract(context.Background(), read.Message, read.Found)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range found.Relations {
				subject := "the client"
				if r.Subject != extraction.Writer {
					subject = found.Mentions[r.Subject].Name
				}
				got = append(got, subject+" "+string(r.Predicate)+" "+found.Mentions[r.Object].Name)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %q, wanted %q", got, c.want)
			}
		})
	}
}

func TestQuoteFromTheIntroductionOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"Ciao 👋🏽! [José:P] here. I work for [Açaí S.p.A.:C] How long?", "José here. I work for Açaí S.p.A."},
		{"Hello, I'm [Anna:P]. One question. I now work for [Acme:C], do I need a visa?", "I'm Anna. One question. I now work for Acme"},
		{"I work for [Acme:C] now. Bye. Regards,\n[Anna:P]\n+62 812", "I work for Acme now. Bye. Regards,\nAnna"},
		{"I'm [Anna:P]. " + strings.Repeat("x ", 150) + ". I'm [Anna:P]. I work for [Acme:C]", "I'm Anna. I work for Acme"},
	} {
		read := mark(t, c.text)
		found, err := New(nil).Extract(context.Background(), read.Message, read.Found)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Relations) != 1 {
			t.Errorf("%s: found %v", c.text, found.Relations)
			continue
		}
		if got := read.Message.Body[found.Relations[0].Start:found.Relations[0].End]; got != c.want {
			t.Errorf("quote %q, not %q", got, c.want)
		}
	}
}

func TestDotsOfFirmsEndNoSentence(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"[Solmaris S.r.l.:C] is in [Roma:L]":                             {"Solmaris S.r.l. located_in Roma"},
		"[Solmaris S.r.l:C]. is in [Roma:L]":                             {"Solmaris S.r.l located_in Roma"},
		"[Larkspur Inc.:C] is in [Roma:L]":                               {"Larkspur Inc. located_in Roma"},
		"[Anna:P], director of [Larkspur Inc.:C] Is it in [Roma:L]?":     {"Anna works_for Larkspur Inc."},
		"[Anna:P] works for [Oost Koffie B.V:C]. How long does it take?": {"Anna works_for Oost Koffie B.V"},
		"[Anna:P] works for [Oost Koffie B.V.:C] how long does it take?": {"Anna works_for Oost Koffie B.V."},
		"[Anna:P] works for [Oost Koffie B.V.:C] since May, is it?":      nil,
		"[Larkspur Inc.:C] Chairman [Anna:P] said so":                    {"Anna works_for Larkspur Inc."},
		"[Larkspur:C]. is in [Roma:L]":                                   nil,
	} {
		if diff := cmp.Diff(want, triples(t, New(nil), text)); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// However many ways a writer is named, each is looked at once.
func TestManyIntroductions(t *testing.T) {
	t.Parallel()
	read := mark(t, strings.Repeat("I'm [Anna:P]. I work for [Acme:C]. ", 2000))
	found, err := New(nil).Extract(context.Background(), read.Message, read.Found)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Relations) != 2000 {
		t.Errorf("%d relations", len(found.Relations))
	}
	for _, r := range found.Relations {
		if r.End-r.Start > maxQuote || found.Mentions[r.Subject].Type != extraction.Person {
			t.Fatalf("%+v", r)
		}
	}
}
