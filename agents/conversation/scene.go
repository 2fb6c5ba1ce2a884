package conversation

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// A candidate is chosen on at most maxDev conversations and judged on at most maxHeldOut
// others.
const (
	maxDev     = 40
	maxHeldOut = 200
	devPart    = 5 // one of so many is for choosing
	// maxShown and maxTurn bound what is shown of a conversation: its last turns, and
	// the characters of each.
	maxShown = 20
	maxTurn  = 1000
)

// scene is a conversation up to a turn of the agent that answers the client.
type scene struct {
	id, client, segment string
	names               []string // the client's
	outcomeAt           int64
	turns               []shownTurn
}

// shownTurn is a turn as a model sees it.
type shownTurn struct {
	From string `json:"from"` // agent or client
	Text string `json:"text"`
}

// scenes draws from the later conversations, which had no part in finding the patterns,
// those that a candidate is chosen on and those that it is judged on: by the hash of their
// ids, so that it is the same ones each time, and one of a client's at most.
func (m *mining) scenes(ctx context.Context, e Evidence) (dev, heldOut []scene, err error) {
	if e.Later.From == nil || e.Later.To == nil {
		return nil, nil, nil
	}
	err = m.task.Read(ctx, func(tx pgx.Tx) error {
		all, err := readScenes(ctx, tx, e.Later)
		if err != nil {
			return err
		}
		dev, heldOut = parted(all)
		return fill(ctx, tx, dev, heldOut)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("draw conversations to judge on: %w", err)
	}
	return dev, heldOut, nil
}

// readScenes reads the conversations in which the agent answers a client before the
// outcome, without their turns.
func readScenes(ctx context.Context, tx pgx.Tx, later Part) ([]scene, error) {
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT c.id::text, coalesce(c.client_id::text, ''), coalesce(c.segment::text, ''), extract(epoch FROM c.outcome_at)::float8
		FROM source.conversations c
		WHERE c.started_at >= $1 AND c.started_at <= $2 AND c.outcome IN ('won', 'lost') AND c.outcome_at >= c.started_at AND c.outcome_at < 'infinity'
		  AND c.id::text <> '' AND `+notErased+`
		  AND EXISTS (
			SELECT FROM source.messages q JOIN source.messages a ON a.conversation_id = q.conversation_id
			WHERE q.conversation_id = c.id AND q.role = 'client' AND q.body ~ '\S' AND q.sent_at > '-infinity'
			  AND a.role = 'agent' AND a.body ~ '\S' AND a.sent_at > q.sent_at AND a.sent_at < c.outcome_at)`, *later.From, *later.To)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s scene, err error) {
		var outcome float64
		err = row.Scan(&s.id, &s.client, &s.segment, &outcome)
		s.outcomeAt = micros(outcome)
		return s, err
	})
}

// parted parts conversations by the hash of their ids. Rows of one id that contradict
// each other are left out, as they are elsewhere.
func parted(all []scene) (dev, heldOut []scene) {
	rows, hashes := map[string]int{}, map[string][sha256.Size]byte{}
	for _, s := range all {
		rows[s.id]++
		hashes[s.id] = sha256.Sum256([]byte(s.id))
	}
	all = slices.DeleteFunc(all, func(s scene) bool { return rows[s.id] > 1 })
	slices.SortFunc(all, func(a, b scene) int {
		x, y := hashes[a.id], hashes[b.id]
		return slices.Compare(x[:], y[:])
	})
	seen := map[string]bool{}
	for _, s := range all {
		part, most := &heldOut, maxHeldOut
		// The last byte says which part, the first ones say the order.
		if hashes[s.id][sha256.Size-1]%devPart == 0 {
			part, most = &dev, maxDev
		}
		if len(*part) == most || s.client != "" && seen[s.client] {
			continue
		}
		seen[s.client] = true
		*part = append(*part, s)
	}
	return dev, heldOut
}

// fill reads the turns and the clients' names of scenes.
func fill(ctx context.Context, tx pgx.Tx, parts ...[]scene) error {
	byID, byClient := map[string]*scene{}, map[string]*scene{}
	var ids, clients []string
	for _, part := range parts {
		for i := range part {
			s := &part[i]
			byID[s.id], ids = s, append(ids, s.id)
			if s.client != "" {
				byClient[s.client], clients = s, append(clients, s.client)
			}
		}
	}
	rows, err := tx.Query(ctx, `SELECT DISTINCT id::text, name::text FROM source.clients WHERE id::text = ANY($1) AND name IS NOT NULL ORDER BY 1, 2`, clients)
	if err != nil {
		return err
	}
	var id, text string
	if _, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		byClient[id].names = append(byClient[id].names, text)
		return nil
	}); err != nil {
		return err
	}
	rows, err = tx.Query(ctx, `
		SELECT m.conversation_id::text, coalesce(m.id::text, ''), m.role::text, left(m.body::text, $2), extract(epoch FROM m.sent_at)::float8
		FROM source.messages m
		WHERE m.conversation_id::text = ANY($1) AND m.role IN ('agent', 'client') AND m.body ~ '\S' AND m.sent_at IS NOT NULL
		ORDER BY m.sent_at, coalesce(m.id::text, '') COLLATE "C", m.role::text, left(m.body::text, $2) COLLATE "C"`, ids, 2*maxTurn)
	if err != nil {
		return err
	}
	var message, role string
	var sentAt float64
	read := map[[2]string]bool{}
	if _, err = pgx.ForEachRow(rows, []any{&id, &message, &role, &text, &sentAt}, func() error {
		s, again := byID[id], read[[2]string{id, message}]
		if math.IsInf(sentAt, 0) || micros(sentAt) >= s.outcomeAt || again && message != "" {
			return nil
		}
		read[[2]string{id, message}] = true
		s.turns = append(s.turns, shownTurn{role, shown(text)})
		return nil
	}); err != nil {
		return err
	}
	for _, s := range byID {
		s.cut()
	}
	return nil
}

// cut ends a scene before the middle one of the agent's turns that answer the client:
// neither the greeting nor the farewell, where nothing is open.
func (s *scene) cut() {
	var answers []int
	for i := 1; i < len(s.turns); i++ {
		if s.turns[i].From == "agent" && s.turns[i-1].From == "client" {
			answers = append(answers, i)
		}
	}
	if len(answers) == 0 {
		s.turns = nil
		return
	}
	at := answers[(len(answers)-1)/2]
	s.turns = s.turns[max(0, at-maxShown):at]
}

// shown is a text on one line, without what JSON would write as a sign and a letter:
// a name must stay a word of its own to be found by who redacts it.
func shown(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if utf8.RuneCountInString(text) > maxTurn {
		text = string([]rune(text)[:maxTurn]) + " …"
	}
	return text
}

// about are the ids of a scene's client, for the ledger.
func (s *scene) about() []string {
	if s.client == "" {
		return nil
	}
	return []string{s.client}
}
