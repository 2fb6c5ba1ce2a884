package cli

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
)

type webhooksCommand struct {
	Create     webhooksCreate     `cmd:"" help:"Subscribe a URL to executions' moves, and print the secret that signs what it is sent, this once."`
	List       webhooksList       `cmd:"" help:"List the webhooks."`
	Deliveries webhooksDeliveries `cmd:"" help:"Show what a webhook was told last, or is to be."`
	Retry      webhooksRetry      `cmd:"" help:"Send a delivery that waits or was given up now."`
	End        webhooksEnd        `cmd:"" help:"End a webhook: what waits is given up."`
}

type webhooksCreate struct {
	URL         string   `arg:"" help:"Where to post to."`
	Agent       []string `help:"Whose executions; more than one by repeating the flag. Default: all."`
	Status      []string `help:"The moves to which status; more than one by repeating the flag. Default: completed, failed, cancelled."`
	Description string   `help:"What it is for."`
}

func (c webhooksCreate) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	created, err := api.CreateWebhook(ctx, client.WebhookRequest{URL: c.URL, Description: c.Description, Agents: c.Agent, Statuses: c.Status})
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(created)
	}
	g.say("Webhook %s is told of moves to %s.\nIts secret, which is shown this once: %s", created.Webhook.ID, strings.Join(created.Webhook.Statuses, ", "), created.Secret)
	return nil
}

type webhooksList struct{}

func (webhooksList) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	list, err := api.Webhooks(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"webhooks": list})
	}
	table(g.out, func(row func(...any)) {
		row("WEBHOOK", "URL", "AGENTS", "STATUSES", "WAITING", "ENDED")
		for _, w := range list {
			ended := ""
			if w.EndedAt != nil && w.EndedReason != nil {
				ended = w.EndedAt.Format(time.DateTime) + ": " + *w.EndedReason
			}
			row(w.ID, w.URL, cmp.Or(strings.Join(w.Agents, " "), "all"), strings.Join(w.Statuses, " "), w.Waiting, ended)
		}
	})
	return nil
}

type webhooksDeliveries struct {
	ID string `arg:"" help:"The webhook."`
}

func (c webhooksDeliveries) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	page, err := api.Deliveries(ctx, c.ID, nil)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	table(g.out, func(row func(...any)) {
		row("DELIVERY", "MADE", "EXECUTION", "STATUS", "STATE", "TRIES", "AGAIN AT", "ERROR")
		for _, d := range page.Deliveries {
			again, failed := "", ""
			if d.DueAt != nil {
				again = clock(*d.DueAt)
			}
			if d.Error != nil {
				failed = *d.Error
			}
			row(d.ID, clock(d.CreatedAt), d.ExecutionID, d.Status, d.State, d.Tries, again, failed)
		}
	})
	return nil
}

type webhooksRetry struct {
	ID       string `arg:"" help:"The webhook."`
	Delivery int64  `arg:"" help:"The delivery."`
}

func (c webhooksRetry) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	if err := api.Redeliver(ctx, c.ID, c.Delivery); err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"webhook_id": c.ID, "delivery_id": c.Delivery})
	}
	g.say("Delivery %d is sent within a second or two; `ciclo webhooks deliveries %s` shows how it went.", c.Delivery, c.ID)
	return nil
}

type webhooksEnd struct {
	ID string `arg:"" help:"The webhook."`
}

func (c webhooksEnd) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	if err := api.EndWebhook(ctx, c.ID); err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"webhook_id": c.ID, "ended": true})
	}
	g.say("%s has ended.", c.ID)
	return nil
}
