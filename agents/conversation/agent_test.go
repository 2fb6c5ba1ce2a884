package conversation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: fingerprint})
}

// journal keeps steps in memory over attempts, and writes to a real database. It
// dies before it stores the step dies.
type journal struct {
	agents.Journal
	pool  *pgxpool.Pool
	steps map[string]json.RawMessage
	done  []string
	dies  string
}

var errDied = errors.New("the worker died")

func (j *journal) Read(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, j.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

func (j *journal) Output(_ context.Context, step string) (json.RawMessage, error) {
	return j.steps[step], nil
}

func (j *journal) Record(ctx context.Context, step string, _ time.Time, _ bool, fn func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error)) error {
	return pgx.BeginFunc(ctx, j.pool, func(tx pgx.Tx) error {
		output, err := fn(ctx, tx)
		switch {
		case err != nil:
			return err
		case step == j.dies:
			return errDied
		}
		j.steps[step] = output
		j.done = append(j.done, step)
		return nil
	})
}

func (j *journal) Progress(int64, int64, string) {}

// attempt runs one attempt of the execution x; its result is "" where it died.
func (j *journal) attempt(t *testing.T, dies string) string {
	t.Helper()
	j.dies, j.done = dies, nil
	task := agents.NewTask(agents.Task{
		ExecutionID: "conv_trainer_x", StartedAt: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC),
		Parameters: json.RawMessage(`{"days_back": 7, "min_support": 30, "q": 0.1, "max_lines": 10}`),
	}, j)
	result, err := Trainer{}.Run(t.Context(), task)
	switch {
	case errors.Is(err, errDied):
		return ""
	case err != nil:
		t.Fatal(err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func newJournal(t *testing.T) *journal {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: "conversation", MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	j := &journal{pool: pool, steps: map[string]json.RawMessage{}}
	j.exec(t, `INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, next_attempt_at) VALUES ('conv_trainer_x', 'conversation-trainer', 'started', 1, 60, now())`)
	j.exec(t, `INSERT INTO crm.prompts (name, version, body) VALUES ('sales', 'v1', 'Be kind.')`)
	j.exec(t, `
		INSERT INTO crm.conversations (id, started_at, outcome, outcome_at)
		SELECT 'c' || n, timestamptz '2026-01-01Z' + n * interval '1 minute', CASE WHEN n % 2 = 0 THEN 'won' ELSE 'lost' END, timestamptz '2026-01-02Z' FROM generate_series(1, 300) n`)
	j.exec(t, `
		INSERT INTO crm.messages (id, conversation_id, role, body, sent_at)
		SELECT 'm' || n, 'c' || n, 'agent', CASE WHEN n % 10 IN (0, 1, 2, 4, 6) THEN 'shall we begin' ELSE 'please wait' END, timestamptz '2026-01-01Z' + n * interval '1 minute' FROM generate_series(1, 300) n`)
	return j
}

func (j *journal) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := j.pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

var steps = []string{"load", "rank", "test", "confirm", "write patterns", "read the base prompt", "draft the proposal", "write the proposal"}

func TestAKilledRunGoesOn(t *testing.T) {
	t.Parallel()
	whole := newJournal(t)
	want := whole.attempt(t, "")
	if !strings.Contains(want, "shall we begin") || !slices.Equal(whole.done, steps) {
		t.Fatalf("%v: %s", whole.done, want)
	}
	for i, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			if got := j.attempt(t, step); got != "" {
				t.Fatalf("it did not die: %s", got)
			}
			if got := j.attempt(t, ""); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if !slices.Equal(j.done, steps[i:]) {
				t.Errorf("the second attempt did %v", j.done)
			}
			var rows int
			if err := j.pool.QueryRow(t.Context(), `SELECT count(*) FROM ciclo.patterns`).Scan(&rows); err != nil || rows == 0 {
				t.Errorf("%d rows, %v", rows, err)
			}
		})
	}
}

// What comes in between two attempts is mixed with nothing.
func TestConversationsThatChangeBetweenAttempts(t *testing.T) {
	t.Parallel()
	const change = `UPDATE crm.conversations SET outcome = CASE WHEN outcome = 'won' THEN 'lost' ELSE 'won' END`
	fresh := newJournal(t)
	before := fresh.attempt(t, "")
	other := newJournal(t)
	other.exec(t, change)
	after := other.attempt(t, "")
	if before == after {
		t.Fatal("the change changes nothing")
	}
	for step, want := range map[string]string{"load": after, "rank": after, "test": after, "confirm": after, "write patterns": before} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			j.attempt(t, step)
			j.exec(t, change)
			if got := j.attempt(t, ""); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestThePrompt(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	j.exec(t, `DELETE FROM crm.prompts`)
	read := func(name *string) (p *promptVersions, err error) {
		err = j.Read(t.Context(), func(tx pgx.Tx) error {
			var err error
			p, err = readPrompt(t.Context(), tx, name)
			return err
		})
		return p, err
	}
	if p, err := read(nil); p != nil || err != nil {
		t.Errorf("none: %v, %v", p, err)
	}
	j.exec(t, `INSERT INTO crm.prompts (name, version, body) VALUES ('sales', 'v1', ''), ('sales', 'v2', '')`)
	if p, err := read(nil); err != nil || p == nil || p.Name != "sales" || len(p.Versions) != 2 {
		t.Errorf("the only one: %v, %v", p, err)
	}
	j.exec(t, `INSERT INTO crm.prompts (name, version, body) VALUES ('support', 'v1', '')`)
	if p, err := read(nil); p != nil || err != nil {
		t.Errorf("one of several: %v, %v", p, err)
	}
	name := "nobody"
	if _, err := read(&name); err == nil || !agents.IsPermanent(err) {
		t.Errorf("an unknown one: %v", err)
	}
}
