package extraction

import "testing"

func TestAddressesSpellPeople(t *testing.T) {
	t.Parallel()
	g := newGazetteer(t, FirmName{Company, "n1", "Bumi Jaya", false}, FirmName{Person, "c1", "Anna Ruiz", true})
	for body, want := range map[string]string{
		"Rafael Moreau: rafael.moreau.90@example.org":                      "Rafael Moreau",
		"Rafael Moreau works. Write to Rafael Moreau, rafael_moreau@x.org": "Rafael Moreau; Rafael Moreau",
		"moreau-rafael@x.org is of Rafael Moreau":                          "Rafael Moreau",
		"Moreau Rafael, rafael.moreau@x.org":                               "Moreau Rafael",
		"Sven van den Berg <s.vandenberg@x.org>":                           "Sven van den Berg",
		"Sven van den Berg <sven.van.den.berg.3@x.org>":                    "Sven van den Berg",
		"Sven van den Berg <sven.berg@x.org>":                              "Sven van den Berg",
		"José Dlamini at jos.dlamini@x.org":                                "José Dlamini",
		"Jose\u0301 Dlamini at jos.dlamini@x.org or jose.dlamini@x.org":    "Jose\u0301 Dlamini",
		"Søren Björklund, sren.bjrklund.7@x.org":                           "Søren Björklund",
		"Søren Björklund, soeren.bjoerklund@x.org":                         "Søren Björklund",
		"Søren Björklund, soren.bjorklund@x.org":                           "Søren Björklund",
		"Øyvind Åberg, yvind.berg@x.org":                                   "Øyvind Åberg",
		"Siobhan O'Connor, siobhan.oconnor@x.org":                          "Siobhan O'Connor",
		"Siobhan O’Connor’s address is siobhan.o.connor@x.org":             "Siobhan O’Connor",
		"Jean-Pierre Martin: jean-pierre.martin@x.org":                     "Jean-Pierre Martin",
		"Ask Rafael Silva Moreau (rafael.moreau@x.org)":                    "Rafael Silva Moreau",
		"Rafael Silva Moreau, rafaelsmoreau@x.org":                         "Rafael Silva Moreau",
		"J. Moreau, j.moreau@x.org":                                        "J. Moreau",
		"Contact Rafael Moreau at rafaelmoreau@x.org":                      "Rafael Moreau",
		"Will Smith is will.smith@x.org":                                   "Will Smith",
		"Can Rafael Moreau MBA come? rafael.moreau@x.org":                  "Rafael Moreau",
		"EMAIL RAFAEL MOREAU: RAFAEL.MOREAU@X.ORG":                         "RAFAEL MOREAU",
		"Dear Rafael Moreau\nrafael.moreau@x.org":                          "Rafael Moreau",
		// None.
		"rafael moreau, rafael.moreau@x.org":                    "",
		"Rafael, moreau, rafael.moreau@x.org":                   "",
		"Rafael and Moreau, rafael.moreau@x.org":                "",
		"Rafael. Moreau rafael.moreau@x.org":                    "",
		"Rafael\nMoreau rafael.moreau@x.org":                    "",
		"Rafael Moreau, rafael@x.org":                           "",
		"Rafael Moreau, moreau@x.org, rafael.m@x.org":           "",
		"Rafael Moreau, rmoreau@x.org":                          "",
		"Rafael Moreau, rafael.moreaux@x.org":                   "",
		"Rafael Moreau Silva, rafael.moreau@x.org":              "",
		"we met Juan Rafael Moreau, rafael.moreau@x.org":        "",
		"PT Sinar Mas, sinar.mas@x.org":                         "",
		"Sinar Mas Ltd, sinar.mas@x.org":                        "",
		"Sinar Mas, sinar.mas@sinarmas.co.id":                   "",
		"Bumi Jaya <bumi.jaya@x.org>":                           "",
		"Bumi Jaya Permai <jaya.permai@x.org>":                  "",
		"Customer Care: customer.care@x.org":                    "",
		"Sales Bali info Bali sales.bali@x.org info.bali@x.org": "",
		"Bali Villas balivillas@x.org":                          "",
		"Kind Regards kind.regards@x.org":                       "",
		"Ask Ruiz, a.ruiz@x.org":                                "",
		"Anna Ruiz, anna.ruiz@x.org":                            "", // the firm's own
		"Rafael Moreau, https://x.org/rafael.moreau":            "",
		"12.34@x.org 12 34":                                     "",
	} {
		if got := peopleFound(t, body, newExact(t, "ID"), g, Addresses{}); got != want {
			t.Errorf("%q: found %q, want %q", body, got, want)
		}
	}
}
