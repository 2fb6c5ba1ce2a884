package resolution

import (
	"math"
	"slices"
)

// crowd is how common names, contacts and employers are among the people there are,
// so that to share a rare one says more (the frequencies of Fellegi & Sunter 1969).
// It counts people, not records: somebody who is mentioned in a hundred conversations
// doesn't make the own name a common one.
type crowd struct {
	// people is how many there are, those that no record names included; unknown is how
	// many of them are no clients. All clients of a name are known to bear it, others not.
	people, unknown float64
	// words is how many people have a word in their names.
	words map[string]float64
	// namesakes is how many people bear a name, by its key.
	namesakes map[string]float64
	// users are names that use an e-mail address or phone, all of them different.
	users map[string][]*name
	// staff is how many names there are with an employer.
	staff map[string]float64
}

const (
	// mostUsers is how many names of a contact are told apart.
	mostUsers = 16
	// each is how many addresses, phones or employers one person has, rather many:
	// a name with more of them is of several people.
	each = 2
	// slip is how likely a word of one name looks like another one misspelt, initial
	// how likely it begins with a given letter.
	slip, initial = .01, .08
)

// namesake is what is known with one name.
type namesake struct {
	name                               *name
	clients, emails, phones, employers map[string]struct{}
}

func newCrowd(all []*person) *crowd {
	c := &crowd{people: unseen, unknown: unseen, words: map[string]float64{}, namesakes: map[string]float64{}, users: map[string][]*name{}, staff: map[string]float64{}}
	known := map[string]*namesake{}
	staff := map[string]map[string]struct{}{}
	for _, p := range all {
		if len(p.names) == 0 {
			continue
		}
		n := p.names[0]
		s := known[n.key]
		if s == nil {
			s = &namesake{name: n}
			known[n.key] = s
		}
		tally(&s.clients, p.clients)
		tally(&s.emails, p.emails)
		tally(&s.phones, p.phones)
		tally(&s.employers, p.employers)
		for _, contacts := range [2][]string{p.emails, p.phones} {
			for _, v := range contacts {
				c.use(v, n)
			}
		}
		for _, firms := range [2][]string{p.employers, p.domains} {
			for _, f := range firms {
				of := staff[f]
				tally(&of, []string{n.key})
				staff[f] = of
			}
		}
	}
	// Whole numbers are summed, whose order doesn't matter.
	for key, s := range known {
		several := max(len(s.clients), (max(len(s.emails), len(s.phones), len(s.employers))+each-1)/each)
		if several == 0 && s.name.full() {
			several = 1
		}
		c.namesakes[key] = float64(several)
		c.people += float64(several)
		c.unknown += float64(several - len(s.clients))
		for _, t := range slices.Compact(slices.Clone(s.name.tokens)) {
			c.words[t] += float64(several)
		}
	}
	for firm, names := range staff {
		c.staff[firm] = float64(len(names))
	}
	return c
}

// tally adds to a set that may not be there yet.
func tally(set *map[string]struct{}, values []string) {
	for _, v := range values {
		if *set == nil {
			*set = map[string]struct{}{}
		}
		(*set)[v] = struct{}{}
	}
}

func (c *crowd) use(contact string, n *name) {
	users := c.users[contact]
	if len(users) == mostUsers {
		return
	}
	for _, u := range users {
		if u.alike(n).level != nameDifferent {
			return
		}
	}
	c.users[contact] = append(users, n)
}

// leastBearers is how common the rarest name is: given names and families' aren't drawn
// apart, after all.
const leastBearers = 1e-7

// bearers is how likely two different people have names that are so alike: by their
// words, as if given names and families' were drawn apart, and by the others known to
// bear the very name. known is how many of the people counted the two may be: two
// clients that may be one don't make a name common. Of the unseen people each word has
// its share of a hundredth.
func (c *crowd) bearers(a alike, key string, known int) float64 {
	u := 1.
	for _, w := range a.common {
		u *= (max(c.words[w]-float64(known-1), 0) + .01*unseen) / c.people
	}
	switch a.level {
	case nameClose:
		u *= math.Pow(slip, float64(a.nearly))
	case nameInitials:
		u *= math.Pow(initial, float64(a.nearly))
	case nameEqual:
		u = (u*c.unknown + max(c.namesakes[key]-float64(known), 0)) / c.people
	}
	return min(max(u, leastBearers), 1)
}

// holders is how likely two different people share the rarest of the contacts that
// both have, u how likely they share any.
func (c *crowd) holders(a, b []string, u float64) float64 {
	fewest := mostUsers
	for _, v := range a {
		if _, ok := slices.BinarySearch(b, v); ok {
			fewest = min(fewest, len(c.users[v]))
		}
	}
	return max(u, leastShared) + float64(max(fewest-1, 0))/c.people
}

// colleagues is how likely two different people have an employer in common, this one.
func (c *crowd) colleagues(firm string) float64 { return min((c.staff[firm]+1)/c.people, 1) }
