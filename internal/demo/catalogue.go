package demo

import (
	"slices"
	"strings"
)

// Types and relations of what messages are about, as the graph has them.
const (
	person       = "person"
	company      = "company"
	location     = "location"
	law          = "law"
	topic        = "topic"
	practiceType = "practice_type"
	document     = "document"

	requires      = "requires"
	governedBy    = "governed_by"
	relatesTo     = "relates_to"
	conflictsWith = "conflicts_with"
	exampleOf     = "example_of"
	worksFor      = "works_for"
	locatedIn     = "located_in"
	clientOf      = "client_of"
)

// called is one name of a thing in a language, or, where that is empty, in all. The
// article goes before it in a sentence and is no part of it.
type called struct{ language, article, text string }

// thing is what isn't a person. All of its names but the unlisted ones are in crm.names.
type thing struct {
	kind, id string
	names    []called
	unlisted []called
}

func (t thing) entity() string { return t.kind + ":" + t.id }

// named is a thing with one name in each language, the Italian one with its article.
func named(kind, id, english, indonesian, article, italian string) thing {
	return thing{kind: kind, id: id, names: []called{{"en", "the ", english}, {"id", "", indonesian}, {"it", article, italian}}}
}

func everywhere(kind, text string, others ...string) thing {
	t := thing{kind: kind, id: strings.ReplaceAll(strings.ToLower(text), " ", "-"), names: []called{{text: text}}}
	for _, other := range others {
		t.names = append(t.names, called{text: other})
	}
	return t
}

// regulation is a law by its number: the list has its title and short form, messages
// the other forms too.
func regulation(id, english, indonesian, short, italian, number, year string) thing {
	return thing{kind: law, id: id, names: []called{
		{"en", "", english + " No. " + number + " of " + year},
		{"id", "", indonesian + " Nomor " + number + " Tahun " + year},
		{"", "", short + " " + number + "/" + year},
	}, unlisted: []called{
		{"id", "", short + " No. " + number + " Tahun " + year},
		{"it", "", italian + " n. " + number + " del " + year},
	}}
}

// Companies by their short names, which half of them have in crm.names too.
var companies = legal(strings.Split(strings.TrimSpace(`
PT Sinar Laut|PT Gunung Emas Abadi|PT Taman Rempah|PT Ombak Selatan|PT Cahaya Pelita Timur|PT Bumi Kencana Raya
PT Rumah Anyaman|PT Sawah Lestari Mandiri|PT Karang Biru|PT Angin Muson|PT Pelangi Tropika|PT Kopi Lembah Sunyi
CV Mitra Rasa|CV Batu Ukir|CV Tirta Jernih|CV Dapur Kenari|CV Lontar Media|CV Arus Dingin
UD Sumber Anugrah|UD Bambu Jaya|Halcyon Reef Pty Ltd|Wombat & Quill Pty Ltd|Saltmarsh Surf Pty Ltd
Nusa Terang Ltd|Brackwater Holdings Ltd|Thistlecombe Partners LLP|Larkspur Analytics Inc.|Copperleaf Studios LLC|Ironbark Freight LLC
Fratelli Zancona S.r.l.|Cantine Roccabruna S.p.A.|Officine Lamperti S.r.l.|Vetreria Solmaris S.r.l.
Bergfeld Optik GmbH|Nordwind Werft GmbH|Oost Koffie B.V.|De Zeven Molens B.V.|Ateliers Montclair SARL|Kitsune Ceramics K.K.|Fjellstad Havbruk AS`), "\n"))

// Words of legal forms, before or behind the name.
var legalForms = strings.Fields("PT CV UD Pty Ltd LLP Inc. LLC S.r.l. S.p.A. GmbH B.V. SARL K.K. AS")

func legal(lines []string) []thing {
	var all []thing
	for _, full := range strings.Split(strings.Join(lines, "|"), "|") {
		var words []string
		for _, word := range strings.Fields(full) {
			if !slices.Contains(legalForms, word) {
				words = append(words, word)
			}
		}
		short := called{text: strings.Join(words, " ")}
		c := everywhere(company, full)
		if len(all)%2 == 0 {
			c.names = append(c.names, short)
		} else {
			c.unlisted = []called{short}
		}
		all = append(all, c)
	}
	return all
}

// towns are where companies are.
var towns = []thing{
	everywhere(location, "Canggu"), everywhere(location, "Ubud"), everywhere(location, "Sanur"), everywhere(location, "Denpasar"),
	everywhere(location, "Seminyak"), everywhere(location, "Nusa Dua"), everywhere(location, "Uluwatu"), everywhere(location, "Singaraja"),
	everywhere(location, "Amed"), everywhere(location, "Mataram"), everywhere(location, "Surabaya"), everywhere(location, "Yogyakarta"),
}

// regions are where towns are, and other regions.
var regions = []thing{
	everywhere(location, "Bali", "Pulau Bali"), everywhere(location, "Lombok"), everywhere(location, "East Java", "Jawa Timur"), everywhere(location, "Java", "Jawa"),
	{kind: location, id: "indonesia", names: []called{{text: "Indonesia"}}},
}

// within says which place is in which.
var within = [][2]string{
	{"canggu", "bali"}, {"ubud", "bali"}, {"sanur", "bali"}, {"denpasar", "bali"}, {"seminyak", "bali"}, {"nusa-dua", "bali"}, {"uluwatu", "bali"},
	{"singaraja", "bali"}, {"amed", "bali"}, {"mataram", "lombok"}, {"surabaya", "east-java"}, {"yogyakarta", "java"}, {"bali", "indonesia"},
	{"lombok", "indonesia"}, {"java", "indonesia"},
}

// Some are of Indonesia, the rest are of no country.
var laws = []thing{
	regulation("immigration", "Law", "Undang-Undang", "UU", "Legge", "6", "2011"),
	regulation("companies", "Law", "Undang-Undang", "UU", "Legge", "40", "2007"),
	regulation("manpower", "Law", "Undang-Undang", "UU", "Legge", "13", "2003"),
	regulation("agrarian", "Law", "Undang-Undang", "UU", "Legge", "5", "1960"),
	regulation("investment", "Law", "Undang-Undang", "UU", "Legge", "25", "2007"),
	regulation("guarantors", "Government Regulation", "Peraturan Pemerintah", "PP", "Regolamento governativo", "412", "2023"),
	regulation("returns", "Government Regulation", "Peraturan Pemerintah", "PP", "Regolamento governativo", "731", "2021"),
	regulation("foreign-workers", "Presidential Regulation", "Peraturan Presiden", "Perpres", "Regolamento presidenziale", "388", "2022"),
	regulation("zones", "Regional Regulation", "Peraturan Daerah", "Perda", "Regolamento regionale", "97", "2019"),
	regulation("visas", "Ministerial Regulation", "Peraturan Menteri", "Permen", "Decreto ministeriale", "288", "2024"),
}

var documents = []thing{
	named(document, "passport", "passport", "paspor", "il ", "passaporto"),
	named(document, "sponsor-letter", "sponsor letter", "surat sponsor", "la ", "lettera di sponsorizzazione"),
	named(document, "bank-statement", "bank statement", "rekening koran", "l'", "estratto conto"),
	named(document, "lease-agreement", "lease agreement", "perjanjian sewa", "il ", "contratto di locazione"),
	named(document, "deed", "deed of establishment", "akta pendirian", "l'", "atto costitutivo"),
	named(document, "tax-card", "taxpayer card", "kartu NPWP", "la ", "tessera fiscale"),
	named(document, "police-certificate", "police certificate", "surat keterangan catatan kepolisian", "l'", "estratto del casellario"),
	named(document, "marriage-certificate", "marriage certificate", "akta nikah", "l'", "atto di matrimonio"),
	named(document, "land-certificate", "land certificate", "sertifikat tanah", "la ", "visura catastale"),
	named(document, "domicile-letter", "domicile letter", "surat domisili", "la ", "dichiarazione di domicilio"),
	named(document, "curriculum", "curriculum vitae", "daftar riwayat hidup", "il ", "curriculum"),
	named(document, "investment-plan", "investment plan", "rencana investasi", "il ", "piano di investimento"),
}

var topics = []thing{
	named(topic, "tax-residency", "tax residency", "domisili fiskal", "la ", "residenza fiscale"),
	named(topic, "double-taxation", "double taxation", "pajak berganda", "la ", "doppia imposizione"),
	named(topic, "foreign-ownership", "foreign ownership", "kepemilikan asing", "la ", "proprietà straniera"),
	named(topic, "foreign-investment", "foreign investment", "penanaman modal asing", "l'", "investimento estero"),
	named(topic, "nominee-arrangement", "nominee arrangement", "perjanjian nominee", "l'", "accordo fiduciario"),
	named(topic, "zoning", "zoning", "tata ruang", "la ", "zonizzazione"),
	named(topic, "residence", "long-term residence", "izin tinggal jangka panjang", "la ", "residenza a lungo termine"),
	named(topic, "compliance", "tax compliance", "kepatuhan pajak", "la ", "conformità fiscale"),
}

// practices are the practice types as they are called in chats; crm.practice_types
// has their official names.
var practices = []thing{
	named(practiceType, "kitas-work", "work permit", "izin kerja", "il ", "permesso di lavoro"),
	named(practiceType, "kitas-investor", "investor permit", "KITAS investor", "il ", "permesso per investitori"),
	named(practiceType, "kitap", "permanent stay permit", "izin tinggal tetap", "il ", "permesso permanente"),
	named(practiceType, "visa-business", "business visa", "visa bisnis", "il ", "visto d'affari"),
	named(practiceType, "pt-pma", "company formation", "pendirian PT PMA", "la ", "costituzione di società"),
	named(practiceType, "tax-monthly", "monthly tax reporting", "lapor pajak bulanan", "la ", "dichiarazione mensile"),
	named(practiceType, "tax-annual", "annual tax return", "SPT tahunan", "la ", "dichiarazione annuale"),
	named(practiceType, "property-lease", "leasehold due diligence", "uji tuntas sewa", "la ", "verifica della locazione"),
}

// staff are the firm's own people, in crm.names.
var staff = []thing{
	{kind: person, id: "staff-1", names: []called{{text: "Komang Sudarta"}}},
	{kind: person, id: "staff-2", names: []called{{text: "Ratna Wulandari"}}},
	{kind: person, id: "staff-3", names: []called{{text: "Gabriele Fontanesi"}}},
}

// rule is what practices, laws and topics have to do with each other, by entities.
type rule struct{ subject, relation, object string }

var rules = []rule{
	{"practice_type:kitas-work", requires, "document:passport"}, {"practice_type:kitas-work", requires, "document:sponsor-letter"},
	{"practice_type:kitas-work", requires, "document:curriculum"}, {"practice_type:kitas-investor", requires, "document:passport"},
	{"practice_type:kitas-investor", requires, "document:investment-plan"}, {"practice_type:kitas-investor", requires, "document:deed"},
	{"practice_type:kitap", requires, "document:passport"}, {"practice_type:kitap", requires, "document:police-certificate"},
	{"practice_type:kitap", requires, "document:marriage-certificate"}, {"practice_type:kitap", requires, "document:domicile-letter"},
	{"practice_type:visa-business", requires, "document:sponsor-letter"}, {"practice_type:visa-business", requires, "document:bank-statement"},
	{"practice_type:pt-pma", requires, "document:deed"}, {"practice_type:pt-pma", requires, "document:domicile-letter"},
	{"practice_type:pt-pma", requires, "document:investment-plan"}, {"practice_type:tax-monthly", requires, "document:tax-card"},
	{"practice_type:tax-annual", requires, "document:tax-card"}, {"practice_type:tax-annual", requires, "document:bank-statement"},
	{"practice_type:property-lease", requires, "document:lease-agreement"}, {"practice_type:property-lease", requires, "document:land-certificate"},

	{"practice_type:kitas-work", governedBy, "law:manpower"}, {"practice_type:kitas-work", governedBy, "law:foreign-workers"},
	{"practice_type:kitas-investor", governedBy, "law:investment"}, {"practice_type:kitap", governedBy, "law:immigration"},
	{"practice_type:visa-business", governedBy, "law:visas"}, {"practice_type:pt-pma", governedBy, "law:companies"},
	{"practice_type:tax-annual", governedBy, "law:returns"}, {"practice_type:property-lease", governedBy, "law:agrarian"},
	{"topic:zoning", governedBy, "law:zones"}, {"topic:foreign-ownership", governedBy, "law:agrarian"},

	{"topic:tax-residency", relatesTo, "topic:double-taxation"}, {"topic:zoning", relatesTo, "practice_type:property-lease"},
	{"topic:foreign-ownership", relatesTo, "practice_type:pt-pma"}, {"topic:tax-residency", relatesTo, "practice_type:tax-annual"},
	{"topic:residence", relatesTo, "topic:tax-residency"},

	{"topic:nominee-arrangement", conflictsWith, "law:agrarian"}, {"law:guarantors", conflictsWith, "law:visas"},
	{"topic:nominee-arrangement", conflictsWith, "topic:foreign-ownership"},

	{"practice_type:kitap", exampleOf, "topic:residence"}, {"practice_type:tax-monthly", exampleOf, "topic:compliance"},
	{"practice_type:kitas-investor", exampleOf, "topic:foreign-investment"}, {"practice_type:pt-pma", exampleOf, "topic:foreign-investment"},
}

// notRules are asked or denied, and never said.
var notRules = []rule{
	{"practice_type:kitas-work", requires, "document:land-certificate"}, {"practice_type:kitas-work", requires, "document:marriage-certificate"},
	{"practice_type:kitas-investor", requires, "document:marriage-certificate"}, {"practice_type:kitap", requires, "document:lease-agreement"},
	{"practice_type:visa-business", requires, "document:police-certificate"}, {"practice_type:visa-business", requires, "document:tax-card"},
	{"practice_type:pt-pma", requires, "document:bank-statement"}, {"practice_type:tax-monthly", requires, "document:passport"},
	{"practice_type:tax-annual", requires, "document:curriculum"}, {"practice_type:property-lease", requires, "document:sponsor-letter"},
	{"practice_type:kitas-work", governedBy, "law:zones"}, {"practice_type:tax-annual", governedBy, "law:immigration"},
	{"practice_type:property-lease", governedBy, "law:manpower"}, {"practice_type:visa-business", governedBy, "law:companies"},
	{"topic:zoning", conflictsWith, "law:investment"}, {"topic:double-taxation", relatesTo, "topic:zoning"},
}

// catalogue is every thing, the firm's own people too.
func catalogue() []thing {
	return slices.Concat(companies, towns, regions, laws, documents, topics, practices, staff)
}

// listed are the rows of crm.names.
func listed() [][]any {
	var rows [][]any
	for _, t := range catalogue() {
		for _, c := range t.names {
			rows = append(rows, []any{t.kind, t.id, c.text})
		}
	}
	return rows
}
