package clientvalue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/phone"
)

// slippingTemplate is the template of messages to clients who are slipping.
const slippingTemplate = "slipping"

// longSilence is how many of a client's own mean gaps between purchases make a
// silence: a risk that is high because the client buys seldom is no reason to write.
const longSilence = 1.5

// Drafts is what a run drafted.
type Drafts struct {
	// Slipping are the clients worth keeping who are slipping: VIP or HIGH, now or
	// in the run before, of a churn risk over 90 days of at least slipping_risk,
	// and silent for 1.5 of their own mean gaps between purchases.
	Slipping int `json:"slipping"`
	Drafted  int `json:"drafted"`
	// Approved of them need no approval, by the firm's policy.
	Approved int `json:"approved"`
	// Skipped are the others, by reason.
	Skipped []SkippedClients `json:"skipped"`
	// Engine is the language model that was asked to write those that leave by e-mail,
	// Written how many it wrote, and Fallbacks why the others of them have the
	// template's text.
	Engine    string           `json:"engine,omitempty"`
	Written   int              `json:"written,omitempty"`
	Fallbacks []SkippedClients `json:"fallbacks,omitempty"`
	// Error says why nothing could be drafted: a view of the firm's that can't be
	// read. The scores stand without.
	Error string `json:"error,omitempty"`
}

// SkippedClients counts clients for whom nothing was drafted, or not as intended.
type SkippedClients struct {
	Reason  string `json:"reason"`
	Clients int    `json:"clients"`
}

// Reasons are the numbers for which a message was drafted, and who wrote it.
type Reasons struct {
	Segment           string  `json:"segment"`
	PreviousSegment   *string `json:"previous_segment"`
	CLV               float64 `json:"clv"`
	ChurnRisk90       float64 `json:"churn_risk_90"`
	PAlive            float64 `json:"p_alive"`
	Purchases         int     `json:"purchases"`
	SilentDays        float64 `json:"silent_days"`
	MeanGapDays       float64 `json:"mean_gap_days"`
	ExpectedPurchases float64 `json:"expected_purchases"`
	// Engine is the language model that wrote the text; empty where it is the template's.
	Engine string `json:"engine,omitempty"`
}

// slipping is a client for whom a message may be drafted.
type slipping struct {
	Reasons
	id                       string
	name, email              *string
	phone, whatsapp, lang    *string
	active, consents         bool
	optedOut, open           bool
	lastContact, lastInTouch *time.Time
}

// contactPolicy is what of the firm's rules drafting needs.
type contactPolicy struct {
	channels     []string
	auto         bool
	cooldown     time.Duration
	zone, region string
	firm         string
	templates    map[string]template // by language
	zones        map[string]bool     // those that the database knows
	now          time.Time           // the database's
}

type template struct {
	Subject string `json:"subject"`
	Body    string `json:"body"`
}

// fill puts the client's name and the firm's into it.
func (t template) fill(name, firm string) template {
	return template{fill(t.Subject, name, firm), fill(t.Body, name, firm)}
}

// draftMessages drafts at most so many messages to the clients of this run who are
// slipping, those first of whom most is at stake, in one transaction. Where there is a
// model it is asked before that; what may have changed meanwhile is looked at again.
func (a Agent) draftMessages(ctx context.Context, task *agents.Task, risk float64, most int) (Drafts, error) {
	w, err := a.writeMessages(ctx, task, risk, most)
	if err != nil {
		return Drafts{}, err
	}
	return agents.StepTx(ctx, task, "draft messages", func(ctx context.Context, tx pgx.Tx) (Drafts, error) {
		return w.draft(ctx, tx, task.ExecutionID, risk, most)
	})
}

// draft drafts them from templates alone.
func draft(ctx context.Context, tx pgx.Tx, execution string, risk float64, most int) (Drafts, error) {
	return (*written)(nil).draft(ctx, tx, execution, risk, most)
}

// eachDraft takes at most so many messages, in their order, and counts who gets none.
func eachDraft(ctx context.Context, tx pgx.Tx, execution string, risk float64, most int, take func(p contactPolicy, m draftedMessage) error) (Drafts, error) {
	d := Drafts{Skipped: []SkippedClients{}}
	if most == 0 {
		return d, nil
	}
	p, err := readContactPolicy(ctx, tx)
	if err != nil {
		return d, err
	}
	var clients []slipping
	err = pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) (err error) {
		clients, err = readSlipping(ctx, savepoint, execution, risk)
		return err
	})
	if broken := brokenView(err); broken != "" {
		d.Error = broken
		return d, nil
	}
	if err != nil {
		return d, err
	}
	skipped, seen := map[string]int{}, map[string]bool{}
	for _, c := range clients {
		if seen[c.id] { // a firm's view may have a client twice
			continue
		}
		seen[c.id] = true
		d.Slipping++
		m, why := p.draft(c)
		if why == "" && d.Drafted == most {
			why = "more than max_drafts"
		}
		if why != "" {
			skipped[why]++
			continue
		}
		if err := take(p, m); err != nil {
			return d, fmt.Errorf("draft a message to client %q: %w", c.id, err)
		}
		d.Drafted++
	}
	d.Skipped = byReason(skipped)
	return d, nil
}

// byReason are counts in the order of their reasons.
func byReason(clients map[string]int) []SkippedClients {
	all := []SkippedClients{}
	for _, reason := range slices.Sorted(maps.Keys(clients)) {
		all = append(all, SkippedClients{reason, clients[reason]})
	}
	return all
}

// brokenView says what is wrong with a view of the firm's, where that is the error:
// it isn't there, or has other columns.
func brokenView(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && strings.HasPrefix(pg.Code, "42") {
		return "source.clients or source.interactions can't be read: " + pg.Message
	}
	return ""
}

func readContactPolicy(ctx context.Context, tx pgx.Tx) (contactPolicy, error) {
	p := contactPolicy{templates: map[string]template{}, zones: map[string]bool{}}
	err := tx.QueryRow(ctx, `
		SELECT channels, $1 = ANY (auto_templates), cooldown, zone, region, firm, now() FROM ciclo.contact_policy`, slippingTemplate).
		Scan(&p.channels, &p.auto, &p.cooldown, &p.zone, &p.region, &p.firm, &p.now)
	if err != nil {
		return p, fmt.Errorf("read the contact policy: %w", err)
	}
	zones, err := tx.Query(ctx, `SELECT name FROM pg_timezone_names`)
	if err != nil {
		return p, fmt.Errorf("read time zones: %w", err)
	}
	var zone string
	if _, err := pgx.ForEachRow(zones, []any{&zone}, func() error { p.zones[zone] = true; return nil }); err != nil {
		return p, fmt.Errorf("read time zones: %w", err)
	}
	rows, err := tx.Query(ctx, `SELECT language, subject, body FROM ciclo.message_templates WHERE name = $1`, slippingTemplate)
	if err != nil {
		return p, fmt.Errorf("read message templates: %w", err)
	}
	var language string
	var t template
	if _, err := pgx.ForEachRow(rows, []any{&language, &t.Subject, &t.Body}, func() error { p.templates[language] = t; return nil }); err != nil {
		return p, fmt.Errorf("read message templates: %w", err)
	}
	return p, nil
}

// readSlipping reads the clients who are slipping, those first of whom most is at
// stake: value times risk.
func readSlipping(ctx context.Context, tx pgx.Tx, execution string, risk float64) ([]slipping, error) {
	rows, err := tx.Query(ctx, `
		SELECT s.client_id, s.segment, s.previous_segment, s.clv::float8, s.churn_risk_90, s.p_alive, s.repeat_purchases + 1,
		       7 * (s.age_weeks - s.recency_weeks), 7 * s.recency_weeks / s.repeat_purchases, s.expected_purchases,
		       c.name, c.email, c.phone, c.whatsapp, c.language, coalesce(c.status = 'active', false), coalesce(c.consent_marketing, false),
		       EXISTS (SELECT FROM ciclo.opt_outs o WHERE o.client_id = s.client_id AND o.ended_at IS NULL),
		       EXISTS (SELECT FROM ciclo.messages m WHERE m.client_id = s.client_id AND m.status IN ('draft', 'approved', 'sending', 'unknown')),
		       (SELECT max(at) FROM ciclo.contacts t WHERE t.client_id = s.client_id),
		       (SELECT max(occurred_at) FROM source.interactions i WHERE i.client_id = s.client_id)
		FROM ciclo.client_scores s LEFT JOIN source.clients c ON c.id = s.client_id
		WHERE s.execution_id = $1 AND s.churn_risk_90 >= $2 AND s.repeat_purchases > 0
		  AND (s.segment IN ('VIP', 'HIGH') OR s.previous_segment IN ('VIP', 'HIGH'))
		  AND s.age_weeks - s.recency_weeks >= $3 * s.recency_weeks / s.repeat_purchases
		  AND s.client_id NOT IN (SELECT client_id FROM ciclo.erasures) -- since this run read the payments
		ORDER BY s.clv * s.churn_risk_90 DESC, s.client_id`, execution, risk, longSilence)
	if err != nil {
		return nil, fmt.Errorf("read who is slipping: %w", err)
	}
	clients, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (slipping, error) {
		var s slipping
		err := row.Scan(&s.id, &s.Segment, &s.PreviousSegment, &s.CLV, &s.ChurnRisk90, &s.PAlive, &s.Purchases,
			&s.SilentDays, &s.MeanGapDays, &s.ExpectedPurchases,
			&s.name, &s.email, &s.phone, &s.whatsapp, &s.lang, &s.active, &s.consents, &s.optedOut, &s.open, &s.lastContact, &s.lastInTouch)
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("read who is slipping: %w", err)
	}
	return clients, nil
}

// What the database bounds too, in characters.
const (
	maxSubject = 200
	maxMessage = 1600
)

// draftedMessage is a row of ciclo.messages.
type draftedMessage struct {
	client, name, language, channel, address, zone, subject, body string
	// template is the text before the names are filled in.
	template  template
	variables map[string]string
	reasons   Reasons
}

// draft makes the message for a client, or says why there is none.
func (p contactPolicy) draft(c slipping) (m draftedMessage, why string) {
	recent := func(at *time.Time) bool { return at != nil && p.now.Sub(*at) < p.cooldown }
	switch {
	case !c.active:
		return m, "not an active client"
	case !c.consents:
		return m, "no consent"
	case c.optedOut:
		return m, "opted out"
	case c.open:
		return m, "a message waits already"
	case recent(c.lastContact):
		return m, "written to within the cooldown"
	case recent(c.lastInTouch):
		return m, "in touch within the cooldown"
	}
	m = draftedMessage{client: c.id, reasons: c.Reasons, zone: p.zone}
	if m.channel, m.address = p.address(c); m.channel == "" {
		return m, "no usable address"
	}
	if m.channel == "whatsapp" {
		if zone, known := phone.Zone(m.address); known && p.zones[zone] {
			m.zone = zone
		}
	}
	if m.language, m.template = p.template(text(c.lang)); m.language == "" {
		return m, "no template in a language of theirs"
	}
	m.name = properName(text(c.name))
	filled := m.template.fill(m.name, p.firm)
	m.subject, m.body = filled.Subject, filled.Body
	m.variables = map[string]string{"1": m.name, "2": p.firm}
	if len([]rune(m.subject)) > maxSubject || len([]rune(m.body)) > maxMessage || m.subject == "" || m.body == "" {
		return m, "the template gives no text, or too long a one"
	}
	return m, ""
}

// address chooses the channel: WhatsApp before e-mail, those that are on before
// those that are not, so that there are drafts to look at before anything is on.
func (p contactPolicy) address(c slipping) (channel, address string) {
	usable := map[string]string{}
	for _, number := range []string{text(c.whatsapp), text(c.phone)} {
		if e164, err := phone.E164(number, p.region); err == nil && usable["whatsapp"] == "" {
			usable["whatsapp"] = e164
		}
	}
	if mail := strings.ToLower(strings.TrimSpace(text(c.email))); mailPattern.MatchString(mail) && len(mail) <= 254 {
		usable["email"] = mail
	}
	for _, on := range []bool{true, false} {
		for _, channel := range []string{"whatsapp", "email"} {
			if usable[channel] != "" && slices.Contains(p.channels, channel) == on {
				return channel, usable[channel]
			}
		}
		if len(p.channels) > 0 {
			break // what is off stays off
		}
	}
	return "", ""
}

// mailPattern is the database's.
var mailPattern = regexp.MustCompile(`^[^@\s\p{Cc}]+@[^@\s\p{Cc}]+$`)

// template returns the text in the client's language, or in English.
func (p contactPolicy) template(language string) (string, template) {
	language = strings.ToLower(strings.TrimSpace(language))
	for _, tried := range []string{language[:min(2, len(language))], "en"} {
		if t, there := p.templates[tried]; there {
			return tried, t
		}
	}
	return "", template{}
}

var (
	placeholder  = regexp.MustCompile(`\{(name|firm)(?:\|([^{}|]*))?\}`)
	strayBlanks  = regexp.MustCompile(`[ \t]+([,.!?\n])`)
	emptyLines   = regexp.MustCompile(`\n{3,}`)
	maxNameRunes = 60
)

// fill puts the client's name and the firm's into a text; what isn't known leaves
// no trace.
func fill(text, name, firm string) string {
	filled := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		parts := placeholder.FindStringSubmatch(found)
		value := map[string]string{"name": name, "firm": firm}[parts[1]]
		if value == "" {
			value = parts[2]
		}
		return value
	})
	return strings.TrimSpace(emptyLines.ReplaceAllString(strayBlanks.ReplaceAllString(filled, "$1"), "\n\n"))
}

// properName is a name that may stand in a message; what is no name is left out:
// it comes from the firm's records, and whoever filled in a form wrote it.
func properName(name string) string {
	name = strings.Join(strings.Fields(name), " ")
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune(" .,'’&-", r)
	}
	if len([]rune(name)) > maxNameRunes || strings.ContainsFunc(name, odd) {
		return ""
	}
	return name
}

func text(of *string) string {
	if of == nil {
		return ""
	}
	return *of
}

func (m draftedMessage) insert(ctx context.Context, tx pgx.Tx, execution string, approved bool) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	reasons, err := json.Marshal(m.reasons)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body,
		                            variables, status, approved_by, approved_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
		        CASE WHEN $13 THEN 'approved' ELSE 'draft' END, CASE WHEN $13 THEN 'policy' END, CASE WHEN $13 THEN now() END)`,
		"message_"+id.String(), m.client, execution, slippingTemplate, m.language, reasons, m.channel, m.address, m.zone, m.subject, m.body, m.variables, approved)
	return err
}
