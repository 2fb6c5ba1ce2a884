package knowledgegraph

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

const (
	// A question is of messages of one conversation, so many and so many bytes; a
	// longer message is asked about alone, up to maxAsked.
	questionMessages = 12
	questionBytes    = 8 << 10
	maxAsked         = 16 << 10
	// planBytes bounds what is noted of all questions: a step's output is bounded.
	planBytes = 500_000
)

// questions are what an execution asks: a step's output, so that each attempt asks the
// same.
type questions struct {
	Parts []part `json:"parts"`
	// Long are messages that are too long to send, Waiting those left for later runs.
	Long    int `json:"long"`
	Waiting int `json:"waiting"`
}

// part is messages of one conversation that are asked about together, in the order in
// which they were sent.
type part struct {
	Messages []planned `json:"messages"`
	// Names are redacted where that is wanted; About are the clients.
	Names []string `json:"names,omitempty"`
	About []string `json:"about"`
}

type planned struct {
	ID string `json:"id"`
	// Print is of the text and of who says it.
	Print string `json:"print"`
}

func printOf(m message) string {
	sum := sha256.Sum256(slices.Concat(m.hash, []byte(m.Role)))
	return hex.EncodeToString(sum[:8])
}

// name is a part's, of what it is of: the same wherever it comes in a plan.
func (p part) name() string {
	keys := make([]string, 0, 2*len(p.Messages))
	for _, m := range p.Messages {
		keys = append(keys, m.ID, m.Print)
	}
	return named(keys)
}

// candidate is a message of the window that the model hasn't read.
type candidate struct {
	id, conversation string
	sentAt           time.Time
	size             int
}

// choose chooses what is asked: conversations with the newest messages first, their
// messages in the order in which they were sent.
func (b *building) choose(ctx context.Context, tx pgx.Tx) (questions, error) {
	all, err := readUnsaid(ctx, tx, b.from(), b.builder.Model.Engine())
	p := questions{Parts: []part{}}
	if err != nil {
		return p, err
	}
	var chosen [][]string
	var ids []string
	bytes := 0
	for _, c := range cut(all, &p.Long) {
		size := 0
		for _, id := range c {
			size += len(id) + len(`{"id":"","print":"0123456789abcdef"},`)
		}
		if len(chosen) == b.p.MaxCalls || bytes+size > planBytes {
			p.Waiting += len(c)
			continue
		}
		chosen, ids, bytes = append(chosen, c), append(ids, c...), bytes+size
	}
	messages, err := readMessages(ctx, tx, ids)
	if err != nil {
		return p, err
	}
	byID := map[string]message{}
	for _, m := range messages {
		byID[m.ID] = m
	}
	pipeline, err := extraction.NewPipeline(b.before()...)
	if err != nil {
		return p, err
	}
	for _, c := range chosen {
		one, whole, err := b.partOf(ctx, pipeline, c, byID)
		if err != nil {
			return p, err
		}
		for _, name := range one.Names {
			bytes += len(name) + len(`"",`)
		}
		if !whole || bytes > planBytes {
			p.Waiting += len(c)
			continue
		}
		p.Parts = append(p.Parts, one)
	}
	return p, nil
}

// cut cuts candidates, which come by conversations, into parts, of which those of the
// conversations with the newest messages come first.
func cut(all []candidate, long *int) [][]string {
	type conversation struct {
		id     string
		newest time.Time
		parts  [][]string
	}
	var conversations []*conversation
	var of *conversation
	size := 0
	for _, c := range all {
		if c.size > maxAsked {
			*long++
			continue
		}
		if of == nil || of.id != c.conversation {
			of, size = &conversation{id: c.conversation, parts: [][]string{nil}}, 0
			conversations = append(conversations, of)
		}
		last := len(of.parts) - 1
		if n := len(of.parts[last]); n > 0 && (n == questionMessages || size+c.size > questionBytes) {
			of.parts, size = append(of.parts, nil), 0
			last++
		}
		of.parts[last], of.newest, size = append(of.parts[last], c.id), c.sentAt, size+c.size
	}
	slices.SortStableFunc(conversations, func(a, b *conversation) int {
		return cmp.Or(b.newest.Compare(a.newest), strings.Compare(a.id, b.id))
	})
	var parts [][]string
	for _, c := range conversations {
		parts = append(parts, c.parts...)
	}
	return parts
}

// partOf notes what is asked about: of which texts, about which clients, and what is to
// be redacted, which is whoever the firm or the messages say is a person, and clients.
// It isn't whole where a message went meanwhile.
func (b *building) partOf(ctx context.Context, pipeline *extraction.Pipeline, ids []string, byID map[string]message) (p part, whole bool, err error) {
	p.About = []string{}
	for _, id := range ids {
		m, is := byID[id]
		if !is {
			return p, false, nil
		}
		p.Messages = append(p.Messages, planned{id, printOf(m)})
		if m.ClientID != "" {
			p.About = append(p.About, m.ClientID)
		}
		found, err := pipeline.Read(ctx, m.Message)
		if err != nil {
			return p, false, err
		}
		for _, n := range found.Mentions {
			if n.IsClient {
				p.About = append(p.About, n.FirmID)
			}
			if n.IsClient || n.Type == extraction.Person {
				p.Names = append(p.Names, m.Body[n.Start:n.End])
			}
		}
	}
	slices.Sort(p.About)
	p.About = slices.Compact(p.About)
	for _, c := range b.clients {
		if _, is := slices.BinarySearch(p.About, c.ID); is {
			p.Names = append(p.Names, c.Name)
		}
	}
	slices.Sort(p.Names)
	if p.Names = slices.Compact(p.Names); !b.builder.Model.Redact {
		p.Names = nil
	}
	return p, true, nil
}

// asPlanned reads a part's messages; nil where one of them isn't any more as it was
// planned, or a client was erased meanwhile.
func (b *building) asPlanned(ctx context.Context, p part) (messages []message, err error) {
	ids := make([]string, len(p.Messages))
	for i, m := range p.Messages {
		ids[i] = m.ID
	}
	byID, erased := map[string]message{}, false
	err = b.task.Read(ctx, func(tx pgx.Tx) error {
		all, err := readMessages(ctx, tx, ids)
		if err != nil {
			return err
		}
		clients := slices.Clone(p.About)
		for _, m := range all {
			byID[m.ID], clients = m, append(clients, m.ClientID)
		}
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ciclo.erasures WHERE client_id = ANY ($1))`, clients).Scan(&erased)
	})
	if err != nil {
		return nil, fmt.Errorf("read what is asked about: %w", err)
	}
	for _, planned := range p.Messages {
		m, is := byID[planned.ID]
		if erased || !is || printOf(m) != planned.Print {
			return nil, nil
		}
		messages = append(messages, m)
	}
	return messages, nil
}
