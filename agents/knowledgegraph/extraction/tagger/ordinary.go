package tagger

import "strings"

// ordinary are words with capitals that are no names, in the demo's languages.
var ordinary = wordSet(`
i i'm i'll i've i'd ok hello hi dear thanks regards sir madam
january february march april may june july august september october november december
jan feb mar apr jun jul aug sep sept oct nov dec
monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun
januari februari maret mei juni juli agustus oktober desember
senin selasa rabu kamis jumat sabtu minggu
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
lunedì martedì mercoledì giovedì venerdì sabato domenica
english spanish french german italian indonesian dutch russian chinese japanese korean arabic portuguese
american british australian european asian african indian canadian swedish israeli iraqi iranian soviet
inggris belanda jerman italia inglese tedesco francese spagnolo russo cinese indonesiano olandese
gmt est edt am pm`)

func wordSet(words string) map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		all[word] = true
	}
	return all
}
