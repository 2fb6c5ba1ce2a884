package demo

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Planted is a sentence of the agent's that has to do with winning, as the truth
// has it: it multiplies the odds. The other sentences have nothing to do with it.
type Planted struct {
	Sentence string
	// Presence is the part of conversations that have it, Odds what it multiplies.
	Presence, Odds float64
}

// PlantedSentences are the demo's truth about conversations.
var PlantedSentences = []Planted{
	{"Would Tuesday or Thursday suit you for a short call?", .35, 2.6},
	{"I can prepare the documents for you today.", .3, 2},
	{"Unfortunately that is not how it works.", .3, .45},
}

const (
	demoConversations = 1200
	// baseWon is the chance of winning without any planted sentence.
	baseWon = .4
	// sentencesATurn are those of no consequence.
	sentencesATurn = 2
)

var (
	// Of no consequence, whoever says them.
	agentSentences = []string{
		"Thank you for your message.", "The office is open from nine to five.", "We have handled many cases like yours.", "The ministry changed the form this year.",
		"You will need a copy of your passport.", "The process takes about six weeks.", "Our colleague in Denpasar knows the file.", "Please send us a scan when you can.",
		"The fee covers the notary as well.", "That depends on the kind of permit.", "I will ask our lawyer and come back to you.", "The lease must be registered first.",
		"There is a queue at immigration at the moment.", "We can meet online or at the office.", "The tax number comes after the company.", "I have noted your question.",
		"The photographs must have a red background.", "A sponsor letter is part of the file.", "The extension can be asked for from here.", "We keep you informed at each step.",
	}
	clientSentences = []string{
		"Hello, I need help with my permit.", "How long does it take?", "What do I have to send?", "Can my wife be on the same application?", "I am in Canggu at the moment.",
		"My visa ends next month.", "Is it possible to do it from abroad?", "I would like to open a company.", "A friend recommended you.", "What does the lease need?",
	}
	demoPrompt = "You answer the questions of clients of a consultancy in Bali.\n\n" +
		"## Manner\nBe brief, correct and friendly. Answer in the client's language.\n\n" +
		"## Safety\nNever promise an outcome of an authority. Never ask for passwords or card numbers. Hand over to a person when asked.\n"
)

type conversation struct {
	id, client, channel, segment string // without client, nobody knows whose it is
	started, ended               time.Time
	won, open                    bool
	rating                       int // 0 is none
	messages                     []said
}

type said struct {
	role, body string
	at         time.Time
}

// talk draws the conversations of the firm's last year. Their randomness is their
// own, so that they change nothing of the payments.
func (f firm) talk(seed uint64, today time.Time) []conversation {
	rng := rand.New(rand.NewPCG(seed, 0x74616c6b))
	end := today.UTC().Truncate(24 * time.Hour)
	pick := func(from []string) string { return from[rng.IntN(len(from))] }
	all := make([]conversation, demoConversations)
	for i := range all {
		c := f.clients[rng.IntN(len(f.clients))]
		talk := conversation{
			id: fmt.Sprintf("T-%05d", i+1), client: c.id, channel: pick([]string{"whatsapp", "whatsapp", "email", "web"}), segment: pick([]string{"visa", "company", "property"}),
			started: end.Add(-time.Duration(rng.Float64() * 360 * 24 * float64(time.Hour))),
		}
		odds := baseWon / (1 - baseWon)
		planted := map[int][]string{}
		turns := 2 + rng.IntN(4)
		for _, p := range PlantedSentences {
			if rng.Float64() < p.Presence {
				odds *= p.Odds
				turn := rng.IntN(turns)
				planted[turn] = append(planted[turn], p.Sentence)
			}
		}
		at := talk.started
		for turn := range turns {
			talk.messages = append(talk.messages, said{"client", pick(clientSentences), at})
			at = at.Add(time.Duration(1+rng.IntN(90)) * time.Minute)
			sentences := planted[turn]
			for range sentencesATurn {
				sentences = append(sentences, pick(agentSentences))
			}
			if turn == 0 {
				given, _, _ := strings.Cut(c.name, " ")
				sentences = append([]string{"Hello " + given + ","}, sentences...)
			}
			talk.messages = append(talk.messages, said{"agent", strings.Join(sentences, " "), at})
			at = at.Add(time.Duration(1+rng.IntN(240)) * time.Minute)
		}
		talk.won = rng.Float64() < odds/(1+odds)
		if talk.won {
			// What follows from winning is no cause of it.
			talk.messages = append(talk.messages, said{"agent", "Welcome on board, we begin at once.", at.Add(time.Minute)})
		}
		talk.ended = at
		if rng.Float64() < .5 {
			stars := 3 + rng.NormFloat64()
			if talk.won {
				stars++
			}
			talk.rating = int(math.Round(min(5, max(1, stars))))
		}
		all[i] = talk
	}
	return all
}

// messageID is that of a conversation's n-th message, from 1.
func messageID(conversation string, n int) string { return fmt.Sprintf("%s-%02d", conversation, n) }

func insertConversations(ctx context.Context, tx pgx.Tx, all []conversation) error {
	_, err := tx.Exec(ctx, `INSERT INTO crm.prompts (name, version, body) VALUES ('assistant', 'v1', $1)`, demoPrompt)
	if err != nil {
		return err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"crm", "conversations"},
		[]string{"id", "client_id", "agent_version", "channel", "segment", "started_at", "ended_at", "outcome", "outcome_at"},
		pgx.CopyFromSlice(len(all), func(i int) ([]any, error) {
			c := all[i]
			outcome, at := "lost", &c.ended
			switch {
			case c.open:
				outcome, at = "open", nil
			case c.won:
				outcome = "won"
			}
			return []any{c.id, optional(c.client), "v1", c.channel, c.segment, c.started, c.ended, outcome, at}, nil
		}))
	if err != nil {
		return err
	}
	var messages, ratings [][]any
	for _, c := range all {
		for n, m := range c.messages {
			messages = append(messages, []any{messageID(c.id, n+1), c.id, m.role, m.body, m.at})
		}
		if c.rating > 0 {
			ratings = append(ratings, []any{c.id, int16(c.rating), c.ended})
		}
	}
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"crm", "messages"}, []string{"id", "conversation_id", "role", "body", "sent_at"}, pgx.CopyFromRows(messages)); err != nil {
		return err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"crm", "ratings"}, []string{"conversation_id", "rating", "rated_at"}, pgx.CopyFromRows(ratings))
	return err
}
