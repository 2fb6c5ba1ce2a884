package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
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
	service.Process
	service.Database
	Replica   service.Replica    `embed:""`
	Telemetry telemetry.Settings `kong:"-" config:"environment"`

	Listen    string        `env:"CICLO_LISTEN" unit:"host:port" default:"127.0.0.1:8080" help:"Address to serve the API on."`
	Token     string        `env:"CICLO_TOKEN" help:"Bearer token that may do all, at least 16 characters. Others are made by ciclo token."`
	TokenFile string        `env:"CICLO_TOKEN_FILE" help:"File that holds the token."`
	ReapEvery time.Duration `env:"CICLO_REAP_EVERY" default:"1s" help:"Time between two looks for lost workers and due executions."`

	Retention     string `env:"CICLO_RETENTION" placeholder:"AGE" unit:"hours, days or weeks" help:"Prune history that ended longer ago, such as 90d or 12w, at least a day; results stay. Default: keep everything."`
	MetricsListen string `env:"CICLO_METRICS_LISTEN" unit:"host:port" help:"Address to serve metrics on without a token, such as 10.0.0.5:9464. Keep it private. Default: /metrics with a token alone."`

	RateLimit float64 `env:"CICLO_RATE_LIMIT" unit:"requests a second" default:"0" help:"Requests a second that each token may make; 0 is no limit."`

	Zone               string `env:"CICLO_ZONE" unit:"time zone" default:"UTC" help:"The firm's time zone, such as Asia/Makassar: of default schedules and of business hours."`
	EnableOrchestrator bool   `env:"ENABLE_ORCHESTRATOR" default:"true" negatable:"" help:"Open cycles; without it this process answers the API alone."`

	PublicURL       string `env:"CICLO_PUBLIC_URL" unit:"URL" help:"Where the outside world reaches this service, such as https://ciclo.firm.example: Twilio signs it."`
	TwilioToken     string `name:"twilio-auth-token" env:"CICLO_TWILIO_AUTH_TOKEN" help:"Twilio's auth token, which proves that what clients write back comes from there."`
	TwilioTokenFile string `name:"twilio-auth-token-file" env:"CICLO_TWILIO_AUTH_TOKEN_FILE" help:"File that holds it."`

	NoticeWebhook     string `env:"CICLO_NOTICE_WEBHOOK" unit:"URL" help:"URL that notices to the operator are posted to as JSON."`
	NoticeWebhookFile string `env:"CICLO_NOTICE_WEBHOOK_FILE" help:"File that holds that URL."`
	NoticeSMTP        string `env:"CICLO_NOTICE_SMTP" unit:"URL" help:"Mail server for notices, such as smtp://user:password@host:587 or smtps://user:password@host."`
	NoticeSMTPFile    string `env:"CICLO_NOTICE_SMTP_FILE" help:"File that holds the mail server's URL."`
	NoticeFrom        string `env:"CICLO_NOTICE_FROM" unit:"mail address" help:"Sender of notices by mail."`
	NoticeTo          string `env:"CICLO_NOTICE_TO" unit:"mail addresses" help:"Receivers of notices by mail, with commas between."`
}

// Check says all that is wrong, across the fields too.
func (c *Command) Check() error {
	all := []error{c.checkToken()}
	if c.ReapEvery < 10*time.Millisecond || c.ReapEvery > time.Minute {
		all = append(all, fmt.Errorf("CICLO_REAP_EVERY is %s: it must be in 10ms..1m", c.ReapEvery))
	}
	if c.RateLimit < 0 || math.IsNaN(c.RateLimit) || math.IsInf(c.RateLimit, 0) {
		all = append(all, fmt.Errorf("CICLO_RATE_LIMIT is %v: it must be 0, for no limit, or more", c.RateLimit))
	}
	if _, err := age(c.Retention); err != nil {
		all = append(all, err)
	}
	if _, err := schedule.Zone(c.Zone); err != nil {
		all = append(all, fmt.Errorf("CICLO_ZONE: %w", err))
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil) {
		all = append(all, errors.New("CICLO_PUBLIC_URL is no URL such as https://ciclo.firm.example"))
	}
	_, err := c.noticeChannels()
	all = append(all, service.CheckListen("CICLO_LISTEN", c.Listen), service.CheckListen("CICLO_METRICS_LISTEN", c.MetricsListen), err)
	return errors.Join(all...)
}

// Warn says what is odd.
func (c *Command) Warn() error {
	if c.Token == "" && c.TokenFile == "" {
		return errors.New("CICLO_TOKEN is not set: only tokens made by `ciclo token create` open the API")
	}
	return nil
}

// Connections is how many a process takes at most: the main pool and the reaper's.
func (c *Command) Connections() int { return int(c.MaxConns) + reaperConns }

const reaperConns = 2

func (c *Command) checkToken() error {
	token, err := service.Secret(c.Token, c.TokenFile)
	switch {
	case err != nil:
		return fmt.Errorf("CICLO_TOKEN: %w", err)
	case c.TokenFile != "" && token == "":
		return errors.New("CICLO_TOKEN_FILE names an empty file")
	case token != "" && len(token) < minToken:
		return fmt.Errorf("CICLO_TOKEN has %d characters: it must have at least %d", len(token), minToken)
	}
	return nil
}

// Serve runs the service with a catalogue until ctx is done. A database that
// isn't there yet is waited for, with 503 as the answer meanwhile; one with
// another schema is an error.
func (c *Command) Serve(ctx context.Context, log *slog.Logger, catalogue agents.Catalogue) (err error) {
	token, err := service.Secret(c.Token, c.TokenFile)
	if err != nil {
		return err
	}
	twilio, err := service.Secret(c.TwilioToken, c.TwilioTokenFile)
	if err != nil {
		return fmt.Errorf("CICLO_TWILIO_AUTH_TOKEN: %w", err)
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
	reaperPool, err := c.Connect(ctx, name, reaperConns)
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
		err := c.Await(ctx, "orchestrator", pool, nil, log)
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
		return nil, fmt.Errorf("CICLO_NOTICE_WEBHOOK: %w", err)
	}
	smtp, err := service.Secret(c.NoticeSMTP, c.NoticeSMTPFile)
	if err != nil {
		return nil, fmt.Errorf("CICLO_NOTICE_SMTP: %w", err)
	}
	return notice.Channels(notice.Config{Webhook: webhook, SMTP: smtp, From: c.NoticeFrom, To: c.NoticeTo})
}
