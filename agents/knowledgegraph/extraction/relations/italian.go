package relations

import "github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"

//nolint:misspell // Italian
var italian = language{
	classes: map[string]string{
		"anche":   "anche ora adesso ancora attualmente sempre oggi",
		"per":     "per presso da alla all' nella nell' dalla dall' con",
		"di":      "di del della dell' dello dei presso",
		"da":      "da dal dalla dall' dallo dai dalle",
		"titolo":  "direttore direttrice titolare amministratore amministratrice socio socia dipendente commercialista responsabile fondatore fondatrice presidente impiegato impiegata avvocato manager segretaria segretario proprietario proprietaria",
		"grado":   "il la l' un una generale commerciale delegato delegata unico finanziario vendite amministrativo",
		"avere":   "ottenere avere aprire richiedere rinnovare fare registrare chiedere costituire",
		"mi":      "ti vi le ci mi gli si",
		"serve":   "serve servono occorre occorrono vuole vogliono richiede richiedono necessita necessitano",
		"bisogna": "bisogna deve devi dovete deve",
		"portare": "avere presentare portare fornire consegnare mandare inviare allegare pagare solo anche almeno",
		"regola":  "regolato regolata regolati regolate disciplinato disciplinata disciplinati disciplinate previsto prevista previsti previste normato normata",
		"sede":    "situata situato basata basato ubicata ubicato registrata registrato",
		"a":       "a in ad nel nella nell' sull'",
	},
	patterns: []pattern{
		{extraction.WorksFor, .95, "! x ?, ?che *@anche lavora *@per Y", nil},
		{extraction.WorksFor, .95, "! X *@anche lavorano @per y", nil},
		{extraction.WorksFor, .9, "! x ?, è *@grado @titolo *@grado *@di y", nil},
		{extraction.WorksFor, .9, "x , *@grado @titolo *@grado @di y", nil},
		{extraction.WorksFor, .85, "@titolo *@grado @di y ?, ?è x", nil},
		{extraction.WorksFor, .9, "sono|chiamo|è x ?, ?. ?e ?io *@anche lavoro @per|in y", nil},
		{extraction.WorksFor, .85, "sono|chiamo x ?, ?. ?e ?io ?sono *@grado @titolo *@grado @di y", nil},
		{extraction.WorksFor, .8, "sono|chiamo x ?, ?. ?e ?io ?sono di|della|del|dell' y", nil},
		{extraction.WorksFor, .65, "x della|dell'|del y", nil},

		{extraction.LocatedIn, .95, "! X ?, è|sono|si *@anche @sede|trova|trovano @a y", nil},
		{extraction.LocatedIn, .9, "X ?, ?che @sede @a y", nil},
		{extraction.LocatedIn, .95, "! x ?, ?che ?ha|con *la|una sede|ufficio|uffici|filiale @a y", firm},
		{extraction.LocatedIn, .95, "! x ?, ?che *@anche vive|abita|risiede @a y", person},
		{extraction.LocatedIn, .9, "! X *@anche vivono|abitano|risiedono @a y", person},
		{extraction.LocatedIn, .8, "! x è @a y", placed},
		{extraction.LocatedIn, .9, "sono|chiamo x ?, ?. ?e ?io *@anche vivo|abito|risiedo @a y", person},

		{extraction.GovernedBy, .95, "X ?, è|sono *@anche @regola @da|nella|nel|in Y", nil},
		{extraction.GovernedBy, .9, "X , @regola @da Y", nil},
		{extraction.GovernedBy, .95, "! Y *@anche regola|regolano|disciplina|disciplinano X", nil},
		{extraction.GovernedBy, .9, "X ?, è|sono *@anche soggetto|soggetta|soggetti|soggette a|al|alla|all' Y", nil},
		{extraction.GovernedBy, .7, "X ai sensi di|del|della|dell' y", nil},
		{extraction.GovernedBy, .85, "X *@anche rientra nel|nella|nell' Y", nil},

		{extraction.Requires, .95, "X *@anche richiede|richiedono|necessita|necessitano ?di ?anche Y", nil},
		{extraction.Requires, .95, "per *@avere X ?, *@mi *@anche @serve *@portare Y", nil},
		{extraction.Requires, .95, "per *@avere X ?, è|sono *@anche necessario|necessaria|necessari|necessarie|obbligatorio|obbligatoria *@portare Y", nil},
		{extraction.Requires, .9, "per *@avere X ?, @bisogna *@portare Y", nil},
		{extraction.Requires, .9, "serve|servono|occorre|occorrono *@portare Y per *@avere x", nil},
		{extraction.Requires, .9, "Y *@anche serve|servono|occorre|occorrono per *@avere X", nil},
		{extraction.Requires, .95, "Y è|sono *@anche necessario|necessaria|necessari|necessarie|obbligatorio|obbligatoria|richiesto|richiesta|richiesti|richieste per *@avere X", nil},
		{extraction.Requires, .9, "documenti|requisiti|documento|requisito ?necessari|richiesti per *@avere X ?sono|è ?: Y", nil},
		{extraction.Requires, .85, "! X costa|costano ?circa|solo y", nil},

		{extraction.ConflictsWith, .95, "! X è|sono in conflitto|contrasto con Y", nil},
		{extraction.ConflictsWith, .95, "! X contraddice|contraddicono Y", nil},
		{extraction.ConflictsWith, .95, "X è|sono incompatibile|incompatibili con Y", nil},
		{extraction.ConflictsWith, .9, "X non è|sono compatibile|compatibili|consentito|consentita|consentiti|ammesso|ammessa|permesso|permessa con|da|dal|dalla|dall' Y", nil},
		{extraction.ConflictsWith, .85, "! X viola|violano Y", nil},
		{extraction.ConflictsWith, .9, "X è|sono vietato|vietata|vietati|vietate|proibito|proibita @da Y", nil},
		{extraction.ConflictsWith, .9, "! Y vieta|vietano|proibisce X", nil},

		{extraction.ExampleOf, .8, "y ?, quali|come X", nil},
		{extraction.ExampleOf, .85, "y ?, ?( per|ad esempio ?, X", nil},
		{extraction.ExampleOf, .95, "! X è|sono un|uno|dei tipo|esempio|genere|forma|tipi di y", nil},
		{extraction.ExampleOf, .9, "X e altri|altre y", nil},

		{extraction.ClientOf, .95, "! X è|sono *@anche ?un|una cliente|clienti @di Y", nil},
		{extraction.ClientOf, .9, "x , ?un|una cliente @di y", nil},
		{extraction.ClientOf, .85, "cliente @di y ?, ?è x", nil},

		{extraction.RelatesTo, .8, "! X riguarda|riguardano Y", nil},
		{extraction.RelatesTo, .85, "! X è|sono legato|legata|collegato|collegata|connesso|connessa|correlato a|al|alla|all'|con Y", nil},
	},
}
