package notice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nuzantara/ciclo/internal/webhook"
)

// webhookChannel posts notices as JSON.
type webhookChannel struct {
	url    string
	client *webhook.Client
}

func newWebhook(text string) (*webhookChannel, error) {
	if err := webhook.CheckURL(text); err != nil {
		return nil, errors.New(webhookVariable + " " + err.Error())
	}
	return &webhookChannel{text, webhook.NewClient()}, nil
}

func (*webhookChannel) Name() string { return "webhook" }

func (w *webhookChannel) Send(ctx context.Context, n Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("write the notice as JSON: %w", err)
	}
	_, err = w.client.Post(ctx, w.url, webhook.Message{ID: n.ID, Body: body})
	return err
}
