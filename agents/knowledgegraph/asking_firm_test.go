package knowledgegraph

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/agents/llm"
	"github.com/nuzantara/ciclo/internal/agenttest"
	"github.com/nuzantara/ciclo/internal/modelserver"
)

// askingFirm is one whose builder asks a played model, in a worker of its own.
type askingFirm struct {
	*firm
	rig   *agenttest.Rig
	model *llm.Model
}

// newAskingFirm has four clients and no message yet; the model answers what answer says.
func newAskingFirm(t *testing.T, answer func(modelserver.Asked) string) *askingFirm {
	t.Helper()
	f := &askingFirm{firm: newFirm(t)}
	f.rig = agenttest.On(t, f.pool, Name, answer)
	f.model = f.rig.Model("anthropic", "", "")
	f.exec(`INSERT INTO crm.names (type, id, name) VALUES ('company', 'laut', 'PT Sinar Laut'), ('document', 'passport', 'passport'), ('practice_type', 'kitas', 'KITAS')`)
	f.exec(`INSERT INTO crm.clients (id, name, email, phone) VALUES
		('C1', 'Anna Ruiz', 'anna@example.com', '+447700900001'), ('C2', 'Bela Kovacs', NULL, NULL), ('C3', 'Made Putra', NULL, NULL), ('C4', 'Dora Maar', NULL, NULL)`)
	return f
}

// hears adds a message of a client's conversation, so many hours ago.
func (f *askingFirm) hears(conversation, client, id, role, body string, hours int) {
	f.t.Helper()
	f.exec(`INSERT INTO crm.conversations (id, client_id, started_at) VALUES ($1, $2, now() - interval '9 days') ON CONFLICT DO NOTHING`, conversation, client)
	f.exec(`INSERT INTO crm.messages (id, conversation_id, role, body, sent_at) VALUES ($1, $2, $3, $4, date_trunc('hour', now()) - $5 * interval '1 hour')`, id, conversation, role, body, hours)
}

// completes runs an execution, which must complete.
func (f *askingFirm) completes(b Builder, parameters string) Result {
	f.t.Helper()
	return agenttest.Decode[Result](f.t, f.rig.Ends(b, parameters, false))
}

// shown are the messages of a request.
func shown(a modelserver.Asked) []askedMessage {
	var q struct{ Messages []askedMessage }
	if err := json.Unmarshal([]byte(a.Messages[0].Text), &q); err != nil {
		panic(err) // the server has no test to tell
	}
	return q.Messages
}

// says is what a played model makes of messages that hold some words: names as type and
// text, relations as relation, subject, object and quote.
type says struct {
	words     string
	names     [][2]string
	relations [][4]string
}

// by answers so.
func by(all ...says) func(modelserver.Asked) string {
	return func(a modelserver.Asked) string {
		names, relations := []map[string]any{}, []map[string]any{}
		for _, m := range shown(a) {
			for _, s := range all {
				if !strings.Contains(m.Text, s.words) {
					continue
				}
				for _, n := range s.names {
					names = append(names, map[string]any{"message": m.Message, "type": n[0], "text": n[1]})
				}
				for _, r := range s.relations {
					relations = append(relations, map[string]any{"message": m.Message, "relation": r[0], "subject": r[1], "object": r[2], "quote": r[3]})
				}
			}
		}
		text, err := json.Marshal(map[string]any{"names": names, "relations": relations})
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
}

// clara is what only a model understands, and how it does.
const clara = "Clara Voss earns her bread at Zenith Trading. Greetings to PT Sinar Laut!"

var ofClara = says{
	words: "earns her bread", names: [][2]string{{"person", "Clara Voss"}, {"company", "Zenith Trading"}},
	relations: [][4]string{{"works_for", "Clara Voss", "Zenith Trading", "Clara Voss earns her bread at Zenith Trading"}},
}

const claraWorks = "Clara Voss works_for Zenith Trading holds"
