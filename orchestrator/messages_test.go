package orchestrator_test

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio's signature is made with it
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/orchestrator"
)

const (
	twilioToken = "the-token-that-signs"
	publicURL   = "https://ciclo.firm.example"
	inbound     = prefix + "/messages/inbound/twilio"
)

// newMessagingAPI is an API with a draft for each client.
func newMessagingAPI(t *testing.T, clients ...string) (a *api, ids []string) {
	t.Helper()
	a = newAPIOn(t, testdatabase.New(t), io.Discard, func(c *orchestrator.Config) { c.TwilioToken, c.PublicURL = twilioToken, publicURL })
	drafter := a.run("test-noop", "")
	for i, client := range clients {
		id := "message_" + uuid.Must(uuid.NewV7()).String()
		a.exec(`INSERT INTO crm.clients (id, consent_marketing) VALUES ($1, true)`, client)
		a.exec(`
			INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body)
			VALUES ($1, $2, $3, 'slipping', 'en', '{"clv": 1234.5}', 'whatsapp', $4, 'Asia/Makassar', 'Hello', 'Hello there')`,
			id, client, drafter, fmt.Sprintf("+62812345678%02d", i))
		ids = append(ids, id)
	}
	return a, ids
}

func TestDraftsAreApprovedAndRejected(t *testing.T) {
	t.Parallel()
	a, ids := newMessagingAPI(t, "C-1", "C-2", "C-3")
	approver := a.newToken("analyst", "approve")
	as := []string{"Authorization", "Bearer " + approver}

	r := a.send("POST", prefix+"/messages/"+ids[0]+"/approve", `{"body": "Hello, Wayan"}`, as...)
	if r.status != http.StatusOK || r.field(t, "status") != "approved" || r.field(t, "body") != "Hello, Wayan" || r.field(t, "approved_by") != "analyst" {
		t.Errorf("approved: %d %s", r.status, r.body)
	}
	r = a.send("POST", prefix+"/messages/"+ids[1]+"/reject", `{"reason": "we talked yesterday"}`, as...)
	if r.status != http.StatusOK || r.field(t, "status") != "rejected" || r.field(t, "reason") != "analyst: we talked yesterday" {
		t.Errorf("rejected: %d %s", r.status, r.body)
	}
	if r = a.send("POST", prefix+"/messages/"+ids[2]+"/approve", "", as...); r.status != http.StatusOK {
		t.Errorf("approved as it is: %d %s", r.status, r.body)
	}
	for name, c := range map[string]struct {
		path, body string
		status     int
	}{
		"approved twice":            {ids[0] + "/approve", "", http.StatusConflict},
		"rejected twice":            {ids[1] + "/reject", "", http.StatusConflict},
		"resolved, but not unknown": {ids[0] + "/resolve", `{"outcome": "sent"}`, http.StatusConflict},
		"resolved as nothing":       {ids[0] + "/resolve", `{"outcome": "perhaps"}`, http.StatusUnprocessableEntity},
		"resolved without a word":   {ids[0] + "/resolve", "", http.StatusUnprocessableEntity},
		"an empty text":             {ids[2] + "/approve", `{"body": ""}`, http.StatusUnprocessableEntity},
		"a text too long":           {ids[2] + "/approve", `{"body": "` + strings.Repeat("x", 1601) + `"}`, http.StatusUnprocessableEntity},
		"a blank text":              {ids[2] + "/approve", `{"body": " \n "}`, http.StatusUnprocessableEntity},
		"a text with an escape":     {ids[2] + "/approve", `{"body": "a\u001b[2Jb"}`, http.StatusUnprocessableEntity},
		"a text that turns":         {ids[2] + "/approve", `{"body": "a\u202eb"}`, http.StatusUnprocessableEntity},
		"a placeholder":             {ids[2] + "/approve", `{"body": "Dear {name}"}`, http.StatusUnprocessableEntity},
		"an unknown field":          {ids[2] + "/approve", `{"text": "x"}`, http.StatusUnprocessableEntity},
		"no such message":           {"message_x/approve", "", http.StatusNotFound},
		"no message's id":           {"%00/approve", "", http.StatusNotFound},
		"not JSON":                  {ids[2] + "/approve", "x", http.StatusBadRequest},
	} {
		if r := a.send("POST", prefix+"/messages/"+c.path, c.body, as...); r.status != c.status {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	r = a.send("GET", prefix+"/messages?status=approved&limit=1", "", as...)
	if list := r.field(t, "messages").([]any); len(list) != 1 || list[0].(map[string]any)["message_id"] != ids[2] {
		t.Errorf("the newest approved: %s", r.body)
	}
	r = a.send("GET", prefix+"/messages?status=approved&limit=1&cursor="+r.field(t, "next_cursor").(string), "", as...)
	if list := r.field(t, "messages").([]any); len(list) != 1 || list[0].(map[string]any)["message_id"] != ids[0] || r.field(t, "next_cursor") != nil {
		t.Errorf("the next page: %s", r.body)
	}
	if r = a.send("GET", prefix+"/messages?client_id=C-2", ""); len(r.field(t, "messages").([]any)) != 1 {
		t.Errorf("of one client: %s", r.body)
	}
	if r = a.send("GET", prefix+"/messages/"+ids[0], ""); r.field(t, "message_id") != ids[0] {
		t.Errorf("one: %s", r.body)
	}
	for _, query := range []string{"status=x", "limit=0", "limit=201", "cursor=x", "cursor=", "client_id=", "client_id=a&client_id=b", "x=1"} {
		if r := a.send("GET", prefix+"/messages?"+query, ""); r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
}

func TestTheContactPolicy(t *testing.T) {
	t.Parallel()
	a, _ := newMessagingAPI(t)
	r := a.send("GET", prefix+"/messages/policy", "")
	if len(r.field(t, "channels").([]any)) != 0 || r.field(t, "cooldown_hours") != 168.0 || r.field(t, "daily_cap") != 100.0 || r.field(t, "quiet_from") != "20:00" {
		t.Errorf("the rules at first: %s", r.body)
	}
	r = a.send("PATCH", prefix+"/messages/policy", `{"channels": ["email"], "zone": "Asia/Makassar", "region": "ID", "firm": "The Firm", "quiet_from": "21:30", "daily_cap": 5, "cooldown_hours": 48.5, "auto_templates": ["slipping"]}`)
	if r.status != http.StatusOK || r.field(t, "zone") != "Asia/Makassar" || r.field(t, "quiet_from") != "21:30" || r.field(t, "quiet_until") != "08:00" || r.field(t, "changed_by") != "CICLO_TOKEN" || r.field(t, "cooldown_hours") != 48.5 {
		t.Errorf("changed: %d %s", r.status, r.body)
	}
	for _, body := range []string{
		`{"channels": ["pigeon"]}`, `{"channels": null}`, `{"auto_templates": ["nobody"]}`, `{"cooldown_hours": -1}`, `{"cooldown_hours": 1e9}`, `{"daily_cap": -1}`, `{"daily_cap": 100000}`,
		`{"quiet_from": "24:00"}`, `{"quiet_until": "8"}`, `{"zone": "Mars"}`, `{"zone": ""}`, `{"region": "indonesia"}`, `{"region": "UK"}`, `{"region": "EU"}`, `{"firm": "a\nb"}`, `{"x": 1}`, `[]`,
	} {
		if r := a.send("PATCH", prefix+"/messages/policy", body); r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	if r := a.send("PUT", prefix+"/messages/templates/slipping/es", `{"subject": "Hola", "body": "Hola {name|}, {firm}"}`); r.status != http.StatusOK {
		t.Errorf("a template: %d %s", r.status, r.body)
	}
	if r := a.send("GET", prefix+"/messages/templates", ""); len(r.field(t, "templates").([]any)) != 4 {
		t.Errorf("the templates: %s", r.body)
	}
	for path, body := range map[string]string{
		"slipping/es":      `{"subject": "Hola", "body": "Hola {surname}"}`,
		"slipping/en":      `{"subject": "a\nb", "body": "x"}`,
		"slipping/it":      `{"subject": "", "body": "x"}`,
		"slipping/id":      `{"subject": "x"}`,
		"slipping/english": `{"subject": "x", "body": "x"}`,
		"Slipping/en":      `{"subject": "x", "body": "x"}`,
	} {
		if r := a.send("PUT", prefix+"/messages/templates/"+path, body); r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s %s: %d %s", path, body, r.status, r.body)
		}
	}
}

func TestOptOuts(t *testing.T) {
	t.Parallel()
	a, ids := newMessagingAPI(t, "C-1", "C-2")
	a.send("PATCH", prefix+"/messages/policy", `{"region": "ID"}`)
	if r := a.send("POST", prefix+"/messages/opt-outs", `{"address": "0812-3456 7800", "detail": "by telephone"}`); r.status != http.StatusCreated {
		t.Errorf("by a national number: %d %s", r.status, r.body)
	}
	if r := a.send("GET", prefix+"/messages/"+ids[0], ""); r.field(t, "status") != "rejected" {
		t.Errorf("what waited: %s", r.body)
	}
	if r := a.send("POST", prefix+"/messages/opt-outs", `{"client_id": "C-2"}`); r.status != http.StatusCreated {
		t.Errorf("by a client: %d %s", r.status, r.body)
	}
	r := a.send("GET", prefix+"/messages/opt-outs?limit=1", "")
	newest := r.field(t, "opt_outs").([]any)[0].(map[string]any)
	if newest["client_id"] != "C-2" || newest["source"] != "hand" || r.field(t, "next_cursor") == nil {
		t.Errorf("the newest: %s", r.body)
	}
	end := fmt.Sprintf("%s/messages/opt-outs/%v", prefix, newest["opt_out_id"])
	if r := a.send("DELETE", end, ""); r.status != http.StatusOK {
		t.Errorf("ended: %d %s", r.status, r.body)
	}
	if r := a.send("DELETE", end, ""); r.status != http.StatusNotFound {
		t.Errorf("ended twice: %d %s", r.status, r.body)
	}
	for _, body := range []string{`{}`, `{"address": "12"}`, `{"address": "+000000"}`, `{"address": "<a@b.example>"}`, `{"address": "mailto:a@b.example"}`, `{"address": "a@b.example,c@d.example"}`, `{"detail": "x"}`, `{"client_id": "` + strings.Repeat("x", 1001) + `"}`} {
		if r := a.send("POST", prefix+"/messages/opt-outs", body); r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	if r := a.send("DELETE", prefix+"/messages/opt-outs/x", ""); r.status != http.StatusNotFound {
		t.Errorf("no number: %d %s", r.status, r.body)
	}
}

// sign is Twilio's signature, by its documentation: HMAC-SHA1 of the URL and each
// parameter's name and value, in the order of the names.
func sign(token, url string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(url)) // never an error
	for _, name := range slices.Sorted(maps.Keys(form)) {
		mac.Write([]byte(name + form.Get(name)))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// wrote is what Twilio posts when a client wrote back.
func (a *api) wrote(body, from, signed string) answer {
	form := url.Values{"From": {"whatsapp:" + from}, "Body": {body}, "MessageSid": {"SM1"}}
	return a.send("POST", inbound, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Authorization", "",
		"X-Twilio-Signature", sign(signed, publicURL+inbound, form))
}

func TestSTOPIsAnOptOut(t *testing.T) {
	t.Parallel()
	a, ids := newMessagingAPI(t, "C-1", "C-2")
	if r := a.wrote("STOP", "+6281234567800", "another-token"); r.status != http.StatusForbidden {
		t.Errorf("signed by another: %d %s", r.status, r.body)
	}
	if r := a.send("GET", prefix+"/messages/"+ids[0], ""); r.field(t, "status") != "draft" {
		t.Errorf("after a forgery: %s", r.body)
	}
	if r := a.wrote("Thank you, let us talk on Monday", "+6281234567800", twilioToken); r.status != http.StatusOK {
		t.Errorf("an answer: %d %s", r.status, r.body)
	}
	for range 2 { // Twilio may say it twice
		if r := a.wrote("Stop", "+6281234567800", twilioToken); r.status != http.StatusOK || !strings.Contains(string(r.body), "<Response/>") || r.header.Get("Content-Type") != "text/xml" {
			t.Errorf("STOP: %d %s", r.status, r.body)
		}
	}
	for id, want := range map[string]string{ids[0]: "rejected", ids[1]: "draft"} {
		if r := a.send("GET", prefix+"/messages/"+id, ""); r.field(t, "status") != want {
			t.Errorf("it is not %s: %s", want, r.body)
		}
	}
	open := func() (n int) {
		if err := a.pool.QueryRow(t.Context(), `SELECT count(*) FROM ciclo.opt_outs WHERE ended_at IS NULL`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := open(); n != 2 { // of the address, and of its client
		t.Errorf("%d opt-outs", n)
	}
	if r := a.wrote("START", "+6281234567800", twilioToken); r.status != http.StatusOK || open() != 0 {
		t.Errorf("START: %d %s, %d opt-outs are open", r.status, r.body, open())
	}
	off := newAPI(t)
	if r := off.wrote("STOP", "+6281234567800", twilioToken); r.status != http.StatusNotFound {
		t.Errorf("where it isn't set up: %d %s", r.status, r.body)
	}
}
