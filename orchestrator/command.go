package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/metrics"
	"github.com/nuzantara/ciclo/internal/notice"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/schedule"
	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/internal/telemetry"
)

// Command is the service's configuration as flags and environment (kong reads
// it), and how the service is put together from it.
type Command struct {
	service.Database
	Replica service.Replica `embed:""`

	Listen    string        `env:"CICLO_LISTEN" default:"127.0.0.1:8080" help:"Address to serve the API on."`
	Token     string        `env:"CICLO_TOKEN" help:"Bearer token that may do all, at least 16 characters. Others are made by ciclo token."`
	TokenFile string        `env:"CICLO_TOKEN_FILE" help:"File that holds the token."`
	ReapEvery time.Duration `env:"CICLO_REAP_EVERY" default:"1s" help:"Time between two looks for lost workers and due executions."`

	Retention     string `env:"CICLO_RETENTION" placeholder:"AGE" help:"Prune history that ended longer ago, such as 90d or 12w, at least a day; results stay. Default: keep everything."`
	MetricsListen string `env:"CICLO_METRICS_LISTEN" help:"Address to serve metrics on without a token, such as 10.0.0.5:9464. Keep it private. Default: /metrics with a token alone."`

	RateLimit float64 `env:"CICLO_RATE_LIMIT" default:"0" help:"Requests a second that each token may make; 0 is no limit."`

	Zone               string `env:"CICLO_ZONE" default:"UTC" help:"The firm's time zone, such as Asia/Makassar: of default schedules and of business hours."`
	EnableOrchestrator bool   `env:"ENABLE_ORCHESTRATOR" default:"true" negatable:"" help:"Open cycles; without it this process answers the API alone."`

	PublicURL       string `env:"CICLO_PUBLIC_URL" help:"Where the outside world reaches this service, such as https://ciclo.firm.example: Twilio signs it."`
	TwilioToken     string `name:"twilio-auth-token" env:"CICLO_TWILIO_AUTH_TOKEN" help:"Twilio's auth token, which proves that what clients write back comes from there."`
	TwilioTokenFile string `name:"twilio-auth-token-file" env:"CICLO_TWILIO_AUTH_TOKEN_FILE" help:"File that holds it."`

	NoticeWebhook     string `env:"CICLO_NOTICE_WEBHOOK" help:"URL that notices to the operator are posted to as JSON."`
	NoticeWebhookFile string `env:"CICLO_NOTICE_WEBHOOK_FILE" help:"File that holds that URL."`
	NoticeSMTP        string `env:"CICLO_NOTICE_SMTP" help:"Mail server for notices, such as smtp://user:password@host:587 or smtps://user:password@host."`
	NoticeSMTPFile    string `env:"CICLO_NOTICE_SMTP_FILE" help:"File that holds the mail server's URL."`
	NoticeFrom        string `env:"CICLO_NOTICE_FROM" help:"Sender of notices by mail."`
	NoticeTo          string `env:"CICLO_NOTICE_TO" help:"Receivers of notices by mail, with commas between."`
}

// Serve runs the service with a catalogue until ctx is done. A database that
// isn't there yet is waited for, with 503 as the answer meanwhile; one with
// another schema is an error.
func (c *Command) Serve(ctx context.Context, log *slog.Logger, catalogue agents.Catalogue) (err error) {
	token, err := service.Secret(c.Token, c.TokenFile)
	if err != nil {
		return err
	}
	if token == "" {
		log.Warn("CICLO_TOKEN is not set: only tokens made by `ciclo token create` open the API")
	}
	twilio, err := service.Secret(c.TwilioToken, c.TwilioTokenFile)
	if err != nil {
		return fmt.Errorf("read CICLO_TWILIO_AUTH_TOKEN: %w", err)
	}
	notices, err := c.noticeChannels()
	if err != nil {
		return err
	}
	older, err := age(c.Retention)
	if err != nil {
		return err
	}
	pool, err := c.Connect(ctx, "ciclo orchestrator", c.MaxConns)
	if err != nil {
		return err
	}
	defer pool.Close()
	name, err := postgres.OrchestratorName()
	if err != nil {
		return err
	}
	reaperPool, err := c.Connect(ctx, name, 2)
	if err != nil {
		return err
	}
	defer reaperPool.Close()
	replica, err := c.ConnectReplica(ctx, c.Replica, "ciclo orchestrator reads")
	if err != nil {
		return err
	}
	if replica != nil {
		defer replica.Close()
	}
	zone, err := schedule.Zone(c.Zone)
	if err != nil {
		return fmt.Errorf("CICLO_ZONE: %w", err)
	}
	traces := telemetry.Start(ctx, "ciclo-orchestrator", service.Version(), log)
	defer traces.Stop(ctx)
	log = traces.Logger(log)
	registry := metrics.New("orchestrator", service.Version())
	o, err := New(Config{
		Metrics: registry,
		Zone:    zone, NoScheduling: !c.EnableOrchestrator, TwilioToken: twilio, PublicURL: c.PublicURL,
		Pool: pool, ReaperPool: reaperPool, Replica: replica, ReplicaWait: c.Replica.ReadWait, Catalogue: catalogue, Token: token, RateLimit: c.RateLimit,
		Lease: c.Lease, ReapEvery: c.ReapEvery, Notices: notices, Retention: older, Traces: traces, Version: service.Version(), Log: log,
	})
	if err != nil {
		return err
	}
	if err := c.refuseCopy(ctx, pool); err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if c.MetricsListen != "" {
		shown, listening := metrics.Listen(ctx, c.MetricsListen, registry, log)
		if listening != nil {
			return errors.Join(listening, listener.Close())
		}
		defer func() { err = errors.Join(err, shown.Close()) }()
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	known := make(chan error, 1)
	go func() {
		err := c.Await(ctx, pool, nil, log)
		if err != nil && ctx.Err() == nil {
			stop() // this database is not ours to serve
		} else {
			err = nil
		}
		known <- err
	}()
	served := o.Run(ctx, listener)
	stop()
	if err := <-known; err != nil {
		return err
	}
	return served
}

// refuseCopy looks, before any loop runs, whether the database is a copy of the one
// that was known. One that isn't there yet is looked at later.
func (c *Command) refuseCopy(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var another *postgres.CopyError
	if err := postgres.CheckIncarnation(ctx, pool, false); errors.As(err, &another) {
		return another
	}
	return nil
}

// noticeChannels are the ways to the operator that the configuration names.
func (c *Command) noticeChannels() ([]notice.Channel, error) {
	webhook, err := service.Secret(c.NoticeWebhook, c.NoticeWebhookFile)
	if err != nil {
		return nil, fmt.Errorf("read CICLO_NOTICE_WEBHOOK: %w", err)
	}
	smtp, err := service.Secret(c.NoticeSMTP, c.NoticeSMTPFile)
	if err != nil {
		return nil, fmt.Errorf("read CICLO_NOTICE_SMTP: %w", err)
	}
	return notice.Channels(notice.Config{Webhook: webhook, SMTP: smtp, From: c.NoticeFrom, To: c.NoticeTo})
}
