package tagger

import "strings"

// ordinary are words with capitals that are no names, in the demo's languages.
var ordinary = wordSet(`
mr mrs ms miss dr prof sir bapak pak bpk ibu bu kak mas mbak sig signor signora dott dottor avv ing
i i'm i'll i've i'd ok hello hi dear thanks regards madam
january february march april may june july august september october november december
jan feb mar apr jun jul aug sep sept oct nov dec
monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun
januari februari maret mei juni juli agustus oktober desember
senin selasa rabu kamis jumat sabtu minggu
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
lunedì martedì mercoledì giovedì venerdì sabato domenica
english french german italian spanish portuguese dutch russian chinese japanese korean arabic indonesian balinese javanese
american british australian canadian european asian african indian swiss swedish danish norwegian finnish polish greek turkish ukrainian
israeli egyptian iraqi iranian mexican brazilian argentinian thai malaysian vietnamese filipino singaporean soviet
inglese francese tedesco italiano spagnolo portoghese olandese russo cinese giapponese coreano arabo americano europeo indonesiano australiano
gmt est edt am pm`)

func wordSet(words string) map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		all[word] = true
	}
	return all
}
