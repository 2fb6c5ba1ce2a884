package conversation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
)

// window is the conversations that a run looks at, by when they began.
type window struct{ from, to time.Time }

const day = 24 * time.Hour

// notErased leaves out conversations of erased clients.
const notErased = `coalesce(client_id::text, '') NOT IN (SELECT client_id FROM ciclo.erasures)`

// readWindow finds the window; the day of the last conversation is the database's to
// say.
func readWindow(ctx context.Context, tx pgx.Tx, p parameters, accepted time.Time) (window, error) {
	last := accepted
	switch {
	case p.AsOf != nil && *p.AsOf == "last_conversation":
		var latest *time.Time
		err := tx.QueryRow(ctx, `
			SELECT max(started_at) FROM source.conversations
			WHERE outcome IN ('won', 'lost') AND started_at > '-infinity' AND started_at < 'infinity' AND `+notErased).Scan(&latest)
		if err != nil {
			return window{}, fmt.Errorf("read the last conversation: %w", err)
		}
		if latest == nil {
			return window{}, agents.Permanent(errors.New("no conversation was won or lost: import some first"))
		}
		last = *latest
	case p.AsOf != nil:
		parsed, err := time.Parse(time.DateOnly, *p.AsOf)
		if err != nil {
			return window{}, agents.Permanent(fmt.Errorf("as_of: %w", err))
		}
		last = parsed
	}
	to := last.UTC().Truncate(day).Add(day)
	return window{to.AddDate(0, 0, -p.DaysBack), to}, nil
}

// Reasons why conversations and messages are left out.
const (
	isOpen         = "open"
	withoutOutcome = "without an outcome"
	withoutTime    = "without the time of the outcome"
	beforeStart    = "won or lost before it began"
	withoutID      = "without an id"
	contradicting  = "rows of one id that contradict each other"
	silent         = "not a word of the agent before the outcome"

	afterOutcome        = "said when it was won or lost, or later"
	withoutSentAt       = "without a time"
	withoutConversation = "of no conversation"
	ofLeftOut           = "of conversations that are left out"
	repeated            = "rows of a message that was there already"
)

// source is what a run reads.
type source struct {
	window       window
	conversation int // rows of won, lost and open conversations in the window, each id once
	leftOut      map[string]int
	messages     int
	messagesOut  map[string]int
	corpus       *Corpus
}

// readSource reads the window's conversations and the agent's turns in them. What a
// client wrote stays in the database: of a client's messages the times alone are read.
func readSource(ctx context.Context, tx pgx.Tx, p parameters, accepted time.Time, progress func(messages int)) (*source, error) {
	w, err := readWindow(ctx, tx, p, accepted)
	if err != nil {
		return nil, err
	}
	s := &source{window: w, leftOut: map[string]int{}, messagesOut: map[string]int{}}
	conversations, err := s.readConversations(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("read source.conversations: %w", err)
	}
	collector, err := NewCollector(conversations)
	if err != nil {
		return nil, err
	}
	err = s.readMessages(ctx, tx, collector, progress)
	collector.Close()
	switch {
	case errors.Is(err, ErrTooMuch):
		return nil, agents.Permanent(err)
	case err != nil:
		return nil, fmt.Errorf("read source.messages: %w", err)
	}
	s.corpus = collector.Corpus()
	leave(s.leftOut, silent, s.corpus.LeftOut)
	leave(s.messagesOut, afterOutcome, s.corpus.Late)
	leave(s.messagesOut, ofLeftOut, s.corpus.Astray)
	leave(s.messagesOut, repeated, s.corpus.Repeated)
	var astray int
	err = tx.QueryRow(ctx, `
		SELECT count(*) FROM source.messages m
		WHERE m.sent_at >= $1 AND m.sent_at < $2 AND NOT EXISTS (SELECT FROM source.conversations c WHERE c.id = m.conversation_id)`,
		w.from, w.to).Scan(&astray)
	if err != nil {
		return nil, fmt.Errorf("count messages of no conversation: %w", err)
	}
	leave(s.messagesOut, withoutConversation, astray)
	return s, nil
}

func leave(out map[string]int, reason string, n int) {
	if n > 0 {
		out[reason] += n
	}
}

// readConversations returns those that were won or lost and can be looked at. A
// firm's view may give a row twice: it counts once, unless the two contradict.
func (s *source) readConversations(ctx context.Context, tx pgx.Tx) ([]Conversation, error) {
	rows, err := tx.Query(ctx, `
		SELECT coalesce(id::text, ''), coalesce(channel::text, ''), coalesce(segment::text, ''), extract(epoch FROM started_at)::float8,
		       coalesce(outcome::text, ''), extract(epoch FROM outcome_at)::float8
		FROM source.conversations WHERE started_at >= $1 AND started_at < $2 AND `+notErased, s.window.from, s.window.to)
	if err != nil {
		return nil, err
	}
	type row struct {
		Conversation
		outcome string
		timed   bool
	}
	byID := map[string]row{}
	contradict := map[string]bool{}
	var started float64
	var outcomeAt *float64
	var r row
	_, err = pgx.ForEachRow(rows, []any{&r.ID, &r.Channel, &r.Segment, &started, &r.outcome, &outcomeAt}, func() error {
		r.StartedAt, r.OutcomeAt, r.timed = micros(started), 0, outcomeAt != nil && !math.IsInf(*outcomeAt, 0)
		if r.timed {
			r.OutcomeAt = micros(*outcomeAt)
		}
		r.Won = r.outcome == "won"
		if r.ID == "" {
			s.leftOut[withoutID]++
			return nil
		}
		if before, known := byID[r.ID]; known && before != r {
			contradict[r.ID] = true
		}
		byID[r.ID] = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.conversation = len(byID) + s.leftOut[withoutID]
	var kept []Conversation
	for id, r := range byID {
		switch {
		case contradict[id]:
			s.leftOut[contradicting]++
		case r.outcome == "open":
			s.leftOut[isOpen]++
		case r.outcome != "won" && r.outcome != "lost":
			s.leftOut[withoutOutcome]++
		case !r.timed:
			s.leftOut[withoutTime]++
		case r.OutcomeAt < r.StartedAt:
			s.leftOut[beforeStart]++
		default:
			kept = append(kept, r.Conversation)
		}
	}
	return kept, nil
}

// progressEvery is after how many messages a run says how far it is.
const progressEvery = 20_000

func (s *source) readMessages(ctx context.Context, tx pgx.Tx, c *Collector, progress func(messages int)) error {
	rows, err := tx.Query(ctx, `
		SELECT coalesce(m.id::text, ''), m.conversation_id::text, m.role = 'agent', extract(epoch FROM m.sent_at)::float8,
		       CASE WHEN m.role = 'agent' THEN coalesce(left(m.body, $3), '') ELSE '' END
		FROM source.messages m
		WHERE m.role IN ('agent', 'client') AND m.conversation_id IN (
			SELECT id FROM source.conversations WHERE started_at >= $1 AND started_at < $2 AND outcome IN ('won', 'lost') AND `+notErased+`)`,
		s.window.from, s.window.to, MaxBody+1)
	if err != nil {
		return err
	}
	var m Message
	var byAgent bool
	var sentAt *float64
	_, err = pgx.ForEachRow(rows, []any{&m.ID, &m.ConversationID, &byAgent, &sentAt, &m.Body}, func() error {
		if s.messages++; s.messages%progressEvery == 0 {
			progress(s.messages)
		}
		if sentAt == nil || math.IsInf(*sentAt, 0) {
			s.messagesOut[withoutSentAt]++
			return nil
		}
		m.SentAt, m.Role = micros(*sentAt), Client
		if byAgent {
			m.Role = Agent
		}
		return c.Add(m)
	})
	return err
}

// micros are microseconds of seconds: Postgres keeps no finer time.
func micros(seconds float64) int64 { return int64(math.Round(seconds * 1e6)) }

// promptVersions are the versions of the prompt that a run is about.
type promptVersions struct {
	Name     string   `json:"name"`
	Versions []string `json:"versions"`
}

// readPrompt finds the prompt by its name, or the only one there is; nil where there
// are none, or several and none is named.
func readPrompt(ctx context.Context, tx pgx.Tx, name *string) (*promptVersions, error) {
	rows, err := tx.Query(ctx, `
		SELECT name, array_agg(version::text ORDER BY version) FROM source.prompts
		WHERE $1::text IS NULL OR name = $1 GROUP BY name ORDER BY name LIMIT 2`, name)
	if err != nil {
		return nil, fmt.Errorf("read source.prompts: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[promptVersions])
	switch {
	case err != nil:
		return nil, fmt.Errorf("read source.prompts: %w", err)
	case name != nil && len(found) == 0:
		return nil, agents.Permanent(fmt.Errorf("there is no prompt %q in source.prompts", *name))
	case len(found) == 1:
		return &found[0], nil
	}
	return nil, nil
}
