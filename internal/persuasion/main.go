// Command persuasion converts PersuasionForGood for ciclo import, as
// docs/persuasionforgood.md says.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nuzantara/ciclo/agents/conversation"
	"github.com/nuzantara/ciclo/agents/conversation/eval"
)

func main() {
	data := flag.String("data", "../shared/data", "folder of the data sets")
	out := flag.String("out", ".", "folder for conversations.jsonl and messages.jsonl")
	flag.Parse()
	if err := run(*data, *out); err != nil {
		fmt.Fprintln(os.Stderr, "persuasion:", err)
		os.Exit(1)
	}
}

func run(data, out string) error {
	dialogues, err := eval.ReadPersuasion(data)
	if err != nil {
		return err
	}
	set, err := eval.Convert(dialogues)
	if err != nil {
		return err
	}
	var conversations, messages []any
	for _, c := range set.Conversations {
		outcome := "lost"
		if c.Won {
			outcome = "won"
		}
		conversations = append(conversations, map[string]any{
			"id": c.ID, "channel": c.Channel, "started_at": instant(c.StartedAt), "outcome": outcome, "outcome_at": instant(c.OutcomeAt),
		})
	}
	for _, m := range set.Messages {
		role := "client"
		if m.Role == conversation.Agent {
			role = "agent"
		}
		messages = append(messages, map[string]any{"id": m.ID, "conversation_id": m.ConversationID, "role": role, "body": m.Body, "sent_at": instant(m.SentAt)})
	}
	return errors.Join(
		writeLines(filepath.Join(out, "conversations.jsonl"), conversations),
		writeLines(filepath.Join(out, "messages.jsonl"), messages))
}

func instant(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339) }

func writeLines(path string, lines []any) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	encoder := json.NewEncoder(file)
	for _, line := range lines {
		if err := encoder.Encode(line); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return nil
}
