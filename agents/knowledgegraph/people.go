package knowledgegraph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
	"github.com/nuzantara/ciclo/internal/graph"
	"github.com/nuzantara/ciclo/internal/phone"
)

// Resettling is what a resolution came to.
type Resettling struct {
	graph.Resettled
	Records int   `json:"records"`
	Removed int64 `json:"records_removed"`
}

func (r *Resettling) add(o Resettling) {
	r.Merges, r.Splits, r.Removed = r.Merges+o.Merges, r.Splits+o.Splits, r.Removed+o.Removed
	r.Records, r.Reviews = o.Records, o.Reviews
}

// resolve finds out which records of people and companies are of one, as often as
// somebody decides something meanwhile.
func (b *building) resolve(ctx context.Context, round int) (Resettling, error) {
	for try := 1; ; try++ {
		b.task.Progress(4, phases, "finding out who is who")
		done, err := b.resolveOnce(ctx, fmt.Sprintf("%d.%d", round, try))
		if !errors.Is(err, graph.ErrRevised) {
			return done, err
		}
	}
}

// resolveOnce writes the firm's clients, looks at the records as they then are,
// computes without holding anything, and writes what came of it.
func (b *building) resolveOnce(ctx context.Context, try string) (Resettling, error) {
	removed, err := agents.StepTx(ctx, b.task, "write clients "+try, func(ctx context.Context, tx pgx.Tx) (int64, error) {
		if _, err := graph.Lock(ctx, tx); err != nil {
			return 0, err
		}
		if err := graph.WriteClients(ctx, tx, clientRecords(b.clients)); err != nil {
			return 0, err
		}
		return graph.Collect(ctx, tx)
	})
	if err != nil {
		return Resettling{}, err
	}
	// Computed before the step, whose transaction others wait for.
	r, revision, err := b.resolution(ctx)
	if err != nil {
		return Resettling{}, err
	}
	return agents.StepTx(ctx, b.task, "resolve "+try, func(ctx context.Context, tx pgx.Tx) (done Resettling, err error) {
		done.Removed = removed
		for _, cluster := range r.Clusters {
			done.Records += len(cluster)
		}
		if done.Resettled, err = graph.WriteResolution(ctx, tx, revision, b.task.ExecutionID, r); err != nil {
			return done, err
		}
		return done, graph.NoteChanged(ctx, tx, b.p.InitSchema)
	})
}

// resolution is what resolution makes of the records and decisions as they are, and
// the graph's revision then.
func (b *building) resolution(ctx context.Context) (r graph.Resolution, revision int64, err error) {
	var stored []graph.Stored
	var decided []graph.Decision
	err = b.task.Read(ctx, func(tx pgx.Tx) (err error) {
		if revision, err = graph.Revision(ctx, tx); err != nil {
			return err
		}
		if decided, err = graph.Decisions(ctx, tx); err != nil {
			return err
		}
		stored, err = graph.Resolvable(ctx, tx)
		return err
	})
	if err != nil {
		return r, 0, err
	}
	clients := map[string]client{}
	for _, c := range b.clients {
		clients[c.ID] = c
	}
	byID := make(map[string]graph.Stored, len(stored))
	records := make([]resolution.Record, len(stored))
	for i, s := range stored {
		byID[s.ID], records[i] = s, b.resolvable(s, clients[s.ClientID])
	}
	decisions := make([]resolution.Decision, len(decided))
	for i, d := range decided {
		decisions[i] = resolution.Decision(d)
	}
	found, err := resolution.Resolve(ctx, records, decisions)
	if err != nil {
		return r, 0, fmt.Errorf("resolve people and companies: %w", err)
	}
	for _, cluster := range found.Clusters {
		group := make([]graph.Stored, len(cluster))
		for i, id := range cluster {
			group[i] = byID[id]
		}
		r.Clusters = append(r.Clusters, group)
	}
	if r.Joined, err = links(found.Joined); err != nil {
		return r, 0, err
	}
	r.Reviews, err = links(found.Reviews)
	return r, revision, err
}

// resolvable is a stored record as resolution compares it. A client's own table says
// more of them than their messages.
func (b *building) resolvable(s graph.Stored, c client) resolution.Record {
	r := resolution.Record{ID: s.ID, Type: s.Type, Name: s.Name, ClientID: s.ClientID, Emails: s.Emails, Phones: s.Phones, URLs: s.URLs, Employers: s.Employers}
	if conversation, is := strings.CutPrefix(s.Scope, graph.ConversationScope("")); is {
		r.Conversation = conversation
	}
	if email := strings.ToLower(strings.TrimSpace(c.Email)); email != "" {
		r.Emails = append(r.Emails, email)
	}
	for _, number := range []string{c.Phone, c.WhatsApp} {
		if e164, err := phone.E164(number, b.region); err == nil { // what is no number tells nothing
			r.Phones = append(r.Phones, e164)
		}
	}
	return r
}

func links(pairs []resolution.Pair) ([]graph.Link, error) {
	all := make([]graph.Link, len(pairs))
	for i, p := range pairs {
		fields, err := json.Marshal(p.Fields)
		if err != nil {
			return nil, fmt.Errorf("write the fields of %s and %s: %w", p.A, p.B, err)
		}
		all[i] = graph.Link{A: p.A, B: p.B, Probability: p.Probability, Fields: fields}
	}
	return all, nil
}

func clientRecords(clients []client) []graph.Record {
	all := make([]graph.Record, len(clients))
	for i, c := range clients {
		all[i] = clientRecord(c)
	}
	return all
}
