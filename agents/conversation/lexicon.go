package conversation

import "strings"

// currencies beside a number make it an amount of money.
var currencies = wordSet("usd eur gbp aud sgd idr inr rp dollar dollars cent cents euro euros pound pounds rupiah ribu juta")

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// marker is a list of phrases of which a conversation has one or none.
type marker struct {
	kind    Kind
	feature string
	// phrases are of tokens; English, Indonesian and Italian.
	phrases []string
}

// markers are the trainer's own lexicon, short on purpose: each phrase says what its
// name says in nearly every place.
var markers = []marker{
	{CallToAction, "call_to_action", []string{
		"sign up", "book a", "book your", "schedule a", "click here", "click the link", "call us", "call me", "contact us", "let's start", "get started",
		"would you like to", "do you want to", "shall we", "can i book", "can we schedule", "ready to start", "send us", "reply with", "join us",
		"hubungi kami", "silakan daftar", "daftar sekarang", "klik", "mau lanjut", "prenota", "prenotare", "iscriviti", "contattaci", "chiamaci", "vuoi procedere",
	}},
	{Politeness, "politeness_gratitude", []string{"thank you", "thanks", "thank", "i appreciate", "we appreciate", "grateful", "terima kasih", "makasih", "grazie"}},
	{Politeness, "politeness_apology", []string{"sorry", "i apologize", "we apologize", "apologies", "forgive me", "maaf", "mohon maaf", "scusa", "scusi", "mi dispiace"}},
	{Politeness, "politeness_please", []string{"please", "pls", "kindly", "tolong", "mohon", "per favore", "per piacere", "per cortesia"}},
	{Politeness, "politeness_greeting", []string{"hello", "hi", "hey", "good morning", "good afternoon", "good evening", "halo", "selamat pagi", "selamat siang", "selamat sore", "ciao", "buongiorno", "buonasera", "salve"}},
	{Politeness, "politeness_hedge", []string{"maybe", "perhaps", "i think", "i guess", "i suppose", "possibly", "probably", "it seems", "might", "mungkin", "sepertinya", "forse", "probabilmente", "penso che"}},
	{Politeness, "politeness_can_you", []string{"can you", "will you", "bisakah anda", "puoi", "può"}},
	{Politeness, "politeness_could_you", []string{"could you", "would you", "potresti", "potrebbe"}},
	{Politeness, "politeness_reassurance", []string{"no problem", "no worries", "don't worry", "not a problem", "rest assured", "tidak masalah", "jangan khawatir", "nessun problema", "non si preoccupi", "non ti preoccupare"}},
}

// phrase is a marker's phrase by its tokens.
type phrase struct {
	tokens []string
	marker int
}

// phrasesByLast finds phrases by their last token.
var phrasesByLast = func() map[string][]phrase {
	all := map[string][]phrase{}
	for m, one := range markers {
		for _, text := range one.phrases {
			tokens := strings.Fields(text)
			last := tokens[len(tokens)-1]
			all[last] = append(all[last], phrase{tokens[:len(tokens)-1], m})
		}
	}
	return all
}()
