package extraction

import (
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// In 20,932 sentences that people wrote to each other there are few contacts, and
// all that were found were looked at: 3 telephone numbers and an e-mail address, all
// true, and 10 sites, of which two are names of the charity with .com behind. There
// are no laws. Two people are introduced, one of them three times; that is all, and
// right.
func TestChatHoldsFewContactsAndNoLaws(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("CICLO_DATA_SETS")
	if folder == "" {
		folder = "../../../../shared/data"
	}
	file, err := os.Open(filepath.Join(folder, "persuasionforgood", "dialog.csv"))
	if err != nil {
		t.Skipf("PersuasionForGood is not here (CICLO_DATA_SETS names its folder): %v", err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	unit := slices.Index(rows[0], "Unit")
	p, err := NewPipeline(newExact(t, "US"), Addresses{}, Introductions{}, Contacts{})
	if err != nil {
		t.Fatal(err)
	}
	contacts := map[ContactKind]int{}
	mentions := map[Type]int{}
	for _, row := range rows[1:] {
		found, err := p.Read(context.Background(), Message{ID: "m", Body: row[unit], SentAt: wednesday})
		if err != nil {
			t.Fatal(err)
		}
		checkPlaces(t, row[unit], found)
		for _, c := range found.Contacts {
			contacts[c.Kind]++
		}
		for _, m := range found.Mentions {
			mentions[m.Type]++
		}
	}
	t.Logf("contacts %v, mentions %v", contacts, mentions)
	if contacts[Email] != 1 || contacts[Phone] != 3 || contacts[URL] != 10 || mentions[Law] != 0 || mentions[Person] != 4 {
		t.Errorf("contacts %v, mentions %v", contacts, mentions)
	}
}
