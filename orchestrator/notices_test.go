package orchestrator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nuzantara/ciclo/internal/notice"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// receiver is a webhook's other side. It keeps the notices that it was posted, by
// id, and misbehaves as often as it is told to.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	posts  map[string]int
	behave []http.HandlerFunc // the first answers, one each
}

func newReceiver(t *testing.T, behave ...http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{posts: map[string]int{}, behave: behave}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	var n notice.Notice
	if json.Unmarshal(body, &n) != nil || n.ID != req.Header.Get("webhook-id") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.posts[n.ID]++
	var behave http.HandlerFunc
	if len(r.behave) > 0 {
		behave, r.behave = r.behave[0], r.behave[1:]
	}
	r.mu.Unlock()
	if behave != nil {
		behave(w, req)
	}
}

// seen is how often each notice was posted.
func (r *receiver) seen() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	var counts []int
	for _, n := range r.posts {
		counts = append(counts, n)
	}
	return counts
}

func answer(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// noticing is notifiers on a database of the test's own.
type noticing struct {
	t     *testing.T
	pool  *pgxpool.Pool
	store *postgres.Store
	log   *bytes.Buffer
	write sync.Mutex
}

func newNoticing(t *testing.T) *noticing {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: t.Name(), MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store, err := postgres.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	return &noticing{t: t, pool: pool, store: store, log: &bytes.Buffer{}}
}

// Write is the notifiers' log.
func (d *noticing) Write(p []byte) (int, error) {
	d.write.Lock()
	defer d.write.Unlock()
	return d.log.Write(p)
}

func (d *noticing) notifier(channels ...notice.Channel) *notifier {
	log := slog.New(slog.NewTextHandler(d, nil))
	if len(channels) == 0 {
		channels = []notice.Channel{notice.Log{Logger: log}}
	}
	return &notifier{store: d.store, meters: newMeters(prometheus.NewRegistry(), nil), channels: channels, every: 10 * time.Millisecond, log: log}
}

func (d *noticing) webhook(url string) notice.Channel {
	d.t.Helper()
	channels, err := notice.Channels(notice.Config{Webhook: url})
	if err != nil {
		d.t.Fatal(err)
	}
	return channels[0]
}

// paused pauses an agent, which makes a notice.
func (d *noticing) paused(agents ...string) {
	d.t.Helper()
	for _, agent := range agents {
		if err := d.store.PauseAgent(d.t.Context(), agent, "x"); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *noticing) tick(n *notifier) {
	d.t.Helper()
	if err := n.tick(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// row is what the dashboard says of the one notice.
type row struct {
	Condition, Error, Told string
	Tries                  int
	// InSeconds is when it is due.
	InSeconds int
}

func (d *noticing) row() (r row) {
	d.t.Helper()
	err := d.pool.QueryRow(d.t.Context(), `
		SELECT condition, coalesce(error, ''), array_to_string(told, ' '), tries, coalesce(round(extract(epoch FROM due_at - now())), 0)::int
		FROM dashboard.notices`).Scan(&r.Condition, &r.Error, &r.Told, &r.Tries, &r.InSeconds)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func (d *noticing) exec(sql string) {
	d.t.Helper()
	if _, err := d.pool.Exec(d.t.Context(), sql); err != nil {
		d.t.Fatal(err)
	}
}

func TestTwoNotifiersSendEachNoticeOnce(t *testing.T) {
	t.Parallel()
	d := newNoticing(t)
	r := newReceiver(t)
	agents := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	d.paused(agents...)
	var wg sync.WaitGroup
	for range 2 {
		n := d.notifier(d.webhook(r.URL))
		wg.Go(func() {
			if err := n.tick(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff([]int{1, 1, 1, 1, 1, 1, 1, 1}, r.seen()); diff != "" {
		t.Errorf("notices were posted so often: %s", diff)
	}
	d.tick(d.notifier(d.webhook(r.URL))) // a new start sends nothing again
	if got := r.seen(); len(got) != len(agents) || cmp.Diff([]int{1, 1, 1, 1, 1, 1, 1, 1}, got) != "" {
		t.Errorf("after a restart: %v", got)
	}
}

func TestARefusedNoticeIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	d := newNoticing(t)
	r := newReceiver(t, answer(http.StatusInternalServerError), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	d.paused("test-noop")
	n := d.notifier(d.webhook(r.URL))
	for i, want := range []row{
		{"waiting", "500", "", 1, 10}, {"waiting", "EOF", "", 2, 20}, {"sent", "EOF", "webhook", 3, 0},
	} {
		d.tick(n)
		d.tick(n) // not yet
		got := d.row()
		if !strings.Contains(got.Error, want.Error) {
			t.Errorf("try %d: the error is %q", i+1, got.Error)
		}
		got.Error = want.Error
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("try %d: %s", i+1, diff)
		}
		d.exec(`UPDATE ciclo.notices SET due_at = now() WHERE due_at IS NOT NULL`)
	}
	if got := r.seen(); !cmp.Equal(got, []int{3}) {
		t.Errorf("posted %v times, want thrice with one id", got)
	}
}

func TestTheDelayGrowsToAnHour(t *testing.T) {
	t.Parallel()
	for tries, want := range map[int]time.Duration{1: 10 * time.Second, 2: 20 * time.Second, 5: 160 * time.Second, 10: time.Hour, 1000: time.Hour} {
		if got := noticeRetry(tries); got != want {
			t.Errorf("after %d tries %s, want %s", tries, got, want)
		}
	}
}

func TestAnOldNoticeIsGivenUpAndLogged(t *testing.T) {
	t.Parallel()
	d := newNoticing(t)
	r := newReceiver(t, answer(http.StatusGone))
	d.paused("test-noop")
	d.exec(`UPDATE ciclo.notices SET at = now() - interval '25 hours'`)
	d.tick(d.notifier(d.webhook(r.URL)))
	if got := d.row(); got.Condition != "given up" || !strings.Contains(got.Error, "410") {
		t.Errorf("%+v", got)
	}
	if log := d.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "given up") {
		t.Errorf("the log says\n%s", log)
	}
}

// channel is a way to the operator that does what the test wants.
type noticeWay struct {
	name string
	send func(ctx context.Context) error
}

func (c noticeWay) Name() string                                    { return c.name }
func (c noticeWay) Send(ctx context.Context, _ notice.Notice) error { return c.send(ctx) }

func TestAChannelThatFailsRepeatsNothingOnAnother(t *testing.T) {
	t.Parallel()
	d := newNoticing(t)
	r := newReceiver(t)
	d.paused("test-noop")
	away := true
	mail := noticeWay{"mail", func(context.Context) error {
		if away {
			return io.ErrUnexpectedEOF
		}
		return nil
	}}
	d.tick(d.notifier(mail, d.webhook(r.URL)))
	if got := d.row(); got.Told != "webhook" || got.Condition != "waiting" {
		t.Errorf("%+v", got)
	}
	away = false
	d.exec(`UPDATE ciclo.notices SET due_at = now()`)
	d.tick(d.notifier(mail, d.webhook(r.URL)))
	if got := d.row(); got.Told != "webhook mail" || got.Condition != "sent" {
		t.Errorf("%+v", got)
	}
	if got := r.seen(); !cmp.Equal(got, []int{1}) {
		t.Errorf("the webhook was posted %v times", got)
	}
}

func TestAStopInTheMiddleLosesNothing(t *testing.T) {
	t.Parallel()
	d := newNoticing(t)
	asked := make(chan struct{})
	r := newReceiver(t, func(_ http.ResponseWriter, req *http.Request) { close(asked); <-req.Context().Done() })
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stopped := make(chan struct{})
	go func() { d.notifier(d.webhook(r.URL)).run(ctx); close(stopped) }()
	d.paused("test-noop")
	<-asked
	stop()
	<-stopped
	if got := d.row(); got.Condition != "waiting" || got.InSeconds > 0 {
		t.Errorf("a stop leaves %+v, want it due at once", got)
	}
	d.tick(d.notifier(d.webhook(r.URL)))
	if got := d.row(); got.Condition != "sent" || got.Tries != 2 {
		t.Errorf("after the restart %+v", got)
	}
}

// A process that dies while it sends leaves the notice under its lease.
func TestADeathInTheMiddleLosesNothing(t *testing.T) {
	t.Parallel()
	d := newNoticing(t)
	r := newReceiver(t)
	d.paused("test-noop")
	if n, err := d.store.TakeNotice(t.Context(), noticeLease); err != nil || n == nil {
		t.Fatal(n, err)
	}
	d.tick(d.notifier(d.webhook(r.URL)))
	if got := r.seen(); len(got) != 0 {
		t.Errorf("posted %v times under another's lease", got)
	}
	d.exec(`UPDATE ciclo.notices SET due_at = due_at - interval '2 minutes'`)
	d.tick(d.notifier(d.webhook(r.URL)))
	if got := d.row(); got.Condition != "sent" || !cmp.Equal(r.seen(), []int{1}) {
		t.Errorf("%+v, posted %v times", got, r.seen())
	}
}

func TestWithoutAChannelTheLogTellsOnce(t *testing.T) {
	t.Parallel()
	d := newNoticing(t)
	d.paused("test-noop")
	d.tick(d.notifier())
	d.tick(d.notifier())
	if log := d.log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "ciclo resume test-noop") {
		t.Errorf("the log says\n%s", log)
	}
	r := newReceiver(t)
	d.tick(d.notifier(d.webhook(r.URL)))
	if got := r.seen(); len(got) != 0 {
		t.Errorf("a channel configured later was told of what is past: %v", got)
	}
}

func TestNoPasswordIsWrittenDown(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-of-nobody"
	d := newNoticing(t)
	r := newReceiver(t, answer(http.StatusForbidden))
	d.paused("test-noop")
	nobody := newReceiver(t)
	nobody.Close()
	channels, err := notice.Channels(notice.Config{
		Webhook: strings.Replace(r.URL, "//", "//user:"+secret+"@", 1) + "/" + secret,
		SMTP:    "smtp://user:" + secret + "@" + strings.TrimPrefix(nobody.URL, "http://"),
		From:    "ciclo@firm.example", To: "a@firm.example",
	})
	if err != nil {
		t.Fatal(err)
	}
	d.tick(d.notifier(channels...))
	got := d.row()
	if !strings.Contains(got.Error, "403") || !strings.Contains(got.Error, "mail by") {
		t.Errorf("the error is %q", got.Error)
	}
	if strings.Contains(got.Error+d.log.String(), secret) {
		t.Errorf("the secret shows in %q or in\n%s", got.Error, d.log)
	}
}
