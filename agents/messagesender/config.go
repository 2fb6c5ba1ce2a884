package messagesender

import (
	"errors"
	"time"

	"github.com/nuzantara/ciclo/internal/channel"
)

// Config is the agent's configuration, as flags and environment. kong reads it.
type Config struct {
	Settle time.Duration `name:"message-settle" env:"CICLO_MESSAGE_SETTLE" default:"45s" help:"How long Twilio may take to list a message that it has accepted, before one that may have left is sent again."`
}

// Check says what is wrong.
func (c Config) Check() error {
	if c.Settle < time.Second || c.Settle > 4*time.Minute {
		return errors.New("CICLO_MESSAGE_SETTLE must be from 1s to 4m: an attempt has five minutes")
	}
	return nil
}

// New is the agent on the channels that are set up. An error names the variable.
func (c Config) New(channels []channel.Channel) (Agent, error) {
	if err := c.Check(); err != nil {
		return Agent{}, err
	}
	return Agent{Channels: channels, Settle: c.Settle}, nil
}
