package extraction

import (
	"context"
	"strings"
	"testing"
)

// peopleFound are the people that a pipeline finds beyond the firm's own.
func peopleFound(t *testing.T, body string, extractors ...Extractor) string {
	t.Helper()
	p, err := NewPipeline(extractors...)
	if err != nil {
		t.Fatal(err)
	}
	found, err := p.Read(context.Background(), Message{ID: "m", Body: body, Role: "client", SentAt: wednesday})
	if err != nil {
		t.Fatal(err)
	}
	checkPlaces(t, body, found)
	var names []string
	for _, m := range found.Mentions {
		if m.Type == Person && m.FirmID == "" {
			names = append(names, m.Name)
		}
	}
	return strings.Join(names, "; ")
}

func TestPeopleAreFoundByHowTheyAreIntroduced(t *testing.T) {
	t.Parallel()
	g := newGazetteer(t, FirmName{Company, "n1", "Bumi Jaya", false}, FirmName{Company, "n2", "PT Sinar Laut", false}, FirmName{Location, "l1", "Ubud", false}, FirmName{Person, "c1", "Anna Ruiz", true})
	for body, want := range map[string]string{
		// Titles.
		"I met Mr. Moreau and Dr. Zsófia Szabó.":         "Moreau; Zsófia Szabó",
		"Please ask Ms O'Connor":                         "O'Connor",
		"La sig.ra Bianchi e l'avv. Pietro Neri":         "Bianchi; Pietro Neri",
		"Gentile Dott.ssa Verdi,":                        "Verdi",
		"Terima kasih pak Budi, saya tunggu Ibu Kartini": "Budi; Kartini",
		"Dear Mr van den Berg":                           "",
		"Mrs Sven van den Berg":                          "Sven van den Berg",
		"Prof. Jean-Pierre de Vries's office":            "Jean-Pierre de Vries",
		// Somebody's.
		"My colleague Rafael Moreau sends it.":                 "Rafael Moreau",
		"my dear friend Bram Achterberg, and his wife Lotte B": "Bram Achterberg; Lotte B",
		"My lawyer is Maeve Gallagher":                         "Maeve Gallagher",
		"my husband, Nils Iversen, pays":                       "Nils Iversen",
		"teman saya Sven van den Berg":                         "Sven van den Berg",
		"Teman kerja saya bernama Thabo Dlamini.":              "Thabo Dlamini",
		"istri saya, Yara Quispe":                              "Yara Quispe",
		"suaminya Declan O’Connor":                             "Declan O’Connor",
		"il mio collega Søren Björklund":                       "Søren Björklund",
		"la mia cara amica Fiona Kowalska":                     "Fiona Kowalska",
		"un nostro socio di nome Willem Okafor":                "Willem Okafor",
		// Who speaks.
		"My name is Akiko Nakamura.":                  "Akiko Nakamura",
		"I'm Ingrid Halvorsen, I work for a bank":     "Ingrid Halvorsen",
		"Ingrid Halvorsen here, I work at Bumi Jaya.": "Ingrid Halvorsen",
		"Saya Astrid Müller dan saya butuh visa":      "Astrid Müller",
		"Nama saya Astrid Müller":                     "Astrid Müller",
		"Mi chiamo José Ferreira e abito a Ubud":      "José Ferreira",
		"Sono José Ferreira, lavoro per voi":          "José Ferreira",
		"Beatriz Lindqvist di sini. Saya butuh visa":  "Beatriz Lindqvist",
		// Who works somewhere.
		"Rafael Moreau works for Bumi Jaya.":                               "Rafael Moreau",
		"Does Rafael Moreau work for Bumi Jaya?":                           "Rafael Moreau",
		"You know Rafael Moreau, who works at PT Sinar Laut":               "Rafael Moreau",
		"Rafael Moreau would like to work for Bumi Jaya":                   "Rafael Moreau",
		"Apakah Rafael Moreau bekerja di Bumi Jaya?":                       "Rafael Moreau",
		"Rafael Moreau sudah bergabung dengan Bumi Jaya":                   "Rafael Moreau",
		"La persona è Rafael Moreau, lavora per Bumi Jaya":                 "Rafael Moreau",
		"Rafael Moreau non è dipendente di Bumi Jaya":                      "Rafael Moreau",
		"Unfortunately Rafael Moreau is employed by Bumi Jaya":             "Rafael Moreau",
		"Call PT Sinar Laut B.V. Rafael Moreau works for Bumi Jaya":        "Rafael Moreau",
		"Rafael Moreau, an accountant at Bumi Jaya, came":                  "Rafael Moreau",
		"Ask Rafael Moreau. He is nice. Rafael Moreau works for Bumi Jaya": "Rafael Moreau; Rafael Moreau",
	} {
		if got := peopleFound(t, body, newExact(t, "ID"), g, Introductions{}); got != want {
			t.Errorf("%q: found %q, want %q", body, got, want)
		}
	}
}

func TestIntroductionsThatAreNone(t *testing.T) {
	t.Parallel()
	g := newGazetteer(t, FirmName{Company, "n1", "Bumi Jaya", false}, FirmName{Location, "l1", "Ubud", false}, FirmName{Person, "c1", "Anna Ruiz", true})
	for _, body := range []string{
		"my colleague rafael moreau works for bumi jaya", "my colleague Rafael", "MY COLLEAGUE RAFAEL MOREAU WORKS FOR BUMI JAYA", "my friend RAFAEL MOREAU",
		"The Company works for Bumi Jaya", "Head Office works for Bumi Jaya", "PT Sinar Mas works for Bumi Jaya", "Sinar Mas Ltd works for Bumi Jaya", "Sinar Mas Consulting works for Bumi Jaya",
		"our partner Sinar Mas", "rekan kami Sinar Mas", "Our lawyer is Maeve Gallagher", "Grand Hyatt here is nice", "It is near. Grand Hyatt di sini murah",
		"Rafael Moreau went to Bumi Jaya", "Rafael Moreau. Works for Bumi Jaya", "Rafael Moreau likes how it works for Bumi Jaya", "Rafael Moreau works hard", "Kuta Beach works for Bumi Jaya",
		"Rafael Moreau KITAS works for Bumi Jaya", "my colleague Rafael Moreau Ubud", "my friend Anna Ruiz Silva", "our lawyer Sinar Mas Co.",
		"I miss Bali", "MS Word", "Miss Universe", "dr Jakarta", "Ibu Kota", "Pak Direktur", "Mr President", "mr. and mrs.", "Hello pak", "Dr", "Signor Presidente",
		"I am Indonesian Citizen, I live here", "Saya Warga Negara Indonesia, saya tinggal di Ubud", "Sono Cittadino Italiano, lavoro qui", "I am Managing Director, I decide", "I am Very Happy, I paid",
		"I am Rafael Moreau's friend", "Sono Gli Stessi, lavoro", "teman saya di Kuta Selatan", "Is my name Rafael", "the name is Grand Hyatt", "my friend in Kuta Selatan", "the hotel is called Grand Hyatt",
		"my husband Works Hard All Day Every Day", "Saya Senin Depan, saya", "my friends Tom", "Put my brother. Grand Hyatt is nice", "my friend\n\nGrand Hyatt",
		"my colleague Xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx Moreau", "my colleague A1 B2", "", "my colleague", "Mr.",
	} {
		if got := peopleFound(t, body, newExact(t, "ID"), g, Introductions{}); got != "" {
			t.Errorf("%q: found %q", body, got)
		}
	}
}
