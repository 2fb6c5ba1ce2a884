package conversation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/pullrequest"
)

// The states of a proposal.
const (
	nothingProposed = "nothing"  // no confirmed pattern, or no base prompt
	written         = "written"  // in ciclo.prompt_proposals alone
	brought         = "proposed" // a branch, and on GitHub an open pull request
	refused         = "refused"  // it can't be made or taken; the reason says why
)

// Proposed is what became of what a run found, in its result.
type Proposed struct {
	// Status is nothing, written, proposed, closed, merged or refused.
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	ID     string `json:"id,omitempty"`
	Prompt string `json:"prompt,omitempty"`
	Lines  int    `json:"lines"`
	// Engine wrote the lines: template, or the model as provider/model; empty where no
	// model is configured. Trial is what the model was asked and how that was judged.
	Engine string `json:"engine,omitempty"`
	Trial  *Trial `json:"trial,omitempty"`
	// LeftOut counts confirmed patterns that have no line, and why.
	LeftOut []Omission `json:"left_out"`
	Branch  string     `json:"branch,omitempty"`
	Commit  string     `json:"commit,omitempty"`
	Number  int        `json:"pull_request,omitempty"`
	URL     string     `json:"url,omitempty"`
}

func nothing(reason string) *Proposed {
	return &Proposed{Status: nothingProposed, Reason: reason, LeftOut: []Omission{}}
}

func refuse(reason string) *Proposed {
	return &Proposed{Status: refused, Reason: reason, LeftOut: []Omission{}}
}

// basePrompt is what a proposal changes.
type basePrompt struct {
	Name    string  `json:"name"`
	Version *string `json:"version"`
	// Path and Commit are empty where it is source.prompts'.
	Path    string `json:"path"`
	Commit  string `json:"commit"`
	Text    string `json:"text"`
	Missing string `json:"missing"` // why there is none
}

// draft is a candidate that was chosen.
type draft struct {
	Evidence Evidence   `json:"evidence"`
	Lines    []Line     `json:"lines"`
	LeftOut  []Omission `json:"left_out"`
	Reason   string     `json:"reason"` // why there are no lines
	// Of are the lines that the proposal's id is made of, where a model wrote others
	// of the same patterns: it may write otherwise each time, and a proposal is one.
	Of    []Line `json:"of,omitempty"`
	Trial *Trial `json:"trial,omitempty"`

	refused map[string]int // lines of all candidates, by the reason
}

// propose makes of what was confirmed a proposal, and brings it to the repository.
func (m *mining) propose(ctx context.Context, r *Result, found tested) (*Proposed, error) {
	evidence := r.evidence("", found)
	if len(evidence.Patterns) == 0 {
		return nothing("no pattern was confirmed; " + smallest(r.Detectable, r.Earlier.Conversations)), nil
	}
	m.task.Progress(4, 5, "writing a proposal")
	base, err := agents.Step(ctx, m.task, "read the base prompt", func(ctx context.Context) (basePrompt, error) { return m.readBase(ctx, r.Prompt) })
	if err != nil {
		return nil, err
	}
	if base.Missing != "" {
		p := nothing(base.Missing)
		if p.Prompt = base.Name; m.trainer.Repository != nil {
			p.Status = refused
		}
		return p, nil
	}
	if _, err := Splice(base.Text, nil); err != nil {
		p := refuse(err.Error())
		p.Prompt = base.Name
		return p, nil
	}
	evidence.Prompt = base.Name
	d, err := agents.Step(ctx, m.task, "draft the proposal", func(ctx context.Context) (draft, error) { return m.draft(ctx, base.Text, evidence) })
	if err != nil {
		return nil, err
	}
	if len(d.Lines) == 0 {
		p := nothing(cmp.Or(d.Reason, "no line passed the lint") + "; " + smallest(r.Detectable, r.Earlier.Conversations))
		p.Prompt, p.LeftOut = base.Name, d.LeftOut
		return p, nil
	}
	p, err := agents.StepTx(ctx, m.task, "write the proposal", func(ctx context.Context, tx pgx.Tx) (*Proposed, error) {
		return d.write(ctx, tx, m.task.ExecutionID, base)
	})
	if err != nil {
		return nil, err
	}
	p.Engine, p.Trial = d.engine(), d.Trial
	if p.ID == "" || m.trainer.Repository == nil {
		return p, nil
	}
	return m.bring(ctx, p, base.Commit)
}

// readBase reads the prompt: from the repository where there is one, else from
// source.prompts, the version that the last conversation was led by.
func (m *mining) readBase(ctx context.Context, known *promptVersions) (basePrompt, error) {
	var base basePrompt
	if known != nil {
		base.Name = known.Name
	}
	if m.trainer.Repository == nil {
		if known == nil {
			base.Missing = "there is no base prompt to change: source.prompts has none, or several and the parameter prompt names none, and no repository is set up"
			return base, nil
		}
		err := m.task.Read(ctx, func(tx pgx.Tx) error {
			err := tx.QueryRow(ctx, `
				SELECT p.version::text, coalesce(p.body::text, '') FROM source.prompts p
				LEFT JOIN LATERAL (SELECT max(c.started_at) AS used FROM source.conversations c WHERE c.agent_version::text = p.version::text) c ON true
				WHERE p.name = $1 ORDER BY c.used DESC NULLS LAST, p.version DESC LIMIT 1`, base.Name).Scan(&base.Version, &base.Text)
			if errors.Is(err, pgx.ErrNoRows) {
				base.Missing = "the prompt was removed from source.prompts"
				return nil
			}
			if err != nil {
				return fmt.Errorf("read the base prompt: %w", err)
			}
			if err := checkPrompt(base.Text); err != nil {
				base.Text, base.Missing = "", err.Error()
			}
			return nil
		})
		return base, err
	}
	base.Name = cmp.Or(base.Name, "base")
	base.Path = strings.ReplaceAll(m.trainer.Config.TrainerPrompt, "{name}", base.Name)
	if !within(base.Path) {
		base.Missing = fmt.Sprintf("the prompt's name %q makes no path of CICLO_TRAINER_PROMPT", base.Name)
		return base, nil
	}
	text, commit, err := m.trainer.Repository.Read(ctx, base.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		base.Missing = fmt.Sprintf("the repository has no file %s: is CICLO_TRAINER_PROMPT right?", base.Path)
		return base, nil
	case errors.Is(err, pullrequest.ErrTooLarge) || err == nil && len(text) > MaxPrompt:
		base.Missing = fmt.Sprintf("%s is too long for a prompt: %d bytes are taken", base.Path, MaxPrompt)
		return base, nil
	case err != nil:
		return base, hopeless(err)
	}
	if err := checkPrompt(string(text)); err != nil {
		base.Missing = fmt.Sprintf("%s: %v", base.Path, err)
		return base, nil
	}
	base.Commit, base.Text = commit, string(text)
	err = m.task.Read(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT version::text FROM source.prompts WHERE name = $1 AND body = $2 ORDER BY version DESC LIMIT 1`, base.Name, base.Text).Scan(&base.Version)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("look for the version of the base prompt: %w", err)
		}
		return nil
	})
	return base, err
}

// hopeless marks the errors of a repository that trying again can't mend.
func hopeless(err error) error {
	if pullrequest.Permanent(err) {
		return agents.Permanent(err)
	}
	return err
}

// draft has the author write lines, and the model where there is one.
func (m *mining) draft(ctx context.Context, base string, e Evidence) (draft, error) {
	d := draft{LeftOut: []Omission{}, Lines: []Line{}}
	var ids []string
	for _, p := range e.Patterns {
		ids = append(ids, p.Examples...)
	}
	lint, err := m.lint(ctx, ids, e)
	if err != nil {
		return d, err
	}
	for i := range e.Patterns {
		p := &e.Patterns[i]
		p.Examples = slices.DeleteFunc(slices.Clone(p.Examples), func(id string) bool { return !lint.Shows(id) })
		p.Same, p.feature = []string{}, nil
	}
	author := m.trainer.Author
	if author == nil {
		author = Template{}
	}
	if d, err = m.written(ctx, author, base, e); err != nil || m.trainer.Model == nil || len(d.Lines) == 0 {
		return d, err
	}
	return m.try(ctx, base, d)
}

// written has an author write lines, lints them, and has it judge what is left.
func (m *mining) written(ctx context.Context, author Author, base string, e Evidence) (draft, error) {
	d := draft{LeftOut: []Omission{}, Lines: []Line{}, refused: map[string]int{}}
	candidates, err := author.Propose(ctx, base, e)
	if err != nil {
		return d, fmt.Errorf("write candidates: %w", err)
	}
	var foreign []string
	for _, lines := range candidates {
		for _, line := range lines {
			foreign = append(foreign, line.Foreign...)
		}
	}
	lint, err := m.lint(ctx, foreign, e)
	if err != nil {
		return d, err
	}
	passed, reasons := [][]Line{}, []map[string]int{}
	for _, lines := range candidates {
		kept, out := []Line{}, map[string]int{}
		for _, line := range lines {
			switch reason := lint.Refuse(line); {
			case reason != withoutAnyReason:
				out[reason]++
			case line.Pattern < 0 || line.Pattern >= len(e.Patterns):
				out["is about no pattern"]++
			case len(kept) == m.p.MaxLines:
				out[beyondTheLimit]++
			default:
				kept = append(kept, line)
			}
		}
		for reason, n := range out {
			d.refused[reason] += n
		}
		if len(kept) > 0 {
			passed, reasons = append(passed, kept), append(reasons, out)
		} else {
			d.LeftOut = omissions(out)
		}
	}
	chosen, reason, err := author.Judge(ctx, base, e, passed)
	if err != nil {
		return d, fmt.Errorf("judge candidates: %w", err)
	}
	d.Evidence, d.Reason = e, reason
	if chosen >= 0 && chosen < len(passed) {
		d.Lines, d.LeftOut = passed[chosen], omissions(reasons[chosen])
	}
	return d, nil
}

// lint makes a Lint for texts and shows it the firm's clients and, where a text is
// long enough, what clients wrote in the window.
func (m *mining) lint(ctx context.Context, texts []string, e Evidence) (*Lint, error) {
	l := NewLint(texts)
	return l, m.task.Read(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT coalesce(name::text, ''), coalesce(phone::text, ''), coalesce(whatsapp::text, '') FROM source.clients
			WHERE coalesce(id::text, '') NOT IN (SELECT client_id FROM ciclo.erasures)`)
		if err != nil {
			return fmt.Errorf("read source.clients: %w", err)
		}
		var name, phone, whatsapp string
		if _, err = pgx.ForEachRow(rows, []any{&name, &phone, &whatsapp}, func() error {
			l.Client(name, phone, whatsapp)
			return nil
		}); err != nil {
			return fmt.Errorf("read source.clients: %w", err)
		}
		if !l.Repeats() {
			return nil
		}
		rows, err = tx.Query(ctx, `
			SELECT left(m.body::text, $3) FROM source.messages m
			WHERE m.role = 'client' AND m.body IS NOT NULL AND m.conversation_id IN (
				SELECT id FROM source.conversations
				WHERE started_at >= $1::text::timestamp AT TIME ZONE 'UTC' AND started_at < ($2::text::date + 1)::timestamp AT TIME ZONE 'UTC'
				  AND `+notErased+`)`, e.From, e.AsOf, MaxBody)
		if err != nil {
			return fmt.Errorf("read clients' messages: %w", err)
		}
		var body string
		if _, err = pgx.ForEachRow(rows, []any{&body}, func() error {
			l.Message(body)
			return nil
		}); err != nil {
			return fmt.Errorf("read clients' messages: %w", err)
		}
		return nil
	})
}

// write keeps the draft as a proposal, unless one of the same content is there.
func (d draft) write(ctx context.Context, tx pgx.Tx, execution string, base basePrompt) (*Proposed, error) {
	texts := d.Evidence.blockLines(d.Lines)
	body, err := Splice(base.Text, texts)
	switch {
	case err != nil:
		return refuse(err.Error()), nil
	case body == base.Text:
		p := nothing("the prompt holds these lines already")
		p.Prompt, p.LeftOut = base.Name, d.LeftOut
		return p, nil
	}
	id, patterns, err := d.id(base.Text)
	if err != nil {
		return nil, err
	}
	plot, err := d.Evidence.Forest(d.Lines)
	if err != nil {
		return nil, agents.Permanent(err)
	}
	p := &Proposed{Status: written, ID: id, Prompt: base.Name, Lines: len(d.Lines), LeftOut: d.LeftOut}
	lines := make([]string, len(d.Lines))
	for i, line := range d.Lines {
		lines[i] = line.Text
	}
	report := d.Evidence.Report(d.Lines, d.LeftOut, p.ID+".svg") + d.Trial.report(d.Lines)
	tag, err := tx.Exec(ctx, `
		INSERT INTO ciclo.prompt_proposals (
			id, execution_id, prompt, base_version, path, base_commit, base_hash, patterns_hash, window_from, window_to,
			title, body, lines, left_out, report, plot, data_until)
		VALUES ($1, $2, $3, $4, nullif($5, ''), nullif($6, ''), $7, $8, $9::text::date, $10::text::date, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (id) DO NOTHING`,
		p.ID, execution, base.Name, base.Version, base.Path, base.Commit, hashOf(base.Text), patterns, d.Evidence.From, d.Evidence.AsOf,
		d.Evidence.title(len(d.Lines)), body, lines, d.LeftOut, report, string(plot), d.Evidence.until())
	if err != nil {
		return nil, fmt.Errorf("write the proposal: %w", err)
	}
	if d.Trial != nil && tag.RowsAffected() == 0 { // an earlier run's stays, which may be the model's
		if err := tx.QueryRow(ctx, `SELECT cardinality(lines), left_out FROM ciclo.prompt_proposals WHERE id = $1`, id).Scan(&p.Lines, &p.LeftOut); err != nil {
			return nil, fmt.Errorf("read the earlier proposal: %w", err)
		}
	}
	return p, nil
}

// id is the proposal's, and the hash of its patterns.
func (d draft) id(base string) (id, patterns string, err error) {
	of := d.Of
	if of == nil {
		of = d.Lines
	}
	if patterns, err = d.Evidence.hash(d.Evidence.blockLines(of)); err != nil {
		return "", "", agents.Permanent(err)
	}
	return d.Evidence.key(hashOf(base), patterns), patterns, nil
}

// until is when the last conversation began.
func (e Evidence) until() time.Time {
	if e.Later.To != nil {
		return e.Later.To.UTC()
	}
	return time.Unix(1, 0).UTC()
}

// outcome is where the repository has a proposal, or why it won't.
type outcome struct {
	pullrequest.Outcome
	Refused string `json:"refused,omitempty"`
}

// bring brings a proposal to the repository, once.
func (m *mining) bring(ctx context.Context, p *Proposed, commit string) (*Proposed, error) {
	m.task.Progress(4, 5, "bringing the proposal to the repository")
	repository := m.trainer.Repository
	done, err := agents.Perform(ctx, m.task, "pull request", agents.Effect[outcome]{
		Policy: agents.Reconcile,
		Do: func(ctx context.Context, _ string) (outcome, error) {
			files, err := m.files(ctx, p.ID, commit)
			if err != nil {
				return outcome{}, err
			}
			out, err := repository.Propose(ctx, files)
			if errors.Is(err, pullrequest.ErrMoved) || errors.Is(err, pullrequest.ErrNothing) {
				return outcome{Refused: err.Error()}, nil // nothing was written
			}
			if pullrequest.Permanent(err) {
				// No pull request is there, and a retry may make it: it would find what
				// is there of it.
				return outcome{}, agents.NotDone(hopeless(err))
			}
			return outcome{Outcome: out}, err
		},
		Ask: func(ctx context.Context, _ string) (outcome, bool, error) {
			files, err := m.files(ctx, p.ID, commit)
			if err != nil {
				return outcome{}, false, err
			}
			out, found, err := repository.Find(ctx, files)
			if err != nil {
				return outcome{}, false, hopeless(err)
			}
			return outcome{Outcome: out}, found, nil
		},
	})
	if err != nil {
		return nil, err
	}
	switch {
	case done.Refused != "":
		p.Status, p.Reason = refused, done.Refused
	case done.Branch != "": // empty in a dry run
		p.Status, p.Branch, p.Commit, p.Number, p.URL = brought, done.Branch, done.Commit, done.Number, done.URL
		if done.State == "closed" || done.State == "merged" {
			p.Status = done.State
		}
	}
	return agents.StepTx(ctx, m.task, "note the pull request", func(ctx context.Context, tx pgx.Tx) (*Proposed, error) {
		_, err := tx.Exec(ctx, `
			UPDATE ciclo.prompt_proposals
			SET status = $2, reason = nullif($3, ''), branch = nullif($4, ''), commit = nullif($5, ''), pull_request = nullif($6, 0), url = nullif($7, ''), updated_at = now()
			WHERE id = $1`, p.ID, p.Status, p.Reason, p.Branch, p.Commit, p.Number, p.URL)
		if err != nil {
			return nil, fmt.Errorf("note the pull request: %w", err)
		}
		return p, nil
	})
}

// files are a proposal as it goes to the repository: as it was written first.
func (m *mining) files(ctx context.Context, id, commit string) (pullrequest.Proposal, error) {
	p := pullrequest.Proposal{Key: id, BaseCommit: commit}
	var file, body, report, plot string
	err := m.task.Read(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT coalesce(path, ''), title, body, report, plot, data_until FROM ciclo.prompt_proposals WHERE id = $1`, id).Scan(
			&file, &p.Title, &body, &report, &plot, &p.At)
	})
	if err != nil {
		return p, fmt.Errorf("read the proposal: %w", err)
	}
	// A pull request's text shows no file of its branch.
	p.Body = strings.ReplaceAll(report, fmt.Sprintf(plotLine, id+".svg")+"\n", "")
	reports := path.Clean(m.trainer.Config.TrainerReports)
	p.Files = map[string][]byte{file: []byte(body), path.Join(reports, id+".md"): []byte(report), path.Join(reports, id+".svg"): []byte(plot)}
	return p, nil
}

// Unwrite takes away what an execution proposed: what was proposed before is not again.
func (Trainer) Unwrite(ctx context.Context, tx pgx.Tx, executionID string) error {
	_, err := tx.Exec(ctx, `DELETE FROM ciclo.prompt_proposals WHERE execution_id = $1`, executionID)
	return err
}
