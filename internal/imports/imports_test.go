package imports

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// firm is a database that files are imported into.
type firm struct {
	*testing.T
	pool *pgxpool.Pool
}

func newFirm(t *testing.T) *firm {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: "imports", MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &firm{t, pool}
}

func (f *firm) take(kind *Kind, name, text string, o Options) (Report, error) {
	f.Helper()
	path := filepath.Join(f.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
	return File(f.Context(), f.pool, kind, path, o)
}

// taken imports a file that must be taken, and returns new, changed, already there.
func (f *firm) taken(kind *Kind, name, text string, o Options) [3]int64 {
	f.Helper()
	r, err := f.take(kind, name, text, o)
	if err != nil {
		f.Fatalf("%v: %+v", err, r)
	}
	return [3]int64{r.Rows, r.Changed, r.AlreadyThere}
}

// text is what a query gives, as one text.
func (f *firm) text(sql string) (text string) {
	f.Helper()
	if err := f.pool.QueryRow(f.Context(), `SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), '') FROM (`+sql+`) t`).Scan(&text); err != nil {
		f.Fatal(err)
	}
	return text
}

const (
	csvHead = "id,client_id,paid_at,amount,currency\n"
	good    = "P1,a,2026-01-01,10.50,EUR\n"
)

// Each text is refused whole, with words that say what is wrong and where.
func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	utf16 := func(order ...byte) string { return string(order) + "c\x00l\x00i\x00e\x00" }
	for name, c := range map[string]struct{ file, text, want string }{
		"empty":                    {"a.csv", "", "the file is empty"},
		"only a mark":              {"a.csv", "\ufeff", "the file is empty"},
		"empty, in JSON":           {"a.jsonl", "", "the file is empty"},
		"UTF-16":                   {"a.csv", utf16(0xff, 0xfe), "save it as UTF-8"},
		"UTF-16 without a mark":    {"a.jsonl", utf16(), "save it as UTF-8"},
		"an unknown column":        {"a.csv", "client_id,paid_at,amount,currency,color\n", `column "color" is not one of`},
		"a column twice":           {"a.csv", "client_id,client_id,paid_at,amount,currency\n", `column "client_id" is there twice`},
		"a column missing":         {"a.csv", "client_id,amount,currency\n", `column "paid_at" is missing`},
		"no currency":              {"a.csv", "client_id,paid_at,amount\n", "--currency"},
		"semicolons":               {"a.csv", strings.ReplaceAll(csvHead, ",", ";"), "try --separator ';'"},
		"tabs":                     {"a.csv", strings.ReplaceAll(csvHead, ",", "\t"), "try --separator 'tab'"},
		"CR alone":                 {"a.csv", strings.ReplaceAll(csvHead+good, "\n", "\r"), "not in CR alone"},
		"JSON that is called CSV":  {"a.csv", `{"client_id":"a"}` + "\n", "--format jsonl"},
		"Latin-1 in the head":      {"a.csv", "clie\xe9nt\n", "not UTF-8"},
		"an open quote in head":    {"a.csv", "\"client_id,paid_at\n", "line 1: a quote opens"},
		"a head that doesn't end":  {"a.csv", strings.Repeat("x", 1<<20), "longer than 65536 bytes"},
		"a head of a quote":        {"a.csv", `"` + strings.Repeat("x", 1<<20), "longer than 65536 bytes"},
		"a JSON list":              {"a.jsonl", "[\n", "line 1: the line is cut off"},
		"one JSON list":            {"a.jsonl", "[]\n", "not a JSON object"},
		"CSV that is called JSON":  {"a.jsonl", csvHead + good, "the line is not JSON"},
		"separated JSON":           {"a.jsonl", "{}", "have no separator"},
		"a separator that is none": {"a.csv", csvHead, "can't separate"},
	} {
		o := Options{}
		switch name {
		case "separated JSON":
			o.Separator = ';'
		case "a separator that is none":
			o.Separator = '"'
		}
		r, err := f.take(Payments, c.file, c.text, o)
		said := fmt.Sprint(err)
		for _, bad := range r.BadRows {
			said += fmt.Sprintf("\nline %d: %s", bad.Line, bad.Reason)
		}
		if err == nil || !strings.Contains(said, c.want) {
			t.Errorf("%s: %s, want %q", name, said, c.want)
		}
	}
	if n := f.text(`SELECT count(*) FROM crm.payments UNION ALL SELECT count(*) FROM crm.imports`); n != "(0) (0)" {
		t.Errorf("what was refused left %s", n)
	}
}

// Each row is bad, between two good ones; line 3 is where it begins.
func TestRowsThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	row := func(member, value string) string {
		members := map[string]string{"client_id": `"a"`, "paid_at": `"2026-01-01"`, "amount": `1`, "currency": `"EUR"`}
		members[member] = value
		text := ""
		for _, name := range []string{"client_id", "paid_at", "amount", "currency", "refunded", "id", "color"} {
			if v, there := members[name]; there && v != "" {
				text += fmt.Sprintf(",%q:%s", name, v)
			}
		}
		return "{" + text[1:] + "}"
	}
	const goodCSV = ",a,2026-01-01,1,EUR"
	for name, c := range map[string]struct{ format, row, want string }{
		"Latin-1":               {"csv", ",J\xfcrgen,2026-01-01,1,EUR", "not UTF-8"},
		"a NUL":                 {"csv", ",a\x00,2026-01-01,1,EUR", "U+0000"},
		"too few fields":        {"csv", "a,2026-01-01", "wrong number of fields: 2, the first line names 5"},
		"too many fields":       {"csv", goodCSV + ",", "wrong number of fields: 6"},
		"an open quote":         {"csv", `,"a,2026-01-01,1,EUR`, "a quote opens that isn't closed"},
		"text after a quote":    {"csv", `,"a"b,2026-01-01,1,EUR`, "text after the quote"},
		"a quote inside":        {"csv", `,a"b,2026-01-01,1,EUR`, "doesn't begin with one"},
		"a long line":           {"csv", "," + strings.Repeat("x", 1<<20) + ",2026-01-01,1,EUR", "longer than 65536 bytes"},
		"a long id":             {"csv", "," + strings.Repeat("x", 201) + ",2026-01-01,1,EUR", "at most 200"},
		"year 1":                {"csv", ",a,0001-01-01,1,EUR", "not between 1900 and now"},
		"the future":            {"csv", ",a,2999-01-01,1,EUR", "not between 1900 and now"},
		"no such day":           {"csv", ",a,2026-02-30,1,EUR", "paid_at"},
		"infinity":              {"csv", ",a,infinity,1,EUR", "paid_at"},
		"NaN":                   {"csv", ",a,2026-01-01,NaN,EUR", "amount"},
		"Infinity":              {"csv", ",a,2026-01-01,Infinity,EUR", "amount"},
		"1e400":                 {"csv", ",a,2026-01-01,1e400,EUR", "amount"},
		"1e12":                  {"csv", ",a,2026-01-01,1e12,EUR", "amount"},
		"16 digits":             {"csv", ",a,2026-01-01,1234567890123456,EUR", "15 digits"},
		"a decimal comma":       {"csv", `,a,2026-01-01,"1,50",EUR`, "amount"},
		"an amount of nothing":  {"csv", ",a,2026-01-01,,EUR", "amount is missing or empty"},
		"no client":             {"csv", ",,2026-01-01,1,EUR", "client_id is missing or empty"},
		"no currency":           {"csv", ",a,2026-01-01,1,", "currency is missing"},
		"a small currency":      {"csv", ",a,2026-01-01,1,eur", "three capitals"},
		"an id twice":           {"csv", "P1,a,2026-01-01,1,EUR", "id P1 is in line 2 already"},
		"JSON cut":              {"jsonl", `{"client_id":"a","paid_at":"20`, "cut off"},
		"JSON of Latin-1":       {"jsonl", row("client_id", "\"J\xfcrgen\""), "not UTF-8"},
		"JSON with a NUL":       {"jsonl", row("client_id", `"a\u0000"`), "U+0000"},
		"half a character":      {"jsonl", row("client_id", `"a\ud800"`), "half a character"},
		"a nested object":       {"jsonl", row("amount", `{"value":1}`), "amount is an object, not a string or a number"},
		"a list":                {"jsonl", row("amount", `["1"]`), "amount is a list of strings"},
		"a list of numbers":     {"jsonl", row("amount", `[1]`), "list of something else"},
		"a number for a time":   {"jsonl", row("paid_at", `1767225600`), "paid_at is a number, not a string"},
		"truth for money":       {"jsonl", row("amount", `true`), "amount is true or false"},
		"a text for truth":      {"jsonl", row("refunded", `"perhaps"`), "true or false"},
		"null":                  {"jsonl", row("client_id", `null`), "client_id is missing or empty"},
		"missing":               {"jsonl", row("amount", ``), "amount is missing or empty"},
		"an unknown member":     {"jsonl", row("color", `"red"`), `"color" is not one of`},
		"a member twice":        {"jsonl", `{"client_id":"a","client_id":"a"}`, `"client_id" is there twice`},
		"a number of 1e400":     {"jsonl", row("amount", `1e400`), "amount"},
		"an id with a fraction": {"jsonl", row("client_id", `1.5`), "fraction"},
		"JSON's long line":      {"jsonl", row("client_id", `"`+strings.Repeat("x", 1<<20)+`"`), "longer than 65536 bytes"},
		"JSON's id twice":       {"jsonl", row("id", `"P1"`), "id P1 is in line 2 already"},
		"two values":            {"jsonl", row("", "") + row("", ""), "not JSON"},
	} {
		text := "id,client_id,paid_at,amount,currency\nP1,b,2026-01-01,1,EUR\n" + c.row + "\n,c,2026-01-02,2,EUR\n"
		if c.format == "jsonl" {
			text = "\n" + `{"id":"P1","client_id":"b","paid_at":"2026-01-01","amount":1,"currency":"EUR"}` + "\n" + c.row + "\n" + row("", "") + "\n"
		}
		var all bytes.Buffer
		r, err := f.take(Payments, "p."+c.format, text, Options{BadRows: &all})
		if !errors.Is(err, ErrBadRows) || r.Bad != 1 || r.BadRows[0].Line != 3 || !strings.Contains(r.BadRows[0].Reason, c.want) || len(r.BadRows[0].Reason) > 400 {
			t.Errorf("%s: %v, %.600v, want line 3 and %q", name, err, r, c.want)
			continue
		}
		if !strings.Contains(all.String(), `{"line":3,"reason":`) || strings.Count(all.String(), "\n") != 1 {
			t.Errorf("%s: the bad rows are %s", name, all.String())
		}
		if r, err = f.take(Payments, "p."+c.format, text, Options{SkipBad: true, DryRun: true}); err != nil || r.Rows != 2 || r.Bad != 1 || r.Read != 3 {
			t.Errorf("%s: with --skip-bad %+v, %v", name, r, err)
		}
	}
	if n := f.text(`SELECT count(*) FROM crm.payments UNION ALL SELECT count(*) FROM crm.clients UNION ALL SELECT count(*) FROM crm.imports`); n != "(0) (0) (0)" {
		t.Errorf("refused rows and dry runs left %s", n)
	}
}

func TestRowsThatAreTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, text string
		o          Options
		want       string // client_id, amount, currency, paid_at
	}{
		"exact decimals":   {"a.jsonl", `{"client_id":7,"paid_at":"2026-01-01T01:00:00+02:00","amount":123456789012345.123456789012345678,"currency":"EUR"}`, Options{}, `(7,123456789012345.123456789012345678,EUR,"2025-12-31 23:00:00")`},
		"a thousandth":     {"a.csv", csvHead + ",a,2026-01-01,0.001,EUR", Options{}, `(a,0.001,EUR,"2026-01-01 00:00:00")`},
		"a million × 1e6":  {"a.csv", csvHead + ",a,2026-01-01,1000000000000,EUR", Options{}, `(a,1000000000000,EUR,"2026-01-01 00:00:00")`},
		"a mark and CR LF": {"a.csv", "\ufeffclient_id,paid_at,amount\r\n\"a\r\nb\",2026-01-01,1\r\n\r\n", Options{Currency: "USD"}, "(\"a\r\nb\",1,USD,\"2026-01-01 00:00:00\")"},
		"semicolons":       {"a.csv", strings.ReplaceAll(csvHead+good, ",", ";"), Options{Separator: ';'}, `(a,10.50,EUR,"2026-01-01 00:00:00")`},
		"quotes":           {"a.csv", csvHead + `,"a ""b"", \N",2026-01-01 10:00:00,"-1",EUR`, Options{}, `("a ""b"", \\N",-1,EUR,"2026-01-01 10:00:00")`},
		"escapes":          {"a.jsonl", `{"client_id":"\u00e9\t\ud83d\ude00\\","paid_at":"2026-01-01","amount":"1","currency":null,"refunded":false,"id":null}`, Options{Currency: "USD"}, "(\"é\t😀\\\\\",1,USD,\"2026-01-01 00:00:00\")"},
		"a head alone":     {"a.csv", csvHead, Options{}, ""},
		"the format named": {"a.txt", `{"client_id":"a","paid_at":"2026-01-01","amount":1}`, Options{Format: JSONLines, Currency: "EUR"}, `(a,1,EUR,"2026-01-01 00:00:00")`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFirm(t)
			f.taken(Payments, c.file, c.text, c.o)
			if got := f.text(`SELECT client_id, amount, currency, paid_at AT TIME ZONE 'UTC' FROM crm.payments`); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAGrowingExport(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	check := func(got, want [3]int64) {
		t.Helper()
		if got != want {
			t.Errorf("new, changed, already there: %v, want %v", got, want)
		}
	}
	check(f.taken(Payments, "1.csv", csvHead+good, Options{}), [3]int64{1, 0, 0})
	check(f.taken(Payments, "1.csv", csvHead+good, Options{}), [3]int64{0, 0, 1}) // a day without payments
	grown := csvHead + "P1,a,2026-01-01T00:00:00Z,10.5,EUR\n" + "P2,b,2026-01-02,1,EUR\n"
	check(f.taken(Payments, "2.csv", grown, Options{DryRun: true}), [3]int64{1, 0, 1})
	check(f.taken(Payments, "2.csv", grown, Options{}), [3]int64{1, 0, 1})
	r, err := f.take(Payments, "3.csv", csvHead+"P1,a,2026-01-01,11,USD\nP3,c,2026-01-02,1,EUR\n", Options{})
	if !errors.Is(err, ErrBadRows) || len(r.BadRows) != 1 || r.BadRows[0] != (BadRow{2, "id P1 is there already with other content: amount is 10.50, currency is EUR"}) {
		t.Errorf("other content: %v %+v", err, r)
	}
	// Rows without ids can't be known again.
	nameless := "client_id,paid_at,amount\na,2026-01-01,1\n"
	check(f.taken(Payments, "4.csv", nameless, Options{Currency: "EUR"}), [3]int64{1, 0, 0})
	if _, err := f.take(Payments, "4.csv", nameless, Options{Currency: "EUR"}); !errors.Is(err, ErrImported) {
		t.Errorf("the same file: %v", err)
	}
	check(f.taken(Payments, "4.csv", nameless, Options{Currency: "EUR", Again: true}), [3]int64{1, 0, 0})
	if n := f.text(`SELECT reference, amount FROM crm.payments`); n != "(,1) (,1) (P1,10.50) (P2,1)" {
		t.Errorf("the payments are %s", n)
	}

	const said = "id,client_id,channel,direction,kind,sentiment,occurred_at\nI1,a,whatsapp,inbound,message,-0.5,2026-01-01\n"
	check(f.taken(Interactions, "i.csv", said, Options{}), [3]int64{1, 0, 0})
	check(f.taken(Interactions, "i.csv", said+"I2,a,mail,outbound,offer,,2026-01-01\n", Options{}), [3]int64{1, 0, 1})
	r, err = f.take(Interactions, "i.jsonl", `{"id":"I2","client_id":"a","channel":"mail","direction":"outbound","kind":"offer","sentiment":1,"occurred_at":"2026-01-01"}
{"client_id":"nobody","channel":"mail","direction":"outbound","kind":"offer","occurred_at":"2026-01-01"}
{"client_id":"a","channel":"mail","direction":"sideways","kind":"offer","occurred_at":"2026-01-01"}
{"client_id":"a","channel":"mail","direction":"inbound","kind":"offer","sentiment":1.1,"occurred_at":"2026-01-01"}`, Options{})
	reasons := ""
	for _, b := range r.BadRows {
		reasons += fmt.Sprintf("%d %s\n", b.Line, b.Reason)
	}
	if !errors.Is(err, ErrBadRows) || reasons != "1 id I2 is there already with other content: sentiment is none\n2 client_id nobody is not known: import clients, or payments, first\n"+
		"3 direction \"sideways\" is not one of inbound, outbound\n4 sentiment \"1.1\" is not a number from -1 to 1\n" {
		t.Errorf("interactions: %v\n%s", err, reasons)
	}
}

func TestClients(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	if got := f.taken(Clients, "c.csv", "id,name,email,status,consent_marketing,tags,created_at\na,Ana,a@firm.example,prospect,true,new; vip,2026-01-01\nb,Budi,,,,,\n", Options{}); got != [3]int64{2, 0, 0} {
		t.Error(got)
	}
	// Columns that aren't there change nothing; empty cells empty what can be empty.
	if got := f.taken(Clients, "c.csv", "id,email,status,tags\na,,,\nb,,,\n", Options{}); got != [3]int64{0, 1, 1} {
		t.Error(got)
	}
	if got := f.taken(Clients, "c.jsonl", `{"id":"b","tags":["x\"y","{z}"],"phone":"+62"}`+"\n"+`{"id":"a","name":null}`, Options{}); got != [3]int64{0, 2, 0} {
		t.Error(got)
	}
	const want = `(a,,,,prospect,t,{}) (b,Budi,,+62,active,f,"{""x\\""y"",""{z}""}")`
	if got := f.text(`SELECT id, name, email, phone, status, consent_marketing, tags FROM crm.clients`); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	r, err := f.take(Clients, "c.csv", "id,status,consent_marketing\na,gone,true\na,active,perhaps\na,active,true\na,active,true\n", Options{})
	reasons := ""
	for _, b := range r.BadRows {
		reasons += fmt.Sprintf("%d %s\n", b.Line, b.Reason)
	}
	if !errors.Is(err, ErrBadRows) || reasons != "2 status \"gone\" is not one of active, inactive, prospect\n3 consent_marketing \"perhaps\" is not true or false\n5 id a is in line 4 already\n" {
		t.Errorf("%v\n%s", err, reasons)
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	const head = "currency,into,day,rate\n"
	if got := f.taken(Rates, "r.csv", head+"IDR,EUR,2026-01-01,0.0000538\nUSD,EUR,2026-01-01,0.92\n", Options{}); got != [3]int64{2, 0, 0} {
		t.Error(got)
	}
	if got := f.taken(Rates, "r.jsonl", `{"currency":"USD","into":"EUR","day":"2026-01-01","rate":0.93}`+"\n"+`{"currency":"IDR","into":"EUR","day":"2026-01-01","rate":0.0000538}`, Options{}); got != [3]int64{0, 1, 1} {
		t.Error(got)
	}
	if got := f.text(`SELECT * FROM source.rates`); got != "(IDR,EUR,2026-01-01,0.0000538) (USD,EUR,2026-01-01,0.93)" {
		t.Error(got)
	}
	r, err := f.take(Rates, "r.csv", head+"USD,EUR,2026-01-01,0\nUSD,EUR,2026-01-01,-1\nUSD,EUR,2026-01-01,NaN\nUSD,EUR,2026-01-01,1e400\nUSD,USD,2026-01-01,1\nUSD,EUR,2026-01-01T00:00:00Z,1\nGBP,EUR,2026-01-01,1\nGBP,EUR,2026-01-01,1\n", Options{})
	if !errors.Is(err, ErrBadRows) || r.Bad != 7 || r.BadRows[6].Reason != "the rate of GBP EUR 2026-01-01 is in line 8 already" || r.BadRows[4].Reason != "into USD is the currency itself" {
		t.Errorf("%v %+v", err, r)
	}
}

// The report holds the first bad rows, the file of bad rows all, by line.
func TestManyBadRows(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	var all bytes.Buffer
	var told []Progress
	text := csvHead + strings.Repeat("x\n,a,2026-01-01,1,EUR\n", 5000)
	r, err := f.take(Payments, "p.csv", text, Options{SkipBad: true, BadRows: &all, Progress: func(p Progress) { told = append(told, p) }})
	if err != nil || r.Bad != 5000 || r.Rows != 5000 || len(r.BadRows) != MaxBadShown || r.BadRows[19].Line != 40 || strings.Count(all.String(), "\n") != 5000 || !strings.HasSuffix(all.String(), "{\"line\":10000,\"reason\":\"wrong number of fields: 1, the first line names 5\"}\n") {
		t.Errorf("%v %+v", err, r)
	}
	if len(told) < 3 || told[0].Stage != StageReading || told[0].Size != int64(len(text)) || told[len(told)-1].Stage != StageWriting {
		t.Errorf("progress %+v", told)
	}
}
