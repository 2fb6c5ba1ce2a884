package knowledgegraph

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestAnyOrderOfArrival(t *testing.T) {
	t.Parallel()
	all := smallFirm(t)
	all.run(year)
	want := all.graph()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 9))
		f := smallFirm(t)
		f.exec(`CREATE TABLE later AS SELECT * FROM crm.messages`)
		f.exec(`DELETE FROM crm.messages`)
		for _, n := range rng.Perm(6) {
			f.exec(`INSERT INTO crm.messages SELECT * FROM later WHERE id = 'm' || $1::int`, n+1)
			if rng.IntN(2) == 0 {
				f.run(year)
			}
		}
		f.run(year)
		f.same(want, "by another order")
		if t.Failed() {
			t.Fatalf("with the seed %d", seed)
		}
	}
}

func TestAnyText(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	for _, text := range []string{
		"", " ", "\u200bAnna\u200b Ruiz\u200d works", "A\u0301nna Ruiz, I work for PT Sinar Lau\u0301t", "🙂 Anna Ruiz 👩‍👩‍👧 paspor\u0301 🙂 anna@example.com",
		"王小明 Anna Ruiz مرحبا paspor שלום Ubud", "\u202eAnna Ruiz\u202c paspor", strings.Repeat("Anna Ruiz works for PT Sinar Laut. ", 30_000), strings.Repeat("x", 1<<20),
		strings.Repeat("@", 100_000), strings.Repeat("1", 100_000), strings.Repeat("(", 100_000), strings.Repeat("a\u0301", 100_000), "Anna\r\nRuiz\tpaspor", "Rp 15\u00a0000\u00a0000 on 12\u202fMarch 2026",
	} {
		f.say("1", "C1", text)
	}
	r := f.run(year)
	if r.Messages.Graph != 21 || r.Messages.Omitted != 0 {
		t.Errorf("%+v", r.Messages)
	}
	f.places()
	if n := f.lines(`SELECT count(*) >= 30000 FROM ciclo.mentions WHERE surface = 'Anna Ruiz'`); n[0] != "true" {
		t.Error("a name in a megabyte is not found as often as it is there")
	}
	for surface, want := range map[string]string{"paspor": "true", "王小明": "false"} {
		if n := f.lines(`SELECT count(*) > 0 FROM ciclo.mentions WHERE surface = '` + surface + `'`); n[0] != want {
			t.Errorf("%s: %s", surface, n[0])
		}
	}
}
