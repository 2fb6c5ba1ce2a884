package outside

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/client"
)

// traces are the rows of all of Ciclo's tables that hold a text, each by its table.
func traces(t *testing.T, pool *pgxpool.Pool, text string) (found []string) {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT relnamespace::regnamespace || '.' || relname FROM pg_class
		WHERE relnamespace IN ('ciclo'::regnamespace, 'crm'::regnamespace) AND relkind IN ('r', 'p', 'm') ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		rows, err := pool.Query(t.Context(), `SELECT t::text FROM `+table+` t WHERE t::text ILIKE '%' || $1 || '%' OR t::text LIKE '%' || encode(convert_to($1, 'UTF8'), 'hex') || '%'`, text)
		if err != nil {
			t.Fatal(err)
		}
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range all {
			found = append(found, table+": "+row[:min(len(row), 300)])
		}
	}
	return found
}

// Who is erased does not come back: not by a run of the agents, not by an import.
func TestWhoIsErasedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	pool := s.pool()
	talk(t, pool)
	var clients, payments, conversations, messages strings.Builder
	clients.WriteString("id,name,email,whatsapp,consent_marketing\n")
	payments.WriteString("client_id,paid_at,amount,currency\n")
	for i := range 300 {
		fmt.Fprintf(&clients, "C-%d,Person Number%d,p%d@mail.example,+62812%08d,true\n", i, i, i, 10_000_000+i)
		for k := range 1 + i%6 {
			fmt.Fprintf(&payments, "C-%d,%s,%d,EUR\n", i, time.Date(2025, 1, 1+(i*7)%300+k*20, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), 100+i)
		}
	}
	clients.WriteString("C-erased,Wayan Sudiarta,wayan.sudiarta@mail.example,+6281234567890,true\n")
	for k := range 12 { // the best client
		fmt.Fprintf(&payments, "C-erased,%s,9000,EUR\n", time.Date(2025, 1, 1+k*35, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
	}
	began := time.Now().UTC().AddDate(0, 0, -5)
	fmt.Fprintf(&conversations, "id,client_id,started_at,channel,outcome,outcome_at,rating\nT-erased,C-erased,%s,chat,won,%s,1\n", began.Format(time.RFC3339), began.Add(2*time.Hour).Format(time.RFC3339))
	messages.WriteString("id,conversation_id,role,body,sent_at\n")
	for i := range 40 {
		fmt.Fprintf(&messages, "M-erased-%d,T-erased,%s,wayan tells his own story,%s\n", i, []string{"agent", "client"}[i%2], began.Add(time.Hour).Format(time.RFC3339))
	}
	files := [][]string{
		{"import", "clients", s.file("clients.csv", clients.String())},
		{"import", "payments", s.file("payments.csv", payments.String())},
		{"import", "conversations", s.file("conversations.csv", conversations.String())},
		{"import", "messages", s.file("messages.csv", messages.String())},
	}
	for _, args := range files {
		if out, said, code := s.ciclo(args...); code != 0 {
			t.Fatalf("%v: %d %s%s", args, code, out, said)
		}
	}
	if _, said, code := s.ciclo("messages", "policy", "--region", "ID", "--firm", "The Firm"); code != 0 {
		t.Fatal(said)
	}
	before, code := s.predict("--as-of", "last_payment")
	if code != 0 || !strings.Contains(string(before.Result), "Wayan Sudiarta") {
		t.Fatalf("the best client is not among the first: %d %s", code, before.Result)
	}
	if _, trained := s.train("--days-back", "30"); trained.Conversations != 401 {
		t.Fatalf("the trainer looks at %d conversations, want 401", trained.Conversations)
	}
	known := []string{"Wayan Sudiarta", "wayan.sudiarta@mail.example", "+6281234567890", "his own story"}
	for _, text := range known {
		if len(traces(t, pool, text)) == 0 {
			t.Fatalf("nothing shows %q before", text)
		}
	}

	// Asked, the command takes the id alone for a yes.
	for answer, want := range map[string]int{"": 2, "yes\n": 2, "C-1\n": 2} {
		if code := s.asked(answer, "erase", "client", "C-erased"); code != want {
			t.Errorf("answered %q: exit code %d, want %d", answer, code, want)
		}
	}
	if _, said, code := s.ciclo("erase", "client", "nobody", "--yes"); code != 1 || !strings.Contains(said, "No such client") {
		t.Errorf("nobody: %d %s", code, said)
	}
	if out, said, code := s.ciclo("erase", "client", "C-erased", "--dry-run"); code != 0 || !strings.Contains(out, "ciclo.client_scores") || !strings.Contains(out+said, "Nothing was changed") {
		t.Errorf("a dry run: %d %s%s", code, out, said)
	}
	if len(traces(t, pool, known[0])) == 0 {
		t.Fatal("something is erased that nobody asked for")
	}
	if code := s.asked("C-erased\n", "erase", "client", "C-erased"); code != 0 {
		t.Fatalf("answered: exit code %d", code)
	}
	// The loop ends what the call did not, where other tests' transactions were in its way.
	eventually(t, 60*time.Second, "the erasure is over", func() bool {
		out, _, _ := s.ciclo("erase", "client", "C-erased", "--yes", "--json")
		var e client.Erasure
		return json.Unmarshal([]byte(out), &e) == nil && e.EndedAt != nil
	})
	gone := func(when string) {
		t.Helper()
		for _, text := range known {
			for _, row := range traces(t, pool, text) {
				t.Errorf("%s %q is in %s", when, text, row)
			}
		}
	}
	gone("after the erasure")

	runs := func(when string) {
		t.Helper()
		e, code := s.predict("--as-of", "last_payment")
		if code != 0 || strings.Contains(string(e.Result), "C-erased") {
			t.Errorf("%s the predictor shows: %d %s", when, code, e.Result)
		}
		_, trained := s.train("--days-back", "30")
		if trained.Conversations != 400 {
			t.Errorf("%s the trainer looks at %d conversations, want 400", when, trained.Conversations)
		}
		var n int
		err := pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM ciclo.client_scores WHERE client_id = 'C-erased') + (SELECT count(*) FROM ciclo.messages WHERE client_id = 'C-erased' AND status <> 'sent')`).Scan(&n)
		if err != nil || n != 0 {
			t.Errorf("%s there are %d scores and messages, %v", when, n, err)
		}
		gone(when)
	}
	runs("a run later")
	again := map[string][]string{"payments": {"--again"}} // its rows have no ids
	for _, args := range files {
		if out, said, code := s.ciclo(append(slices.Clone(args), again[args[1]]...)...); code != 0 {
			t.Fatalf("%v: %d %s%s", args, code, out, said)
		}
	}
	runs("after the imports of before,")
}

// asked runs a command that is given an answer, and returns its exit code.
func (s *shipped) asked(answer string, args ...string) int {
	s.t.Helper()
	file, err := os.Open(s.file("answer.txt", answer))
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	return startWith(s.t, file, s.dir, "ciclo", s.env, args...).wait(time.Minute)
}
