// Command worker takes executions from the queue and runs their agents.
package main

import (
	"context"
	"log/slog"

	"github.com/alecthomas/kong"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/clientvalue"
	"github.com/nuzantara/ciclo/agents/conversation"
	"github.com/nuzantara/ciclo/agents/messagesender"
	"github.com/nuzantara/ciclo/internal/channel"
	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/worker"
)

// registry is the agents that this binary runs: one line each.
func registry(channels []channel.Channel) map[string]agents.Agent {
	return map[string]agents.Agent{
		clientvalue.Name:   clientvalue.Agent{},
		conversation.Name:  conversation.Trainer{},
		messagesender.Name: messagesender.Agent{Channels: channels},
	}
}

func main() {
	var command struct {
		worker.Command
		channel.Config
	}
	kong.Parse(&command, kong.Name("worker"), kong.Description("Takes executions from the queue and runs their agents."))
	service.Main("worker", func(ctx context.Context, log *slog.Logger) error {
		catalogue, err := agents.Embedded()
		if err != nil {
			return err
		}
		channels, err := command.Channels()
		if err != nil {
			return err
		}
		return command.Work(ctx, log, catalogue, registry(channels))
	})
}
