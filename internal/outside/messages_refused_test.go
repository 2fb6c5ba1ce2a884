package outside

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/channel/played"
	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// What a client wants to hear no more does not leave, though it was approved and
// has an execution by then.
func TestAMessageThatIsNoLongerWanted(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	stopped, withdrawn := m.approved("C-1", "+393331234567"), m.approved("C-2", "c2@elsewhere.example")
	dropped := m.approved("C-3", "c3@elsewhere.example")
	executions := []string{m.dispatched(stopped), m.dispatched(withdrawn), m.dispatched(dropped)}
	m.wrote("+393331234567", "Stop, please")
	if got := m.awaitStatus(stopped, "rejected"); reason(got) != "the client has opted out" {
		t.Errorf("the reason is %q", reason(got))
	}
	m.exec(`UPDATE crm.clients SET consent_marketing = false WHERE id = 'C-2'`)
	if _, err := m.api.RejectMessage(t.Context(), dropped, "we talked"); err != nil {
		t.Fatal(err)
	}
	m.worker()
	if got := m.awaitStatus(withdrawn, "rejected"); reason(got) != "the client has not consented to messages" {
		t.Errorf("the reason is %q", reason(got))
	}
	for _, id := range executions {
		e := m.await(id, 30*time.Second, "its execution is over", client.Execution.Final)
		var result struct {
			Sent   bool
			Reason string
		}
		if err := json.Unmarshal(e.Result, &result); err != nil || e.Status != "completed" || result.Sent || result.Reason == "" {
			t.Errorf("its execution is %s", e.Raw)
		}
	}
	m.awaitStatus(dropped, "rejected")
	if n := len(m.twilio.Messages()) + len(m.mails.Messages()); n != 0 {
		t.Errorf("%d messages left", n)
	}
	// START takes it back, for what is drafted from then on.
	m.wrote("+393331234567", "START")
	m.awaitStatus(m.approved("C-1", "+393331234567"), "sent")
	m.expectLeft("+393331234567", 1)
}

// wrote posts what a client wrote, as Twilio does.
func (m *messaging) wrote(from, body string) {
	m.t.Helper()
	form := url.Values{"From": {"whatsapp:" + from}, "Body": {body}, "MessageSid": {"SM1"}}
	req, err := m.twilio.Inbound(m.t.Context(), publicURL+inboundPath, form)
	if err != nil {
		m.t.Fatal(err)
	}
	here, err := url.Parse(m.api.URL)
	if err != nil {
		m.t.Fatal(err)
	}
	req.URL.Scheme, req.URL.Host, req.Host = here.Scheme, here.Host, ""
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		m.t.Fatalf("the webhook is answered %s", resp.Status)
	}
}

// STOP comes while the provider may have the message: it has not, and the next
// attempt must not send it.
func TestSTOPBetweenTwoAttempts(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	worker := m.worker()
	m.twilio.Misbehave(played.Command{Do: "hang"})
	id := m.approved("C-1", "+393331234567")
	eventually(t, 30*time.Second, "Twilio holds it", func() bool { return m.twilio.Hung() == 1 })
	worker.signal(syscall.SIGKILL)
	worker.wait(10 * time.Second)
	m.wrote("+393331234567", "STOP")
	m.worker()
	got := m.awaitStatus(id, "rejected")
	if !strings.Contains(reason(got), "opted out") {
		t.Errorf("the reason is %q", reason(got))
	}
	m.expectLeft("+393331234567", 0)
}

func TestADryRunOfTheSenderSendsNothing(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	m.worker()
	m.exec(`UPDATE ciclo.contact_policy SET channels = '{}'`)
	id := m.approved("C-1", "+393331234567")
	m.exec(`UPDATE ciclo.messages SET not_before = now() + interval '1 hour' WHERE id = $1`, id)
	m.exec(`UPDATE ciclo.contact_policy SET channels = '{whatsapp,email}'`)
	before := m.row(`SELECT to_jsonb(m)::text FROM ciclo.messages m WHERE id = $1`, id)
	e, err := m.api.DryRun(t.Context(), "", "message-sender", map[string]string{"message_id": id})
	if err != nil {
		t.Fatal(err)
	}
	e = m.await(e.ID, 30*time.Second, "it is over", client.Execution.Final)
	var result struct {
		Sent   bool
		DryRun struct{ Effects []string } `json:"dry_run"`
	}
	if err := json.Unmarshal(e.Result, &result); err != nil || e.Status != "completed" || result.Sent || len(result.DryRun.Effects) != 1 || result.DryRun.Effects[0] != "send" {
		t.Errorf("it ended as %s", e.Raw)
	}
	if after := m.row(`SELECT to_jsonb(m)::text FROM ciclo.messages m WHERE id = $1`, id); after != before {
		t.Errorf("before %s\nafter %s", before, after)
	}
	if n := m.row(`SELECT ((SELECT count(*) FROM ciclo.contacts) + (SELECT count(*) FROM ciclo.effects) + (SELECT count(*) FROM ciclo.opt_outs))::text`); n != "0" {
		t.Errorf("%s rows are left", n)
	}
	m.expectLeft("+393331234567", 0)
	m.again(id)
	m.awaitStatus(id, "sent")
	m.expectLeft("+393331234567", 1)
}

func TestAWorkersConfigurationOfMessagesIsLookedAt(t *testing.T) {
	t.Parallel()
	env := []string{"DATABASE_URL=" + testdatabase.New(t)}
	for says, wrong := range map[string]string{
		"CICLO_MESSAGE_SETTLE":     "CICLO_MESSAGE_SETTLE=0s",
		"CICLO_TWILIO_ACCOUNT_SID": "CICLO_TWILIO_FROM=+390612345678",
		"CICLO_MAIL_SERVER":        "CICLO_MAIL_FROM=hello@firm.example",
	} {
		if _, said, code := run(t, "", "worker", append(env[:1:1], wrong)); code != service.ExitConfig || !strings.Contains(said, says) {
			t.Errorf("%s: exit code %d, %s", wrong, code, said)
		}
	}
}
