package outside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/conformance"
	"github.com/nuzantara/ciclo/internal/pullrequest/played"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// firmPrompt is a base prompt with sections and rules that must survive.
const firmPrompt = "\ufeff# Who you are\r\nThe firm's agent.\r\n\r\n## Safety\r\nNever promise an outcome.\r\nAsk a person when unsure."

// prompts is a bare repository with the firm's prompt, on a played GitHub.
type prompts struct {
	t          *testing.T
	dir, clone string
	host       *played.Host
	env        []string

	mu      sync.Mutex
	arrived map[string]int // requests, by what they are, before the host sees them
	onList  func()         // called once, before pull requests are listed
	ended   chan struct{}  // the test is over: nobody waits any more
}

// meanwhile is done once, when pull requests are listed next.
func (p *prompts) meanwhile(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onList = do
}

func (p *prompts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	on := "other"
	switch {
	case strings.HasSuffix(r.URL.Path, "/git-receive-pack"):
		on = played.Push
	case strings.HasSuffix(r.URL.Path, "/pulls") && r.Method == http.MethodGet:
		on = played.List
	case strings.HasSuffix(r.URL.Path, "/pulls"):
		on = played.Create
	}
	p.mu.Lock()
	p.arrived[on]++
	meanwhile := p.onList
	if on == played.List {
		p.onList = nil
	}
	p.mu.Unlock()
	if on == played.List && meanwhile != nil {
		meanwhile()
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	served := make(chan struct{})
	defer close(served)
	go func() {
		select {
		case <-p.ended:
			cancel()
		case <-served:
		}
	}()
	p.host.ServeHTTP(w, r.WithContext(ctx))
}

func (p *prompts) arrivals(on string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.arrived[on]
}

func newPrompts(t *testing.T) *prompts {
	t.Helper()
	folder := t.TempDir()
	p := &prompts{t: t, dir: filepath.Join(folder, "acme", "prompts.git"), clone: t.TempDir(), arrived: map[string]int{}}
	host, err := played.New(folder, "played-token")
	if err != nil {
		t.Skipf("the remote of this test is a real one, and there is no git over HTTP here: %v", err)
	}
	p.host = host
	p.git(folder, "init", "-q", "--bare", "-b", "main", p.dir)
	p.git(p.clone, "init", "-q", "-b", "main", ".")
	p.git(p.clone, "remote", "add", "origin", p.dir)
	p.commit("prompts/sales.md", firmPrompt)
	server := httptest.NewServer(p)
	p.ended = make(chan struct{})
	t.Cleanup(func() { close(p.ended); server.Close() })
	p.env = []string{"CICLO_GIT_REMOTE=" + server.URL + "/acme/prompts.git", "CICLO_GITHUB_API=" + server.URL + "/api", "CICLO_GIT_TOKEN=played-token", "CICLO_GIT_TIMEOUT=20s"}
	return p
}

func (p *prompts) git(dir string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@localhost", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@localhost")
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// commit brings a file to main.
func (p *prompts) commit(path, text string) {
	p.t.Helper()
	at := filepath.Join(p.clone, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o600)); err != nil {
		p.t.Fatal(err)
	}
	p.git(p.clone, "add", "-A")
	p.git(p.clone, "-c", "core.autocrlf=false", "commit", "-q", "-m", "by a person")
	p.git(p.clone, "push", "-q", "origin", "HEAD:main")
}

// branches are all but main.
func (p *prompts) branches() []string {
	p.t.Helper()
	var all []string
	for _, name := range strings.Fields(p.git(p.dir, "for-each-ref", "--format=%(refname:short)", "refs/heads")) {
		if name != "main" {
			all = append(all, name)
		}
	}
	return all
}

// proposed is what a run shows of its proposal.
type proposed struct {
	Proposal struct {
		Status, Reason, ID, Prompt, Branch, Commit, URL string
		Lines                                           int
		LeftOut                                         []struct {
			Reason string
			Rows   int
		} `json:"left_out"`
	}
	Confirmed int `json:"patterns_confirmed"`
}

func proposedBy(t *testing.T, e client.Execution) proposed {
	t.Helper()
	var r proposed
	if err := json.Unmarshal(e.Result, &r); err != nil {
		t.Fatalf("%v: %s", err, e.Result)
	}
	return r
}

// newTrainingShop is a shipped system whose worker the test starts itself.
func newTrainingShop(t *testing.T, extra ...string) *shipped {
	t.Helper()
	address := freePort(t)
	s := &shipped{t: t, dir: t.TempDir(), env: append([]string{
		"DATABASE_URL=" + testdatabase.New(t), "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + address, "CICLO_URL=http://" + address,
	}, extra...)}
	start(t, "", "orchestrator", s.env)
	(&system{t: t, api: &client.Client{URL: "http://" + address, Token: token}}).ready()
	return s
}

func TestAProposalBecomesOnePullRequest(t *testing.T) {
	t.Parallel()
	repository := newPrompts(t)
	s := newTrainingShop(t, append(repository.env, quick...)...)
	pool := s.pool()
	start(t, "", "worker", s.env)
	talk(t, pool)
	execute(t, pool, `INSERT INTO crm.prompts (name, version, body) VALUES ('sales', 'v1', $1)`, firmPrompt)
	nameAClient(t, pool)

	e, _ := s.train("--days-back", "30")
	r := proposedBy(t, e)
	p := r.Proposal
	if p.Status != "proposed" || p.Lines == 0 || p.Branch != "ciclo/"+p.ID || p.URL == "" || p.Prompt != "sales" || len(p.LeftOut) == 0 || p.LeftOut[0].Reason != "holds a word of a client's name" || p.Lines+p.LeftOut[0].Rows != r.Confirmed {
		t.Fatalf("%s", e.Result)
	}
	if all := repository.branches(); len(all) != 1 || all[0] != p.Branch {
		t.Fatalf("branches %v", all)
	}
	pulls := repository.host.State().Pulls
	if len(pulls) != 1 || pulls[0].Head != p.Branch || !strings.Contains(pulls[0].Body, "Association, not cause") {
		t.Fatalf("%+v", pulls)
	}
	changed := strings.Fields(repository.git(repository.dir, "diff", "--name-only", "main", p.Branch))
	if want := []string{"prompts/sales.md", "reports/" + p.ID + ".md", "reports/" + p.ID + ".svg"}; strings.Join(changed, " ") != strings.Join(want, " ") {
		t.Errorf("changed %v, want %v", changed, want)
	}
	body := repository.git(repository.dir, "show", p.Branch+":prompts/sales.md")
	if !strings.HasPrefix(body, firmPrompt+"\r\n<!-- trainer:begin -->\r\n") || !strings.HasSuffix(body, "\r\n<!-- trainer:end -->") || strings.Count(body, "- Goes with winning: ") != p.Lines {
		t.Errorf("the prompt is %q", body)
	}
	report := repository.git(repository.dir, "show", p.Branch+":reports/"+p.ID+".md")
	for _, text := range []string{body[len(firmPrompt):], report, pulls[0].Body, pulls[0].Title} {
		for _, never := range []string{"giuseppe", "Giuseppe", "verdi", "IGNORE", "we won", "played-token"} {
			if strings.Contains(text, never) {
				t.Errorf("%q is in %s", never, text)
			}
		}
	}
	if !strings.Contains(report, "smallest difference") || !strings.Contains(report, "("+p.ID+".svg)") {
		t.Errorf("the report is %s", report)
	}
	if !strings.HasPrefix(strings.TrimSpace(repository.git(repository.dir, "show", p.Branch+":reports/"+p.ID+".svg")), "<?xml") {
		t.Error("the plot is no SVG")
	}

	// The same conversations once more: nothing new.
	again, _ := s.train("--days-back", "30")
	if string(again.Result) != string(e.Result) {
		t.Errorf("again:\n%s\n%s", again.Result, e.Result)
	}
	if n := count(t, pool, `SELECT count(*) FROM ciclo.prompt_proposals`); n != 1 || len(repository.branches()) != 1 || len(repository.host.State().Pulls) != 1 {
		t.Errorf("%d proposals, %v", n, repository.branches())
	}
	// A dry run proposes nothing.
	if out, said, code := s.ciclo("run", "conversation-trainer", "--days-back", "29", "--dry-run", "--wait"); code != 0 || count(t, pool, `SELECT count(*) FROM ciclo.prompt_proposals`) != 1 {
		t.Errorf("%d %s%s", code, out, said)
	}

	// It is shown, with the prompt as it would be and its report.
	api := s.api()
	document, err := conformance.Read((&system{t: t, api: api}).get("/openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	api.HTTP = &http.Client{Transport: conformance.Transport{Document: document, Wrong: func(err error) { t.Errorf("an answer is not as the document says: %v", err) }}, Timeout: 30 * time.Second}
	page, err := api.Prompts(t.Context(), nil)
	if err != nil || len(page.Proposals) != 1 || page.Proposals[0].ID != p.ID || page.Proposals[0].Status != "proposed" || *page.Proposals[0].URL != p.URL || *page.Proposals[0].BaseVersion != "v1" || page.Proposals[0].ExecutionID != e.ID {
		t.Errorf("%+v, %v", page, err)
	}
	whole, err := api.Prompt(t.Context(), p.ID)
	if err != nil || whole.Body != body || whole.Report != report || len(whole.Block) != p.Lines {
		t.Errorf("%+v, %v", whole, err)
	}
	if out, said, code := s.ciclo("prompts"); code != 0 || !strings.Contains(out, p.URL) {
		t.Errorf("%d %s%s", code, out, said)
	}
	if out, said, code := s.ciclo("prompts", "show", p.ID, "--body"); code != 0 || out != body {
		t.Errorf("%d %s%s", code, out, said)
	}
	if out, said, code := s.ciclo("prompts", "show", "nobody"); code == 0 || !strings.Contains(out+said, "No such proposal") {
		t.Errorf("%d %s%s", code, out, said)
	}
	// Put to use as v2, it is compared with v1.
	execute(t, pool, `INSERT INTO crm.prompts (name, version, body) VALUES ('sales', 'v2', $1)`, body)
	execute(t, pool, `UPDATE crm.conversations SET agent_version = CASE WHEN id < 'c/200' THEN 'v1' ELSE 'v2' END`)
	effect, err := api.PromptEffect(t.Context(), p.ID, nil)
	if err != nil || effect.Verdict != "no_difference_shown" || effect.Before.Conversations != 200 || effect.After.Won != 100 || effect.Difference == nil || effect.SmallestShown == nil {
		t.Errorf("%+v, %v", effect, err)
	}
	if out, said, code := s.ciclo("prompts", "effect", p.ID); code != 0 || !strings.Contains(out, "No difference is shown: +0.0 points") || !strings.Contains(out, "50.0 %") {
		t.Errorf("%d %s%s", code, out, said)
	}

	// Closed by a person: it stays so.
	repository.host.EndPull(fmt.Sprint(pulls[0].Number), "closed", false)
	closed, _ := s.train("--days-back", "30")
	if got := proposedBy(t, closed).Proposal; got.Status != "closed" || len(repository.host.State().Pulls) != 1 {
		t.Errorf("closed, it is %+v", got)
	}
	// Merged by hand: there is nothing to propose any more.
	repository.git(repository.clone, "fetch", "-q", "origin", p.Branch)
	repository.git(repository.clone, "merge", "-q", "FETCH_HEAD")
	repository.git(repository.clone, "push", "-q", "origin", "HEAD:main")
	merged, _ := s.train("--days-back", "30")
	if got := proposedBy(t, merged).Proposal; got.Status != "nothing" || !strings.Contains(got.Reason, "holds these lines already") {
		t.Errorf("merged, it is %+v", got)
	}
	// Another people's prompt: another proposal, with the block renewed.
	repository.commit("prompts/sales.md", strings.Replace(body, "Never promise", "Never ever promise", 1))
	other, _ := s.train("--days-back", "31")
	if got := proposedBy(t, other).Proposal; got.Status != "proposed" || got.ID == p.ID || len(repository.branches()) != 2 {
		t.Errorf("on another base it is %+v", got)
	}
	// A damaged block is refused.
	repository.commit("prompts/sales.md", body+"\r\n<!-- trainer:begin -->")
	damaged, _ := s.train("--days-back", "30")
	if got := proposedBy(t, damaged).Proposal; got.Status != "refused" || !strings.Contains(got.Reason, "2 begins and 1 ends") || len(repository.branches()) != 2 {
		t.Errorf("damaged, it is %+v", got)
	}
}

// nameAClient has the agent say a client's name in won conversations more often.
func nameAClient(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	execute(t, pool, `INSERT INTO crm.clients (id, name, phone) VALUES ('k', 'Giuseppe Verdi', '+39 333 123 4567')`)
	execute(t, pool, `
		UPDATE crm.messages m SET body = body || '. Your folder, Giuseppe'
		FROM crm.conversations c WHERE c.id = m.conversation_id AND m.id LIKE '%b' AND abs(hashtext(c.id)) % 10 < CASE c.outcome WHEN 'won' THEN 7 ELSE 3 END`)
}

func TestNullDataProposeNothing(t *testing.T) {
	t.Parallel()
	repository := newPrompts(t)
	s := newTrainingShop(t, append(repository.env, quick...)...)
	pool := s.pool()
	start(t, "", "worker", s.env)
	talk(t, pool)
	execute(t, pool, `UPDATE crm.conversations SET outcome = CASE WHEN hashtext(id || 'x') % 2 = 0 THEN 'won' ELSE 'lost' END`)
	execute(t, pool, `DELETE FROM crm.messages WHERE id LIKE '%c'`)
	e, _ := s.train("--days-back", "30")
	if p := proposedBy(t, e).Proposal; p.Status != "nothing" || !strings.Contains(p.Reason, "smallest difference that") {
		t.Errorf("%s", e.Result)
	}
	if n := count(t, pool, `SELECT count(*) FROM ciclo.prompt_proposals`); n != 0 || len(repository.branches()) != 0 || len(repository.host.State().Pulls) != 0 {
		t.Errorf("%d proposals, branches %v", n, repository.branches())
	}
}

// The worker is killed in each call of the effect, before the remote does what is
// asked and after.
func TestAProposalWhoseWorkerIsKilled(t *testing.T) {
	t.Parallel()
	repository := newPrompts(t)
	s := newTrainingShop(t, append(repository.env, quick...)...)
	pool := s.pool()
	talk(t, pool)
	execute(t, pool, `INSERT INTO crm.prompts (name, version, body) VALUES ('sales', 'v1', $1)`, firmPrompt)
	out, said, code := s.ciclo("run", "conversation-trainer", "--days-back", "30", "--json")
	var e client.Execution
	if err := json.Unmarshal([]byte(out), &e); err != nil || code != 0 {
		t.Fatalf("%d %v %s%s", code, err, out, said)
	}
	execute(t, pool, `UPDATE ciclo.executions SET tries = 12 WHERE id = $1`, e.ID)
	kills := 0
	for _, fault := range []played.Fault{
		{On: played.List, Status: 503}, {On: played.Push, Status: 503}, {On: played.Push, After: true},
		{On: played.Create, Status: 503}, {On: played.Create, After: true},
	} {
		fault.DelayMS = 60_000
		before := repository.arrivals(fault.On)
		repository.host.Misbehave(fault)
		w := start(t, "", "worker", s.env)
		eventually(t, 60*time.Second, fmt.Sprintf("the worker hangs in %+v", fault), func() bool {
			did := !fault.After || fault.On == played.Push && len(repository.branches()) == 1 || fault.On == played.Create && len(repository.host.State().Pulls) == 1
			return repository.arrivals(fault.On) > before && did
		})
		w.signal(syscall.SIGKILL)
		w.wait(10 * time.Second)
		kills++
	}
	start(t, "", "worker", s.env)
	eventually(t, 60*time.Second, "it is final", func() bool { return s.final(e.ID) })
	done, err := s.api().Get(t.Context(), e.ID)
	if err != nil || done.Status != "completed" || done.Attempt != kills+1 {
		t.Fatalf("%+v, %v", done, err)
	}
	p := proposedBy(t, done).Proposal
	if pulls := repository.host.State().Pulls; len(pulls) != 1 || pulls[0].Head != p.Branch || len(repository.branches()) != 1 || repository.branches()[0] != p.Branch || p.Status != "proposed" {
		t.Errorf("%+v, %v, %+v", pulls, repository.branches(), p)
	}
	if got := strings.TrimSpace(repository.git(repository.dir, "rev-list", "--count", "main.."+p.Branch)); got != "1" {
		t.Errorf("%s commits", got)
	}
	if n := count(t, pool, `SELECT count(*) FROM ciclo.prompt_proposals WHERE status = 'proposed' AND pull_request = 1`); n != 1 {
		t.Errorf("%d proposals", n)
	}
}

// A person changes the prompt while the run is at work: nothing is written over it,
// and the next run begins from there.
func TestAPromptThatMovedOn(t *testing.T) {
	t.Parallel()
	repository := newPrompts(t)
	s := newTrainingShop(t, append(repository.env, quick...)...)
	pool := s.pool()
	start(t, "", "worker", s.env)
	talk(t, pool)
	execute(t, pool, `INSERT INTO crm.prompts (name, version, body) VALUES ('sales', 'v1', $1)`, firmPrompt)
	repository.meanwhile(func() { repository.commit("prompts/sales.md", firmPrompt+" Always.") })
	e, _ := s.train("--days-back", "30")
	if p := proposedBy(t, e).Proposal; p.Status != "refused" || !strings.Contains(p.Reason, "the base branch moved on") || p.Branch != "" || len(repository.branches()) != 0 || len(repository.host.State().Pulls) != 0 {
		t.Errorf("%+v, %v", p, repository.branches())
	}
	// Other files may change.
	repository.meanwhile(func() { repository.commit("other.md", "x") })
	e, _ = s.train("--days-back", "30")
	p := proposedBy(t, e).Proposal
	if p.Status != "proposed" || !strings.HasPrefix(repository.git(repository.dir, "show", p.Branch+":prompts/sales.md"), firmPrompt+" Always.\r\n<!-- trainer:begin") || len(repository.host.State().Pulls) != 1 {
		t.Errorf("%+v", p)
	}
	if n := count(t, pool, `SELECT count(*) FROM ciclo.prompt_proposals WHERE (status = 'refused') = (coalesce(reason, '') LIKE '%moved on%')`); n != 2 {
		t.Errorf("%d proposals", n)
	}
}

// What the remote refuses fails the run; what it wants later is tried again.
func TestARemoteThatRefusesAProposal(t *testing.T) {
	t.Parallel()
	repository := newPrompts(t)
	s := newTrainingShop(t, append(repository.env, quick...)...)
	pool := s.pool()
	start(t, "", "worker", s.env)
	talk(t, pool)
	execute(t, pool, `INSERT INTO crm.prompts (name, version, body) VALUES ('sales', 'v1', $1)`, firmPrompt)
	repository.host.Misbehave(played.Fault{On: played.List, Status: 429, Header: map[string]string{"Retry-After": "1"}})
	e, _ := s.train("--days-back", "30")
	if p := proposedBy(t, e).Proposal; p.Status != "proposed" || e.Attempt != 2 || len(repository.host.State().Pulls) != 1 {
		t.Errorf("after a limit: attempt %d, %+v", e.Attempt, p)
	}
	repository.host.Misbehave(played.Fault{On: played.List, Status: 403, Times: -1})
	out, said, code := s.ciclo("run", "conversation-trainer", "--days-back", "29", "--wait", "--json")
	var failed client.Execution
	if err := json.Unmarshal([]byte(out), &failed); err != nil || code == 0 || failed.Attempt != 1 || failed.Error == nil || !strings.Contains(failed.Error.Text, "lacks a right") || strings.Contains(out+said, "played-token") {
		t.Errorf("refused: %d %v %s%s", code, err, out, said)
	}
	// The proposal stands in the table meanwhile, and a retry brings it.
	repository.host.Behave()
	if out, said, code := s.ciclo("retry", failed.ID, "--resume", "--follow", "--json"); code != 0 || len(repository.branches()) != len(repository.host.State().Pulls) {
		t.Errorf("%d %s%s", code, out, said)
	}
}

// On a remote without pull requests the branch is all.
func TestAProposalOnAPlainRemote(t *testing.T) {
	t.Parallel()
	repository := newPrompts(t)
	s := newTrainingShop(t, append([]string{"CICLO_GIT_REMOTE=file://" + repository.dir, "CICLO_TRAINER_PROMPT=prompts/sales.md", "CICLO_TRAINER_REPORTS=docs/reports"}, quick...)...)
	pool := s.pool()
	start(t, "", "worker", s.env)
	talk(t, pool) // and source.prompts is empty
	for range 2 {
		e, _ := s.train("--days-back", "30")
		p := proposedBy(t, e).Proposal
		if all := repository.branches(); p.Status != "proposed" || p.URL != "" || len(all) != 1 || all[0] != p.Branch {
			t.Fatalf("%+v, %v", p, all)
		}
		repository.git(repository.dir, "cat-file", "-e", p.Branch+":docs/reports/"+p.ID+".md")
	}
	if n := count(t, pool, `SELECT count(*) FROM ciclo.prompt_proposals WHERE base_version IS NULL AND pull_request IS NULL AND prompt = 'base'`); n != 1 {
		t.Errorf("%d proposals", n)
	}
	// No prompt there: nothing is invented.
	repository.git(repository.clone, "rm", "-q", "prompts/sales.md")
	repository.commit("other.md", "x")
	e, _ := s.train("--days-back", "30")
	if p := proposedBy(t, e).Proposal; p.Status != "refused" || !strings.Contains(p.Reason, "has no file prompts/sales.md") {
		t.Errorf("%+v", p)
	}
	if out, said, code := run(t, "", "worker", append(s.env[:len(s.env):len(s.env)], "CICLO_TRAINER_REPORTS=/etc")); code == 0 || !strings.Contains(out+said, "CICLO_TRAINER_REPORTS must be a path within the repository") {
		t.Errorf("%d %s%s", code, out, said)
	}
}

// Without a repository the proposal stands in the table alone.
func TestAProposalWithoutARepository(t *testing.T) {
	t.Parallel()
	s := newTrainingShop(t, quick...)
	pool := s.pool()
	start(t, "", "worker", s.env)
	talk(t, pool)
	e, _ := s.train("--days-back", "30")
	if p := proposedBy(t, e).Proposal; p.Status != "nothing" || !strings.Contains(p.Reason, "no base prompt") {
		t.Errorf("without a prompt: %+v", p)
	}
	execute(t, pool, `INSERT INTO crm.prompts (name, version, body) VALUES ('sales', 'v1', 'old'), ('sales', 'v2', $1)`, firmPrompt)
	execute(t, pool, `UPDATE crm.conversations SET agent_version = 'v2'`)
	e, _ = s.train("--days-back", "30")
	p := proposedBy(t, e).Proposal
	if p.Status != "written" || p.Branch != "" || p.Lines == 0 {
		t.Errorf("%+v", p)
	}
	if n := count(t, pool, `SELECT count(*) FROM ciclo.prompt_proposals WHERE base_version = 'v2' AND body LIKE '%Never promise%trainer:begin%' AND status = 'written'`); n != 1 {
		t.Errorf("%d proposals", n)
	}
}

func (s *shipped) final(id string) bool {
	s.t.Helper()
	e, err := s.api().Get(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return e.Final()
}
