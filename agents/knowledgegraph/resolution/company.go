package resolution

import (
	"math"
	"slices"
	"strings"
)

// What one knows of companies before seeing data, by our own judgement: a firm knows
// too few of them to learn it from. m is how often two records of one company are so
// alike; others how many further companies look so to a record, of all that there are.
const (
	companyEqual, companyEqualOthers = .8, .008
	companyClose, companyCloseOthers = .08, .04
	companyContained                 = .08
	companyDifferent                 = .04
	// A company keeps to its domains and contacts, which others seldom share.
	companyShares, companyShared = .8, 1e-4
)

// Legal forms stand before a name, or behind it. Ways to write one, and forms that go
// together, are one; "co" goes with any.
var (
	formsBefore = strings.Fields("pt cv ud pd firma")
	formsBehind = map[string]string{
		"tbk": "pt", "terbuka": "pt", "persero": "pt", "pma": "pt", "ltd": "ltd", "limited": "ltd", "pte": "ltd", "pty": "ltd", "plc": "plc",
		"llc": "llc", "llp": "llp", "lp": "lp", "inc": "inc", "incorporated": "inc", "corp": "inc", "corporation": "inc", "co": "", "company": "",
		"gmbh": "gmbh", "ug": "gmbh", "ag": "ag", "kg": "kg", "ohg": "ohg", "sa": "sa", "sas": "sas", "sarl": "sarl", "srl": "srl", "srls": "srl",
		"snc": "snc", "spa": "spa", "sl": "sl", "slu": "sl", "bv": "bv", "nv": "nv", "oy": "oy", "ab": "ab", "as": "as", "aps": "aps", "asa": "asa",
		"sdn": "bhd", "bhd": "bhd", "kk": "kk", "doo": "doo", "sro": "sro",
	}
)

// companyName is a company's name without its legal forms. key has no blanks, so that
// it may be a domain's label.
type companyName struct {
	name  *name
	key   string
	forms []string
}

func newCompanyName(s string) companyName {
	words := Tokens(strings.NewReplacer(".", "", "&", " and ").Replace(s))
	var forms []string
	rest := words
	for len(rest) > 0 {
		if form, ok := formsBehind[rest[len(rest)-1]]; ok {
			forms, rest = insert(forms, form), rest[:len(rest)-1]
		} else if slices.Contains(formsBefore, rest[0]) {
			forms, rest = insert(forms, rest[0]), rest[1:]
		} else {
			break
		}
	}
	if len(rest) == 0 {
		rest, forms = words, nil
	}
	n := nameOf(rest)
	return companyName{n, n.run, forms}
}

// company is what all records of a cluster know together, in order.
type company struct {
	// names is by key.
	names    []companyName
	forms    []string
	domains  []string
	contacts []string
	clients  []string
}

func newCompany(r Record) *company {
	c := &company{}
	if n := newCompanyName(r.Name); n.key != "" {
		c.names, c.forms = []companyName{n}, slices.Clone(n.forms)
	}
	for _, e := range r.Emails {
		d, _ := mailDomain(e)
		c.domains = insert(c.domains, d)
	}
	for _, u := range r.URLs {
		d, _ := pageDomain(u)
		c.domains = insert(c.domains, d)
	}
	c.contacts = insert(ordered(r.Emails), r.Phones...)
	c.clients = ordered([]string{r.ClientID})
	return c
}

// clone is a copy to be united with others.
func (c *company) clone() *company {
	return &company{slices.Clip(c.names), slices.Clip(c.forms), slices.Clip(c.domains), slices.Clip(c.contacts), slices.Clip(c.clients)}
}

func (c *company) unite(o *company) {
	for _, n := range o.names {
		if at, there := slices.BinarySearchFunc(c.names, n, func(a, b companyName) int { return strings.Compare(a.key, b.key) }); !there {
			c.names = slices.Insert(slices.Clone(c.names), at, n)
		}
	}
	c.forms, c.domains = insert(c.forms, o.forms...), insert(c.domains, o.domains...)
	c.contacts, c.clients = insert(c.contacts, o.contacts...), insert(c.clients, o.clients...)
}

// alike is how the least alike two names are.
func (c *company) alike(o *company) (least alike) {
	least.level = Missing
	for _, n := range c.names[:min(len(c.names), mostNames)] {
		for _, q := range o.names[:min(len(o.names), mostNames)] {
			a := n.name.alike(q.name)
			switch {
			case n.key == q.key:
				a.level = nameEqual
			case a.level == nameInitials:
				a.level = nameDifferent // A of "A Kusuma" is no initial
			case a.level == nameSingle:
				a.level = nameContained
			}
			if a.level > least.level {
				least = a
			}
		}
	}
	return least
}

// companies is the evidence about companies.
type companies struct {
	clusters []*company
	// all is how many there are, those that no record names included; words is how many
	// have a word in their names, names how many names a domain or contact has.
	all   float64
	words map[string]float64
	names map[string]float64
}

func newCompanies(all []*company) *companies {
	e := &companies{clusters: all, words: map[string]float64{}, names: map[string]float64{}}
	known := map[string]struct{}{}
	of := map[string]map[string]struct{}{}
	for _, c := range all {
		for _, n := range c.names {
			for _, shared := range [2][]string{c.domains, c.contacts} {
				for _, v := range shared {
					names := of[v]
					tally(&names, []string{n.key})
					of[v] = names
				}
			}
			if _, there := known[n.key]; there {
				continue
			}
			known[n.key] = struct{}{}
			for _, w := range slices.Compact(slices.Clone(n.name.tokens)) {
				e.words[w]++
			}
		}
	}
	for v, names := range of {
		e.names[v] = float64(len(names))
	}
	e.all = float64(len(known)) + unseen
	return e
}

// The fields of companies.
const (
	companyNameField = iota
	companyDomain
	companyContact
	companyFields
)

func (e *companies) view(x, y int) (fields [companyFields + 1]Field) {
	c, o := e.clusters[x], e.clusters[y]
	a := c.alike(o)
	fields[companyNameField] = Field{Name: "name", Level: "missing"}
	if a.level != Missing {
		var bits float64
		switch a.level {
		case nameEqual:
			bits = math.Log2(companyEqual / companyEqualOthers * e.all)
		case nameClose:
			bits = math.Log2(companyClose / companyCloseOthers * e.all)
		case nameContained:
			u := 1.
			for _, w := range a.common {
				u *= (e.words[w] + .01*unseen) / e.all
			}
			bits = math.Log2(companyContained / u)
		default:
			bits = math.Log2(companyDifferent)
		}
		fields[companyNameField] = Field{"name", nameLevels[a.level].Name, bits}
	}
	for f, sets := range [2][2][]string{{c.domains, o.domains}, {c.contacts, o.contacts}} {
		field := Field{Name: [2]string{"domain", "contact"}[f]}
		switch sharing(sets[0], sets[1]) {
		case Missing:
			field.Level = "missing"
		case 0:
			field.Level, field.Bits = "equal", math.Log2(companyShares/(companyShared+e.others(sets[0], sets[1])))
		default:
			// Others differ nearly always.
			field.Level, field.Bits = "different", math.Log2(1-companyShares)
		}
		fields[companyDomain+f] = field
	}
	if fields[companyContact].Level == "equal" && fields[companyDomain].Level == "equal" {
		fields[companyContact].Bits = 0 // mostly the same addresses, said twice
	}
	prior := Field{"prior", "any two", -math.Log2(e.all)}
	if len(c.clients) > 0 && len(o.clients) > 0 {
		prior.Level, prior.Bits = "two clients", prior.Bits+math.Log2(2*entered)
	}
	fields[companyFields] = prior
	return fields
}

// others is the part of companies that share the rarest value of both.
func (e *companies) others(a, b []string) float64 {
	fewest := e.all
	for _, v := range a {
		if _, there := slices.BinarySearch(b, v); there {
			fewest = min(fewest, e.names[v])
		}
	}
	// Two names of a domain are ways to write one.
	return max(fewest-2, 0) / e.all
}

func (e *companies) weigh(x, y int) (bits float64) {
	for _, f := range e.view(x, y) {
		bits += f.Bits
	}
	return bits
}

func (e *companies) explain(x, y int) []Field {
	fields := e.view(x, y)
	return fields[:]
}

func (e *companies) unite(into, from int) {
	e.clusters[into].unite(e.clusters[from])
	e.clusters[from] = nil
}
