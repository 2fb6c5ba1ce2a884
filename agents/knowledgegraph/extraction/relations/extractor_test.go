package relations

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

var (
	marked  = regexp.MustCompile(`\[([^:\]]+):(\w+)\]`)
	markers = map[string]extraction.Type{
		"P": extraction.Person, "C": extraction.Company, "L": extraction.Location, "law": extraction.Law, "t": extraction.Topic,
		"pt": extraction.PracticeType, "d": extraction.Document, "m": extraction.Money,
	}
)

// mark reads a message in which [KITAS:pt] stands for a mention.
func mark(tb testing.TB, text string) Read {
	tb.Helper()
	var read Read
	var body strings.Builder
	last := 0
	for _, at := range marked.FindAllStringSubmatchIndex(text, -1) {
		body.WriteString(text[last:at[0]])
		surface := text[at[2]:at[3]]
		kind, known := markers[text[at[4]:at[5]]]
		if !known {
			tb.Fatalf("no type %s", text[at[4]:at[5]])
		}
		start := body.Len()
		body.WriteString(surface)
		read.Found.Mentions = append(read.Found.Mentions, extraction.Mention{
			Span: extraction.Span{Start: start, End: body.Len()}, Type: kind, Key: strings.ToLower(surface), Name: surface, Confidence: 1,
		})
		last = at[1]
	}
	body.WriteString(text[last:])
	read.Message.Body = body.String()
	return read
}

// triples are what is found, as lines: subject predicate object.
func triples(tb testing.TB, e *Extractor, text string) []string {
	tb.Helper()
	read := mark(tb, text)
	found, err := e.Extract(context.Background(), read.Message, read.Found)
	if err != nil {
		tb.Fatal(err)
	}
	var all []string
	for _, r := range found.Relations {
		all = append(all, fmt.Sprintf("%s %s %s", found.Mentions[r.Subject].Name, r.Predicate, found.Mentions[r.Object].Name))
	}
	return all
}

//nolint:misspell // Italian
func TestSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string
	}{
		// works_for
		{"[Anna Ruiz:P] works for [Acme:C].", []string{"Anna Ruiz works_for Acme"}},
		{"[Anna:P] currently works at [Acme:C] as a lawyer", []string{"Anna works_for Acme"}},
		{"[Budi:P] and [Anna:P] work for the [Acme:C]", []string{"Budi works_for Acme", "Anna works_for Acme"}},
		{"I know [Budi:P] and [Anna:P] works for [Acme:C]", []string{"Anna works_for Acme"}},
		{"I live in [Bali:L] and [Anna:P] works for [Acme:C]", []string{"Anna works_for Acme"}},
		{"[Anna:P], managing director of [PT. Maju Jaya:C], will call", []string{"Anna works_for PT. Maju Jaya"}},
		{"[Anna:P] is the head of finance at [Acme:C]", []string{"Anna works_for Acme"}},
		{"[Anna:P] from [Acme:C] called", []string{"Anna works_for Acme"}},
		{"[Acme:C]'s director, [Anna:P], signed", []string{"Anna works_for Acme"}},
		{"The director of [Acme:C] is [Anna:P].", []string{"Anna works_for Acme"}},
		{"I met [Anna:P], who works for [Acme:C].", []string{"Anna works_for Acme"}},
		{"My name is [Anna Ruiz:P], I work for [Acme:C]", []string{"Anna Ruiz works_for Acme"}},
		{"My name is [Anna Ruiz:P]. I work for [Acme:C].", []string{"Anna Ruiz works_for Acme"}},
		{"Hi, I'm [Anna:P] from [Acme:C], can you help me?", []string{"Anna works_for Acme"}},
		{"[Anna:P] bekerja di [PT Maju:C]", []string{"Anna works_for PT Maju"}},
		{"Nama saya [Anna:P], saya kerja di [PT Maju:C].", []string{"Anna works_for PT Maju"}},
		{"[Anna:P] adalah direktur utama [PT Maju:C]", []string{"Anna works_for PT Maju"}},
		{"Saya [Anna:P] dari [PT Maju:C]", []string{"Anna works_for PT Maju"}},
		{"[Anna:P] lavora per l'[Acme:C]", []string{"Anna works_for Acme"}},
		{"[Anna:P] e [Luca:P] lavorano presso [Acme:C].", []string{"Anna works_for Acme", "Luca works_for Acme"}},
		{"Mi chiamo [Anna:P] e lavoro per [Acme:C]", []string{"Anna works_for Acme"}},
		{"[Anna:P] e\u0300 il direttore della [Acme:C]", []string{"Anna works_for Acme"}},

		// located_in
		{"[Acme:C] is based in [Jakarta:L]", []string{"Acme located_in Jakarta"}},
		{"[Acme:C], headquartered in [Jakarta:L], grows", []string{"Acme located_in Jakarta"}},
		{"[Anna:P] lives in [Ubud:L]", []string{"Anna located_in Ubud"}},
		{"[Ubud:L] is in [Bali:L]", []string{"Ubud located_in Bali"}},
		{"[PT Maju:C] berkantor di [Denpasar:L]", []string{"PT Maju located_in Denpasar"}},
		{"[Anna:P] tinggal di [Canggu:L]", []string{"Anna located_in Canggu"}},
		{"[Acme:C] ha sede a [Milano:L]", []string{"Acme located_in Milano"}},
		{"[Anna:P] vive a [Roma:L]", []string{"Anna located_in Roma"}},
		{"[Acme:C] si trova a [Milano:L]", []string{"Acme located_in Milano"}},

		// governed_by
		{"The [KITAS:pt] is governed by [Law 6/2011:law]", []string{"KITAS governed_by Law 6/2011"}},
		{"[Foreign investment:t] is regulated under the [Investment Law:law].", []string{"Foreign investment governed_by Investment Law"}},
		{"[Law 6/2011:law] regulates the [KITAS:pt]", []string{"KITAS governed_by Law 6/2011"}},
		{"[KITAS:pt] diatur dalam [UU 6/2011:law]", []string{"KITAS governed_by UU 6/2011"}},
		{"[UU 6/2011:law] mengatur tentang [KITAS:pt]", []string{"KITAS governed_by UU 6/2011"}},
		{"Il [permesso di soggiorno:pt] è disciplinato dalla [legge 40:law]", []string{"permesso di soggiorno governed_by legge 40"}},

		// requires
		{"a [KITAS:pt] requires a [passport:d] but no [photo:d]", []string{"KITAS requires passport"}},
		{"According to [Law 6:law], a [KITAS:pt] requires a [passport:d]", []string{"KITAS requires passport"}},
		{"I need a [passport:d] to get a [KITAS:pt]", []string{"KITAS requires passport"}},
		{"For a [KITAS:pt] you need a [passport:d], a [photo:d] and a [sponsor letter:d].", []string{"KITAS requires passport", "KITAS requires photo", "KITAS requires sponsor letter"}},
		{"for the [KITAS:pt] you'll also need to send a copy of your [passport:d]", []string{"KITAS requires passport"}},
		{"A [KITAS:pt] requires a [passport:d]", []string{"KITAS requires passport"}},
		{"[KITAS:pt] and [KITAP:pt] require a [passport:d]", []string{"KITAS requires passport", "KITAP requires passport"}},
		{"To apply for a [KITAS:pt], you need a [sponsor letter:d]", []string{"KITAS requires sponsor letter"}},
		{"If you want to open a [PT PMA:pt], you need a [NIB:d]", []string{"PT PMA requires NIB"}},
		{"A [passport:d] is required for the [KITAS:pt]", []string{"KITAS requires passport"}},
		{"Documents needed for the [KITAS:pt]:\n- [passport:d]\n- [photo:d]\n2. [sponsor letter:d]\nThank you", []string{"KITAS requires passport", "KITAS requires photo", "KITAS requires sponsor letter"}},
		{"The [KITAS:pt] costs [IDR 5,000,000:m]", []string{"KITAS requires IDR 5,000,000"}},
		{"[KITAS:pt] membutuhkan [paspor:d] dan [foto:d]", []string{"KITAS requires paspor", "KITAS requires foto"}},
		{"Untuk mengurus [KITAS:pt], Anda memerlukan [paspor:d], [foto:d] dan [surat sponsor:d]", []string{"KITAS requires paspor", "KITAS requires foto", "KITAS requires surat sponsor"}},
		{"Untuk [KITAS:pt] diperlukan [paspor:d]", []string{"KITAS requires paspor"}},
		{"Per il [KITAS:pt] serve il [passaporto:d]", []string{"KITAS requires passaporto"}},
		{"Per ottenere un [KITAS:pt] ti servono [passaporto:d] e [foto:d]", []string{"KITAS requires passaporto", "KITAS requires foto"}},
		{"Il [KITAS:pt] richiede un [passaporto:d]", []string{"KITAS requires passaporto"}},

		// conflicts_with
		{"The [tourist visa:pt] conflicts with the [KITAS:pt]", []string{"tourist visa conflicts_with KITAS"}},
		{"A [tourist visa:pt] is not allowed with a [work permit:d]", []string{"tourist visa conflicts_with work permit"}},
		{"[Nominee ownership:t] violates the [Agrarian Law:law]", []string{"Nominee ownership conflicts_with Agrarian Law"}},
		{"[nominee:t] bertentangan dengan [UU Agraria:law]", []string{"nominee conflicts_with UU Agraria"}},
		{"Il [visto turistico:pt] non è compatibile con il [KITAS:pt]", []string{"visto turistico conflicts_with KITAS"}},

		// example_of
		{"[stay permits:t] such as the [KITAS:pt] and the [KITAP:pt]", []string{"KITAS example_of stay permits", "KITAP example_of stay permits"}},
		{"A [KITAS:pt] is a kind of [stay permit:t]", []string{"KITAS example_of stay permit"}},
		{"[izin tinggal:t] seperti [KITAS:pt]", []string{"KITAS example_of izin tinggal"}},
		{"[permessi:t] come il [KITAS:pt]", []string{"KITAS example_of permessi"}},

		// client_of
		{"[Anna:P] is a client of [Acme:C]", []string{"Anna client_of Acme"}},
		{"[Acme:C]'s client [Globex:C] called", []string{"Globex client_of Acme"}},
		{"[PT Maju:C] adalah klien dari [Acme:C]", []string{"PT Maju client_of Acme"}},
		{"[Anna:P] è cliente della [Acme:C]", []string{"Anna client_of Acme"}},

		// relates_to
		{"The [NPWP:d] is related to the [tax report:t]", []string{"NPWP relates_to tax report"}},
		{"[NPWP:d] berkaitan dengan [pajak:t]", []string{"NPWP relates_to pajak"}},
		{"[IMU:t] riguarda il [catasto:t]", []string{"IMU relates_to catasto"}},
	} {
		t.Run(c.text, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, triples(t, New(nil), c.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNotSaid(t *testing.T) {
	t.Parallel()
	for what, texts := range map[string][]string{
		"denied": {
			"[Anna:P] does not work for [Acme:C]",
			"My name is [Anna:P], I no longer work for [Acme:C]",
			"It is not true that [Anna:P] works for [Acme:C]",
			"[Anna:P] works for [Acme:C] no longer",
			"A [KITAS:pt] doesn't require a [passport:d]",
			"A [KITAS:pt] requires no [passport:d]",
			"For a [KITAS:pt] you don't need a [passport:d]",
			"Nobody said a [KITAS:pt] requires a [passport:d]",
			"[Anna:P] tidak bekerja di [PT Maju:C]",
			"[KITAS:pt] tidak membutuhkan [paspor:d]",
			"Bukan [Anna:P] yang bekerja di [PT Maju:C]",
			"[Anna:P] non lavora per [Acme:C]",
			"Neither [Anna:P] nor [Budi:P] works for [Acme:C]",
			"untuk [KITAS:pt] tidak perlu [paspor:d]",
			"[Law 6:law] doesn't cover the [KITAS:pt]",
			"Per il [KITAS:pt] non serve il [passaporto:d]",
			"[Anna:P] non lavora più per [Acme:C]",
		},
		"asked": {
			"Does [Anna:P] work for [Acme:C]?",
			"[Anna:P] works for [Acme:C]?",
			"[Anna:P] works for [Acme:C], right?",
			"[Anna:P] works for [Acme:C], is it?",
			"do you know if [Anna:P] works for [Acme:C]",
			"Hi [Anna:P], do you work for [Acme:C]?",
			"Apakah [KITAS:pt] membutuhkan [paspor:d]?",
			"apakah untuk [KITAS:pt] perlu [paspor:d]",
			"Per il [KITAS:pt] serve il [passaporto:d]?",
			"Is the [KITAS:pt] governed by [Law 6/2011:law]",
		},
		"supposed": {
			"If [Anna:P] works for [Acme:C], tell me",
			"if you worked for [Acme:C], [Anna:P]",
			"Suppose [Anna:P] works for [Acme:C].",
			"Kalau [Anna:P] bekerja di [PT Maju:C], kabari saya",
			"Se [Anna:P] lavora per [Acme:C], dimmi",
			"A [KITAS:pt] requires a [passport:d] unless renewed",
			"Without a [passport:d] no [KITAS:pt]",
		},
		"doubted": {
			"I think [Anna:P] works for [Acme:C]",
			"Maybe a [KITAS:pt] requires a [passport:d]",
			"I am not sure a [KITAS:pt] requires a [passport:d]",
			"katanya [KITAS:pt] membutuhkan [paspor:d]",
			"Forse [Anna:P] lavora per [Acme:C]",
			"Credo che il [KITAS:pt] richieda il [passaporto:d]",
			"I want [Anna:P] from [Acme:C]",
		},
		"past or to come": {
			"[Anna:P] worked for [Acme:C]",
			"[Anna:P] used to work for [Acme:C]",
			"[Anna:P] may work for [Acme:C]",
			"[Anna:P] wants to work for [Acme:C]",
			"[Anna:P], former director of [Acme:C]",
			"the former director of [Acme:C], [Anna:P]",
			"Until 2019 [Anna:P] works for [Acme:C]",
			"mantan direktur [PT Maju:C], [Anna:P]",
			"l'ex direttore di [Acme:C], [Anna:P]",
		},
		"of other types": {
			"[Acme:C] works for [Anna:P]",
			"[Anna:P] requires a [passport:d]",
			"[Anna:P] from [Bali:L]",
			"For [Anna:P] you need a [passport:d]",
			"[KITAS:pt] is governed by [Acme:C]",
		},
		"of another": {
			"The brother of [Anna:P] works for [Acme:C]",
			"[Anna:P]'s brother works for [Acme:C]",
		},
		"too far": {
			"[Anna:P] called this morning about the papers that somebody sent, and the office works for [Acme:C]",
			"[Anna:P]. Works for [Acme:C]",
			"For a [KITAS:pt]. You need a [passport:d]",
			"[Anna:P]\nworks for [Acme:C]",
		},
		"of itself": {"[Bali:L] is in [Bali:L]"},
		"near":      {"We talked about the [KITAS:pt] and the [KITAP:pt]"},
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
