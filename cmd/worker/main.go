// Command worker takes executions from the queue and runs their agents.
package main

import (
	"context"
	"log/slog"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/clientvalue"
	"github.com/nuzantara/ciclo/agents/conversation"
	"github.com/nuzantara/ciclo/agents/cycleplanner"
	"github.com/nuzantara/ciclo/agents/knowledgegraph"
	"github.com/nuzantara/ciclo/agents/llm"
	"github.com/nuzantara/ciclo/agents/messagesender"
	"github.com/nuzantara/ciclo/internal/channel"
	"github.com/nuzantara/ciclo/internal/pullrequest"
	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/worker"
)

// registry is the agents that this binary runs: one line each.
func registry(catalogue agents.Catalogue, trainer conversation.Trainer, sender messagesender.Agent, models *llm.Models) map[string]agents.Agent {
	return map[string]agents.Agent{
		clientvalue.Name:    clientvalue.Agent{Model: models.For(clientvalue.Name)},
		conversation.Name:   trainer,
		cycleplanner.Name:   cycleplanner.Agent{Catalogue: catalogue, Model: models.For(cycleplanner.Name)},
		knowledgegraph.Name: knowledgegraph.Builder{Model: models.For(knowledgegraph.Name)},
		messagesender.Name:  sender,
	}
}

// command is the configuration of the worker and of what its agents need.
type command struct {
	worker.Command
	Channel    channel.Config       `embed:""`
	Sender     messagesender.Config `embed:""`
	Repository pullrequest.Settings `embed:""`
	Trainer    conversation.Config  `embed:""`
	Models     llm.Config           `embed:""`
}

func main() {
	c := command{Models: llm.Config{Askers: []string{clientvalue.Name, conversation.Name, cycleplanner.Name, knowledgegraph.Name}}}
	service.Main("worker", "Takes executions from the queue and runs their agents.", &c, func(ctx context.Context, log *slog.Logger) error {
		catalogue, err := agents.Embedded()
		if err != nil {
			return err
		}
		channels, err := c.Channel.Channels()
		if err != nil {
			return err
		}
		sender, err := c.Sender.New(channels)
		if err != nil {
			return err
		}
		repository, err := c.Repository.Open()
		if err != nil {
			return err
		}
		models, err := c.Models.Open()
		if err != nil {
			return err
		}
		trainer := conversation.Trainer{Repository: repository, Config: c.Trainer, Model: models.For(conversation.Name)}
		return c.Work(ctx, log, catalogue, registry(catalogue, trainer, sender, models))
	})
}
