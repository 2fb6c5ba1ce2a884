package conversation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/llm"
	"github.com/nuzantara/ciclo/internal/pullrequest"
)

// Name is the agent's name in the catalogue.
const Name = "conversation-trainer"

// Trainer is the Conversation Trainer: it reads source.conversations,
// source.messages and source.prompts and writes ciclo.patterns. What it confirms it
// proposes as a change of a prompt, in ciclo.prompt_proposals and as a pull request.
type Trainer struct {
	// Repository is where prompts are kept; nil: proposals stand in the table alone.
	Repository *pullrequest.Repository
	Config     Config
	// Author writes the lines of a proposal; nil is Template.
	Author Author
	// Model writes them in its own words, which are proposed where they pass a gate;
	// nil: nobody is asked.
	Model *llm.Model
}

// parameters are agent.json's.
type parameters struct {
	AsOf       *string `json:"as_of"`
	DaysBack   int     `json:"days_back"`
	MinSupport int     `json:"min_support"`
	Q          float64 `json:"q"`
	Prompt     *string `json:"prompt"`
	MaxLines   int     `json:"max_lines"`
}

// Omission counts what was left out, and why.
type Omission struct {
	Reason string `json:"reason"`
	Rows   int    `json:"rows"`
}

// Part is the earlier or the later part of the conversations.
type Part struct {
	Conversations int `json:"conversations"`
	Won           int `json:"won"`
	// From and To are when the first and the last of them began; nil where it is empty.
	From *time.Time `json:"from"`
	To   *time.Time `json:"to"`
}

// Survey is what a run looks at: the output of its first step.
type Survey struct {
	From            string          `json:"from"`
	AsOf            string          `json:"as_of"`
	Rows            int             `json:"conversations_in_window"`
	Omitted         []Omission      `json:"conversations_omitted"`
	Conversations   int             `json:"conversations"`
	Won             int             `json:"won"`
	Lost            int             `json:"lost"`
	Messages        int             `json:"messages"`
	MessagesOmitted []Omission      `json:"messages_omitted"`
	Turns           int             `json:"turns"`
	Tokens          int             `json:"tokens"`
	CutTurns        int             `json:"turns_cut"`
	Strata          int             `json:"strata"`
	Earlier         Part            `json:"earlier"`
	Later           Part            `json:"later"`
	Prompt          *promptVersions `json:"prompt"`
	// Fingerprint is of the corpus: the same conversations have the same.
	Fingerprint string `json:"fingerprint"`
}

// Ranking is the n-grams most typical of won and of lost conversations, by z.
type Ranking struct {
	Features int      `json:"features"`
	Won      []Ranked `json:"won"`
	Lost     []Ranked `json:"lost"`
}

// tested is the output of the steps test and confirm.
type tested struct {
	Found    int       `json:"found"`
	Patterns []Pattern `json:"patterns"`
}

// Result is what a completed execution shows.
type Result struct {
	Survey
	DaysBack   int     `json:"days_back"`
	MinSupport int     `json:"min_support"`
	Q          float64 `json:"q"`
	// Features is how many were tested at once.
	Features   int         `json:"features_tested"`
	Found      int         `json:"patterns_found"`
	Confirmed  int         `json:"patterns_confirmed"`
	Detectable *Detectable `json:"smallest_detectable"`
	Top        []Pattern   `json:"top_patterns"`
	Typical    Ranking     `json:"typical"`
	Notes      []string    `json:"notes"`
	// Proposal is the change of the prompt that was made of them.
	Proposal *Proposed `json:"proposal"`
}

const (
	// keptPatterns bounds what is kept of a run: the strongest.
	keptPatterns = 300
	topPatterns  = 10
	topWords     = 20
)

// mining is one attempt's work. The corpus is read when a step that isn't finished
// needs it, so that an attempt which only has to write reads nothing.
type mining struct {
	trainer  Trainer
	task     *agents.Task
	p        parameters
	settings Settings
	source   *source
	prompt   *promptVersions
	features []Feature
	split    int
	// fingerprint is the corpus's; expected is that which the steps so far rest on.
	fingerprint, expected string
}

// errChanged says that the conversations are others than those that the finished
// steps rest on.
var errChanged = errors.New("the conversations have changed since an earlier attempt")

// Run finds patterns.
func (t Trainer) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	m := &mining{trainer: t, task: task, settings: DefaultSettings()}
	if err := task.Decode(&m.p); err != nil {
		return nil, err
	}
	m.settings.MinSupport, m.settings.Q = m.p.MinSupport, m.p.Q
	r, err := m.mine(ctx, "")
	if errors.Is(err, errChanged) {
		// What rests on the conversations of then is left, and all of them is looked at
		// as they are now, in steps of their own.
		r, err = m.mine(ctx, " "+m.fingerprint)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// mine goes through the steps, whose names end in suffix.
func (m *mining) mine(ctx context.Context, suffix string) (*Result, error) {
	task := m.task
	m.expected = ""
	survey, err := agents.Step(ctx, task, "load"+suffix, m.survey)
	if err != nil {
		return nil, err
	}
	m.expected = survey.Fingerprint
	r := &Result{Survey: survey, DaysBack: m.p.DaysBack, MinSupport: m.p.MinSupport, Q: m.p.Q, Top: []Pattern{}, Notes: []string{}}
	r.Typical.Won, r.Typical.Lost = []Ranked{}, []Ranked{}
	if survey.Won == 0 || survey.Lost == 0 {
		r.Notes = append(r.Notes, nothingToCompare(survey))
		r.Proposal = nothing(nothingToCompare(survey))
		return r, nil
	}
	if r.Typical, err = agents.Step(ctx, task, "rank"+suffix, m.rank); err != nil {
		return nil, err
	}
	found, err := agents.Step(ctx, task, "test"+suffix, m.test)
	if err != nil {
		return nil, err
	}
	found, err = agents.Step(ctx, task, "confirm"+suffix, func(ctx context.Context) (tested, error) { return m.confirm(ctx, found) })
	if err != nil {
		return nil, err
	}
	task.Progress(4, 5, "writing patterns")
	_, err = agents.StepTx(ctx, task, "write patterns"+suffix, func(ctx context.Context, tx pgx.Tx) (int64, error) {
		return copyPatterns(ctx, tx, task.ExecutionID, found.Patterns)
	})
	if err != nil {
		return nil, err
	}
	r.conclude(found)
	if r.Proposal, err = m.propose(ctx, r, found); err != nil {
		return nil, err
	}
	return r, nil
}

// load reads the corpus, once.
func (m *mining) load(ctx context.Context) error {
	if m.source != nil {
		return nil
	}
	m.task.Progress(0, 5, "reading conversations")
	return m.task.Read(ctx, func(tx pgx.Tx) error {
		prompt, err := readPrompt(ctx, tx, m.p.Prompt)
		if err != nil {
			return err
		}
		s, err := readSource(ctx, tx, m.p, m.task.StartedAt, func(messages int) {
			m.task.Progress(0, 5, fmt.Sprintf("%d messages read", messages))
		})
		if err != nil {
			return err
		}
		m.prompt, m.source, m.split, m.fingerprint = prompt, s, s.corpus.Split(m.settings.Later), s.corpus.Fingerprint()
		return nil
	})
}

// loadFeatures finds the features, once.
func (m *mining) loadFeatures(ctx context.Context) error {
	if err := m.load(ctx); err != nil {
		return err
	}
	if m.expected != m.fingerprint {
		return errChanged
	}
	if m.features != nil {
		return nil
	}
	m.task.Progress(1, 5, fmt.Sprintf("finding features of %d conversations", len(m.source.corpus.Conversations)))
	m.features = m.source.corpus.Features(m.split, m.settings)
	return ctx.Err()
}

func (m *mining) survey(ctx context.Context) (Survey, error) {
	if err := m.load(ctx); err != nil {
		return Survey{}, err
	}
	s, c := m.source, m.source.corpus
	survey := Survey{
		From: s.window.from.Format(time.DateOnly), AsOf: s.window.to.Add(-day).Format(time.DateOnly),
		Rows: s.conversation, Omitted: omissions(s.leftOut), Conversations: len(c.Conversations),
		Messages: s.messages, MessagesOmitted: omissions(s.messagesOut), Turns: c.Turns, Tokens: c.Tokens, CutTurns: c.Cut,
		Earlier: c.part(0, m.split), Later: c.part(m.split, len(c.Conversations)), Prompt: m.prompt, Fingerprint: m.fingerprint,
	}
	survey.Won = survey.Earlier.Won + survey.Later.Won
	survey.Lost = survey.Conversations - survey.Won
	_, survey.Strata = c.strata()
	return survey, nil
}

func (c *Corpus) part(from, to int) Part {
	p := Part{Conversations: to - from}
	for _, one := range c.Conversations[from:to] {
		if one.Won {
			p.Won++
		}
	}
	if from < to {
		first, last := time.UnixMicro(c.Conversations[from].StartedAt).UTC(), time.UnixMicro(c.Conversations[to-1].StartedAt).UTC()
		p.From, p.To = &first, &last
	}
	return p
}

func (m *mining) rank(ctx context.Context) (Ranking, error) {
	if err := m.loadFeatures(ctx); err != nil {
		return Ranking{}, err
	}
	r := Ranking{Features: len(m.features), Won: []Ranked{}, Lost: []Ranked{}}
	ranked := RankNgrams(m.features)
	for i := 0; i < min(topWords, len(ranked)) && ranked[i].Z > 0; i++ {
		r.Won = append(r.Won, ranked[i])
	}
	for i := len(ranked) - 1; i >= max(0, len(ranked)-topWords) && ranked[i].Z < 0; i-- {
		r.Lost = append(r.Lost, ranked[i])
	}
	return r, nil
}

func (m *mining) test(ctx context.Context) (tested, error) {
	if err := m.loadFeatures(ctx); err != nil {
		return tested{}, err
	}
	m.task.Progress(2, 5, fmt.Sprintf("testing %d features", len(m.features)))
	patterns := m.source.corpus.Test(m.features, m.split, m.settings.Q)
	return tested{len(patterns), patterns[:min(keptPatterns, len(patterns))]}, ctx.Err()
}

func (m *mining) confirm(ctx context.Context, found tested) (tested, error) {
	if len(found.Patterns) == 0 {
		return found, nil
	}
	if err := m.loadFeatures(ctx); err != nil {
		return found, err
	}
	m.task.Progress(3, 5, fmt.Sprintf("asking the later conversations about %d patterns", len(found.Patterns)))
	m.source.corpus.Confirm(found.Patterns, m.features, m.split)
	return found, ctx.Err()
}

func nothingToCompare(s Survey) string {
	switch {
	case s.Conversations == 0:
		return fmt.Sprintf("no conversation that began from %s to %s was won or lost and can be looked at: there is nothing to compare", s.From, s.AsOf)
	case s.Won == 0:
		return fmt.Sprintf("all %d conversations were lost: there is nothing to compare them with", s.Conversations)
	default:
		return fmt.Sprintf("all %d conversations were won: there is nothing to compare them with", s.Conversations)
	}
}

// conclude says in the result what was found, and what could not have been.
func (r *Result) conclude(found tested) {
	r.Features, r.Found = r.Typical.Features, found.Found
	for _, p := range found.Patterns {
		if p.Confirmed {
			r.Confirmed++
		}
	}
	r.Top = found.Patterns[:min(topPatterns, len(found.Patterns))]
	r.Detectable = SmallestDetectable(r.Earlier.Conversations, r.Earlier.Won, r.Features, r.Q)
	note := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	could := "the sample could have shown nothing"
	if r.Detectable != nil {
		could = fmt.Sprintf("a difference below %.0f points in the part that is won could not have been shown reliably by %d conversations, even of a feature that half of them have",
			100*r.Detectable.RiskDifference, r.Earlier.Conversations)
		if r.Detectable.RiskDifference >= 1 {
			could = fmt.Sprintf("no difference could have been shown reliably by %d conversations", r.Earlier.Conversations)
		}
	}
	switch {
	case r.Features == 0:
		note("no feature is in %d conversations of the earlier part and missing in %d: there is nothing to test", r.MinSupport, r.MinSupport)
	case r.Found == 0:
		note("no pattern was found; %s", could)
	case r.Confirmed == 0:
		note("%d patterns were found and none was confirmed by the later conversations: there is nothing to act on; %s", r.Found, could)
	default:
		note("association, not cause: what goes with winning need not bring it about; %s", could)
	}
	if r.Found > len(found.Patterns) {
		note("%d patterns were found; the %d strongest are kept", r.Found, len(found.Patterns))
	}
	if r.Later.Conversations == 0 {
		note("all conversations began at one instant: there is no later part that could confirm anything")
	}
	if 10*r.Strata > r.Conversations {
		note("there are %d strata of channel, segment and month for %d conversations: most are compared with few others, which hides effects", r.Strata, r.Conversations)
	}
	if r.CutTurns > 0 {
		note("%d turns were longer than %d characters and were read up to there", r.CutTurns, MaxBody)
	}
}

// omissions lists what was left out, sorted by reason.
func omissions(counts map[string]int) []Omission {
	out := []Omission{}
	for reason, n := range counts {
		out = append(out, Omission{reason, n})
	}
	slices.SortFunc(out, func(a, b Omission) int { return strings.Compare(a.Reason, b.Reason) })
	return out
}

func copyPatterns(ctx context.Context, tx pgx.Tx, execution string, patterns []Pattern) (int64, error) {
	return tx.CopyFrom(ctx, pgx.Identifier{"ciclo", "patterns"}, []string{
		"execution_id", "kind", "feature", "rank", "above", "n_with", "n_with_won", "n_without", "n_without_won",
		"risk_difference", "risk_low", "risk_high", "odds_ratio", "odds_low", "odds_high", "p", "q", "z",
		"confirmed", "later_with", "later_with_won", "later_without", "later_without_won", "later_difference", "later_low", "later_high",
		"same_as", "examples",
	}, pgx.CopyFromSlice(len(patterns), func(i int) ([]any, error) {
		p := patterns[i]
		odds, later := p.OddsRatio.columns(), p.Later.columns()
		return []any{
			execution, string(p.Kind), p.Name, int32(i + 1), p.Above, p.Counts.With, p.Counts.WithWon, p.Counts.Without, p.Counts.WithoutWon,
			p.RiskDifference.Estimate, p.RiskDifference.Low, p.RiskDifference.High, odds[0], odds[1], odds[2], p.P, p.Q, p.Z,
			p.Confirmed, p.LaterCounts.With, p.LaterCounts.WithWon, p.LaterCounts.Without, p.LaterCounts.WithoutWon, later[0], later[1], later[2],
			p.Same, p.Examples,
		}, nil
	}))
}

// columns are an interval's, or nulls.
func (i *Interval) columns() [3]*float64 {
	if i == nil {
		return [3]*float64{}
	}
	return [3]*float64{&i.Estimate, &i.Low, &i.High}
}
