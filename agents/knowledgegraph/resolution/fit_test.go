package resolution

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestContactsTellOfNames has a pair without contacts, beside others of one name whose
// contacts say that they are one, or that they are not.
func TestContactsTellOfNames(t *testing.T) {
	t.Parallel()
	likely := func(oneAddress bool) float64 {
		records := []Record{spoken("a", "Anna Ruiz", "1"), spoken("b", "Anna Ruiz", "2")}
		for i := range 40 {
			for k := range 2 {
				r := spoken(fmt.Sprintf("m%d-%d", i, k), fmt.Sprintf("Given%c Family%c", 'a'+i%5, 'a'+i/5), fmt.Sprint("c", i, k))
				address := fmt.Sprintf("m%d", i)
				if !oneAddress {
					address += fmt.Sprint("-", k)
				}
				records = append(records, r.mail(address+"@gmail.com"))
			}
		}
		slices.SortFunc(records, func(a, b Record) int { return strings.Compare(a.ID, b.ID) })
		all, _, err := meet(t.Context(), records)
		if err != nil {
			t.Fatal(err)
		}
		at := map[string]int{}
		for i, r := range records {
			at[r.ID] = i
		}
		return probability(all.weigh(at["a"], at["b"]))
	}
	if one, two := likely(true), likely(false); one < two+.05 {
		t.Errorf("%.3f where people of one name have one address, %.3f where they have two", one, two)
	}
}

// TestWhoIsCommon counts people, not mentions.
func TestWhoIsCommon(t *testing.T) {
	t.Parallel()
	var all []*person
	add := func(r Record) { all = append(all, newPerson(r, newName(r.Name))) }
	for i := range 50 {
		add(spoken(fmt.Sprint("a", i), "Putu Wirawan", fmt.Sprint(i)).client("C-1").mail("putu@kusuma.co.id"))
		add(spoken(fmt.Sprint("b", i), "Anna Ruiz", fmt.Sprint(i)).client(fmt.Sprint("D-", i)).mail("info@bali.com"))
		add(spoken(fmt.Sprint("c", i), fmt.Sprintf("Xa%c Ya%c", 'a'+i%25, 'a'+i/25), fmt.Sprint(i)).mail("info@bali.com"))
	}
	c := newCrowd(all)
	if c.namesakes["putu wirawan"] != 1 || c.namesakes["anna ruiz"] != 50 {
		t.Errorf("%v bear the first name, %v the second; want 1 and 50", c.namesakes["putu wirawan"], c.namesakes["anna ruiz"])
	}
	if want := 50. + 1 + 50 + unseen; c.people != want || c.unknown != 50+unseen {
		t.Errorf("%v people, %v of them no clients; want %v and %v", c.people, c.unknown, want, 50+unseen)
	}
	if len(c.users["putu@kusuma.co.id"]) != 1 || len(c.users["info@bali.com"]) != mostUsers {
		t.Errorf("%d use the first address, %d the second; want 1 and %d", len(c.users["putu@kusuma.co.id"]), len(c.users["info@bali.com"]), mostUsers)
	}
	rare := c.bearers(newName("Putu Wirawan").alike(newName("Putu Wirawan")), "putu wirawan", 1)
	common := c.bearers(newName("Anna Ruiz").alike(newName("Anna Ruiz")), "anna ruiz", 1)
	if rare*100 > common {
		t.Errorf("a name of one is shared with %g, of fifty with %g", rare, common)
	}
}
