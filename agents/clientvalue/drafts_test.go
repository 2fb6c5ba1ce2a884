package clientvalue

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// errUndo rolls a test's drafts back.
var errUndo = errors.New("undo")

const scoring = "client_predictor_1"

// scored makes an execution and a client of it who is slipping: HIGH, a risk of .9,
// silent for 30 weeks at a mean gap of 10.
func scored(tb testing.TB, pool *pgxpool.Pool, client string, change ...string) {
	tb.Helper()
	execute(tb, pool, `INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, river_job_id)
		VALUES ('`+scoring+`', 'client-value-predictor', 'started', 1, 1, 1) ON CONFLICT DO NOTHING`)
	execute(tb, pool, `INSERT INTO crm.clients (id, name, email, whatsapp, language, consent_marketing)
		VALUES ('`+client+`', 'Wayan Sari', '`+client+`@firm.example', '+39 06 1234 5678', 'id', true)`)
	execute(tb, pool, `
		INSERT INTO ciclo.client_scores (execution_id, client_id, as_of, segment, repeat_purchases, recency_weeks, age_weeks, mean_spend, p_alive,
			churn_risk_30, churn_risk_90, expected_purchases, expected_spend, expected_value, clv, clv_12_months, low_confidence)
		VALUES ('`+scoring+`', '`+client+`', '2026-01-31', 'HIGH', 5, 50, 80, 100, .5, .95, .9, 1, 100, 100, 1000, 100, false)`)
	for _, sql := range change {
		execute(tb, pool, strings.ReplaceAll(sql, "$1", "'"+client+"'"))
	}
}

// drafts drafts, looks, and undoes it.
func drafts(tb testing.TB, pool *pgxpool.Pool, most int, look func(tx pgx.Tx)) (d Drafts) {
	tb.Helper()
	err := pgx.BeginFunc(tb.Context(), pool, func(tx pgx.Tx) (err error) {
		if d, err = draft(tb.Context(), tx, scoring, .5, most); err != nil {
			return err
		}
		if look != nil {
			look(tx)
		}
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		tb.Fatal(err)
	}
	return d
}

func TestWhoGetsADraft(t *testing.T) {
	t.Parallel()
	message := `INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body)
		VALUES ('message_1', $1, '` + scoring + `', 'slipping', 'en', '{}', 'email', 'x@firm.example', 'UTC', 'x', 'x')`
	for name, c := range map[string]struct {
		change string
		why    string // empty: a draft
		none   bool   // not slipping at all
	}{
		"slipping":                  {"SELECT $1", "", false},
		"came down from VIP":        {"UPDATE ciclo.client_scores SET segment = 'LOW', previous_segment = 'VIP'", "", false},
		"not worth it":              {"UPDATE ciclo.client_scores SET segment = 'MEDIUM', previous_segment = 'LOW'", "", true},
		"not at risk":               {"UPDATE ciclo.client_scores SET churn_risk_90 = .49", "", true},
		"bought once":               {"UPDATE ciclo.client_scores SET repeat_purchases = 0, recency_weeks = 0", "", true},
		"buys as seldom as ever":    {"UPDATE ciclo.client_scores SET age_weeks = 64", "", true}, // silent for 14 weeks of 15
		"no consent":                {"UPDATE crm.clients SET consent_marketing = false", "no consent", false},
		"not in the firm's records": {"DELETE FROM crm.clients", "not an active client", false},
		"inactive":                  {"UPDATE crm.clients SET status = 'inactive'", "not an active client", false},
		"opted out":                 {"INSERT INTO ciclo.opt_outs (client_id, source) VALUES ($1, 'hand')", "opted out", false},
		"a draft waits":             {message, "a message waits already", false},
		"a draft was rejected":      {message + "; UPDATE ciclo.messages SET status = 'rejected', reason = 'x'", "", false},
		"in touch yesterday":        {"INSERT INTO crm.interactions (client_id, channel, direction, kind, occurred_at) VALUES ($1, 'phone', 'outbound', 'call', now() - interval '1 day')", "in touch within the cooldown", false},
		"in touch last month":       {"INSERT INTO crm.interactions (client_id, channel, direction, kind, occurred_at) VALUES ($1, 'phone', 'outbound', 'call', now() - interval '30 days')", "", false},
		"no address":                {"UPDATE crm.clients SET email = 'nobody', whatsapp = '12', phone = NULL", "no usable address", false},
		"only a channel that's off": {"UPDATE crm.clients SET email = NULL; UPDATE ciclo.contact_policy SET channels = '{email}'", "no usable address", false},
		"no template":               {"DELETE FROM ciclo.message_templates", "no template in a language of theirs", false},
		"a text of nothing":         {"UPDATE ciclo.message_templates SET body = '{firm}'", "the template gives no text, or too long a one", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := openPool(t, testdatabase.New(t))
			scored(t, pool, "C-1", strings.Split(c.change, "; ")...)
			got := drafts(t, pool, 20, nil)
			want := Drafts{Slipping: 1, Skipped: []SkippedClients{}}
			switch {
			case c.none:
				want.Slipping = 0
			case c.why == "":
				want.Drafted = 1
			default:
				want.Skipped = []SkippedClients{{c.why, 1}}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatADraftSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ change, want string }{
		"by WhatsApp, in their language":  {"SELECT $1", "whatsapp +390612345678 Europe/Rome id draft Halo Wayan Sari,"},
		"by mail, where that alone is on": {"UPDATE ciclo.contact_policy SET channels = '{email}', zone = 'Asia/Makassar'", "email c-1@firm.example Asia/Makassar id draft Halo Wayan Sari,"},
		"a national number":               {"UPDATE crm.clients SET whatsapp = '0812 3456 7890'; UPDATE ciclo.contact_policy SET region = 'ID', zone = 'Asia/Makassar'", "whatsapp +6281234567890 Asia/Makassar id draft Halo Wayan Sari,"},
		"in English, for want of theirs":  {"UPDATE crm.clients SET language = 'fi'", "whatsapp +390612345678 Europe/Rome en draft Hello Wayan Sari,"},
		"without a name":                  {"UPDATE crm.clients SET name = NULL", "whatsapp +390612345678 Europe/Rome id draft Halo Bapak/Ibu,"},
		"a name that is none":             {"UPDATE crm.clients SET name = 'http://evil.example {firm}'", "whatsapp +390612345678 Europe/Rome id draft Halo Bapak/Ibu,"},
		"a name that leaves no trace":     {"UPDATE crm.clients SET name = '', language = 'it-IT'", "whatsapp +390612345678 Europe/Rome it draft Buongiorno,"},
		"approved by the policy":          {"UPDATE ciclo.contact_policy SET auto_templates = '{slipping}'", "whatsapp +390612345678 Europe/Rome id approved Halo Wayan Sari,"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := openPool(t, testdatabase.New(t))
			scored(t, pool, "C-1", strings.Split(c.change, "; ")...)
			drafts(t, pool, 20, func(tx pgx.Tx) {
				var got string
				err := tx.QueryRow(t.Context(), `
					SELECT concat_ws(' ', channel, address, zone, language, status, split_part(body, E'\n', 1))
					FROM ciclo.messages WHERE reasons ->> 'silent_days' = '210' AND reasons ->> 'mean_gap_days' = '70'`).Scan(&got)
				if err != nil || got != c.want {
					t.Errorf("%q, %v\nnot %q", got, err, c.want)
				}
			})
		})
	}
}

func TestMostIsAtStakeFirst(t *testing.T) {
	t.Parallel()
	pool := openPool(t, testdatabase.New(t))
	for i := range 5 {
		scored(t, pool, fmt.Sprintf("C-%d", i), fmt.Sprintf("UPDATE ciclo.client_scores SET clv = %d WHERE client_id = $1", 100*(i*7%5)))
	}
	d := drafts(t, pool, 2, func(tx pgx.Tx) {
		var got string
		if err := tx.QueryRow(t.Context(), `SELECT string_agg(client_id, ' ' ORDER BY client_id) FROM ciclo.messages`).Scan(&got); err != nil || got != "C-2 C-4" {
			t.Errorf("drafted to %q, %v", got, err)
		}
	})
	if diff := cmp.Diff(Drafts{Slipping: 5, Drafted: 2, Skipped: []SkippedClients{{"more than max_drafts", 3}}}, d); diff != "" {
		t.Error(diff)
	}
	if d := drafts(t, pool, 0, nil); d.Slipping+d.Drafted != 0 {
		t.Errorf("with max_drafts 0: %+v", d)
	}
}

// The scores stand where the firm's own views can't be read.
func TestABrokenViewDraftsNothing(t *testing.T) {
	t.Parallel()
	pool := openPool(t, testdatabase.New(t))
	scored(t, pool, "C-1", `DROP VIEW source.interactions`)
	if d := drafts(t, pool, 20, nil); !strings.Contains(d.Error, "interactions") || d.Drafted != 0 {
		t.Errorf("without source.interactions: %+v", d)
	}
	execute(t, pool, `CREATE VIEW source.interactions AS SELECT id::text, client_id, occurred_at FROM crm.interactions`)
	execute(t, pool, `CREATE OR REPLACE VIEW source.clients AS SELECT c.* FROM (SELECT id, name, email, phone, whatsapp, language, status, consent_marketing, tags, created_at FROM crm.clients) c, generate_series(1, 2)`)
	if d := drafts(t, pool, 20, nil); d.Slipping != 1 || d.Drafted != 1 {
		t.Errorf("with each client twice: %+v", d)
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, name, firm, want string }{
		{"Hello {name|there},\n{firm}\n\nSTOP", "Ayu", "The Firm", "Hello Ayu,\nThe Firm\n\nSTOP"},
		{"Hello {name|there},\n{firm}\n\nSTOP", "", "", "Hello there,\n\nSTOP"},
		{"Buongiorno {name|},", "", "", "Buongiorno,"},
		{"{name} {name|x}", "{firm}", "F", "{firm} {firm}"}, // what is filled in is not filled again
	} {
		if got := fill(c.text, c.name, c.firm); got != c.want {
			t.Errorf("%q became %q, not %q", c.text, got, c.want)
		}
	}
}
