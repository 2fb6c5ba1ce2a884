package eval

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/agents/conversation"
)

// PlantedSet has words of known effect among words of none.
type PlantedSet struct {
	Conversations  int
	Noise, Planted int
	// OddsRatio is of the presence of a planted word in won conversations against
	// lost ones; every second one is the other way round.
	OddsRatio float64
	Seed      uint64
}

// DefaultPlanted is the set of the figures.
func DefaultPlanted(seed uint64) PlantedSet {
	return PlantedSet{Conversations: 1000, Noise: 400, Planted: 12, OddsRatio: 1.8, Seed: seed}
}

// IsPlanted says whether a word was planted.
func (p PlantedSet) IsPlanted(word string) bool { return strings.HasPrefix(word, "planted") }

// letters writes a number in letters, since numbers are no words.
func letters(n int) string {
	return string([]byte{byte('a' + n/676%26), byte('a' + n/26%26), byte('a' + n%26)})
}

var setStart = time.Date(2025, 1, 1, 9, 0, 0, 0, time.UTC)

// Draw makes the set. A word's presence is drawn for each conversation (noise in 5 to
// 50 % of them, what is planted in 25 to 50 %); a word that is there comes in a burst,
// once to eleven times. The words stand in random order in five turns.
func (p PlantedSet) Draw() Set {
	random := rand.New(rand.NewPCG(p.Seed, 0))
	part := make([]float64, p.Noise+p.Planted)
	for w := range part {
		if part[w] = .05 + .45*random.Float64(); w >= p.Noise {
			part[w] = .25 + .25*random.Float64()
		}
	}
	var set Set
	for i := range p.Conversations {
		won := random.IntN(2) == 0
		var words []string
		for w := range part {
			name, odds := "noise"+letters(w), part[w]/(1-part[w])
			if w >= p.Noise {
				name = "planted" + letters(w)
				if won == (w%2 == 0) {
					odds *= p.OddsRatio
				}
			}
			if random.Float64() >= odds/(1+odds) {
				continue
			}
			for n := 1 + int(random.ExpFloat64()*2)%11; n > 0; n-- {
				words = append(words, name)
			}
		}
		random.Shuffle(len(words), func(a, b int) { words[a], words[b] = words[b], words[a] })
		start := setStart.Add(time.Duration(i) * time.Minute)
		add(&set, conversation.Conversation{ID: fmt.Sprintf("c%06d", i), StartedAt: conversation.Micros(start), Won: won}, words)
	}
	return set
}

// add puts a conversation into the set, its words in five turns of the agent.
func add(set *Set, c conversation.Conversation, words []string) {
	const turns = 5
	for t := range turns {
		at := c.StartedAt + int64(t)*conversation.Micros(time.Unix(60, 0))
		set.Messages = append(set.Messages, conversation.Message{
			ID: fmt.Sprintf("%s-%d", c.ID, t), ConversationID: c.ID, Role: conversation.Agent, SentAt: at,
			Body: strings.Join(words[t*len(words)/turns:(t+1)*len(words)/turns], " "),
		})
	}
	c.OutcomeAt = c.StartedAt + 3600e6
	set.Conversations = append(set.Conversations, c)
}

const simpsonWord = "simpson"

// Simpson is a set where conversations by mail win more often and say a word more
// often (80 % against 20 %), and within a channel the two have nothing to do with
// each other: in each fifty conversations, exactly so. The seed is of their order
// within fifty. hidden hides the channels.
func Simpson(seed uint64, hidden bool) Set {
	random := rand.New(rand.NewPCG(seed, 1))
	var set Set
	var cells []int
	for i := range 1000 {
		if i%50 == 0 {
			cells = random.Perm(50)
		}
		cell := cells[i%50]
		c := conversation.Conversation{ID: fmt.Sprintf("c%06d", i), Channel: "chat", StartedAt: conversation.Micros(setStart.Add(time.Duration(i) * time.Minute))}
		often := 1 // of five
		if cell >= 25 {
			c.Channel, often = "mail", 4
		}
		c.Won = cell%5 < often
		words := []string{"we", "are", "here"}
		if cell/5%5 < often {
			words = append(words, simpsonWord)
		}
		if hidden {
			c.Channel = ""
		}
		add(&set, c, words)
	}
	return set
}

func shuffle(won []bool, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 2))
	random.Shuffle(len(won), func(a, b int) { won[a], won[b] = won[b], won[a] })
}
