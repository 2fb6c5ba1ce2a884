package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/config"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/service"
)

// databaseReport is what a database said. What nobody could ask is zero.
type databaseReport struct {
	// Variable is whose URL led there, Server user@host:port/database.
	Variable string `json:"variable"`
	Server   string `json:"server"`
	Version  string `json:"version,omitempty"`
	// Schema is its version, Want that of this program.
	Schema int64 `json:"schema_version"`
	Want   int64 `json:"schema_version_wanted"`
	// Role is who we are there.
	Role      string `json:"role,omitempty"`
	Superuser bool   `json:"superuser"`
	Owner     bool   `json:"owner"`
	Replica   bool   `json:"replica"`
	// TLS is the protocol's version; empty without.
	TLS string `json:"tls,omitempty"`
	// ClockMillis is how far its clock is ahead of ours, in milliseconds.
	ClockMillis int64 `json:"clock_ms"`
	// MaxConnections is for all but superusers; Used is by whomever, but us.
	MaxConnections int      `json:"max_connections"`
	Used           int      `json:"connections_used"`
	Errors         []string `json:"errors"`
	Warnings       []string `json:"warnings"`
}

func (d databaseReport) String() string {
	if d.Version == "" {
		return fmt.Sprintf("%s  %s", d.Variable, cmp.Or(d.Server, "not asked"))
	}
	who := d.Role
	switch {
	case d.Superuser:
		who += ", a superuser"
	case d.Owner:
		who += ", which owns the schema"
	}
	if d.Replica {
		who += "; it is a replica"
	}
	return fmt.Sprintf("%s  %s\n  Postgres %s, schema version %d; we are %s; %s; its clock is %+d ms from ours; %d connections of %d are used",
		d.Variable, d.Server, d.Version, d.Schema, who, cmp.Or(d.TLS, "no TLS"), d.ClockMillis, d.Used, d.MaxConnections)
}

func (d *databaseReport) wrong(format string, args ...any) {
	d.Errors = append(d.Errors, fmt.Sprintf(format, args...))
}

func (d *databaseReport) odd(format string, args ...any) {
	d.Warnings = append(d.Warnings, fmt.Sprintf(format, args...))
}

// askDatabases asks those whose URLs the programs read, all at once. What is wrong
// with a variable itself is in the programs' reports.
func askDatabases(ctx context.Context, c checked, of string) []databaseReport {
	urls := map[string]string{}
	for _, v := range merged(c.Programs) {
		if name, _, is := service.DatabaseVariable(v.Name); is && !named(c.Programs, name) {
			if url, err := service.Secret(os.Getenv(name), os.Getenv(name+"_FILE")); err == nil && url != "" {
				urls[name] = url
			}
		}
	}
	found := make(chan databaseReport, len(urls))
	pooled := os.Getenv("DATABASE_POOLER") == "transaction"
	for name, url := range urls {
		// Nobody waits for its end where the time is up: see doctor's. The services connect
		// so too: a pooler that nobody spoke of is found.
		go func() { found <- askOne(ctx, name, url, of, pooled || name != "DATABASE_URL") }()
	}
	whole := maps.Clone(urls)
	reports := []databaseReport{}
	for len(urls) > 0 { // those that have not answered
		select {
		case d := <-found:
			delete(urls, d.Variable)
			reports = append(reports, d)
			continue
		case <-ctx.Done():
		}
		for name := range urls {
			reports = append(reports, databaseReport{Variable: name, Errors: []string{"no answer in time"}, Warnings: []string{}})
		}
		break
	}
	slices.SortFunc(reports, func(a, b databaseReport) int { return strings.Compare(a.Variable, b.Variable) })
	for i := range reports {
		// Behind a pooler the services' connections are the pooler's, but for those past it.
		d := &reports[i]
		switch {
		case d.Variable == "DATABASE_URL" && !pooled:
			d.judgeConnections(c.Connections)
		case d.Variable == "DATABASE_DIRECT_URL" && pooled:
			d.judgeConnections(c.DirectConnections)
		}
	}
	judgeTogether(ctx, whole, reports, leaseOf(c))
	return reports
}

// leaseOf is the services' CICLO_LEASE, which is the same in both.
func leaseOf(c checked) time.Duration {
	for _, v := range merged(c.Programs) {
		if v.Name == "CICLO_LEASE" {
			if lease, err := time.ParseDuration(v.Value); err == nil {
				return lease
			}
		}
	}
	return 0
}

// named says whether an error names a variable of a database.
func named(reports []*config.Report, database string) bool {
	return slices.ContainsFunc(reports, func(r *config.Report) bool {
		return slices.ContainsFunc(r.Errors, func(p config.Problem) bool { return strings.TrimSuffix(p.Variable, "_FILE") == database })
	})
}

func askOne(ctx context.Context, name, url, of string, pooled bool) databaseReport {
	d := databaseReport{Variable: name, Errors: []string{}, Warnings: []string{}}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo config check", MaxConns: 1, Pooled: pooled, Stall: time.Minute})
	if err != nil {
		d.wrong("it can't be used: see docs/configuration.md") // pgx shows parts of it
		return d
	}
	defer pool.Close()
	if err := d.ask(ctx, pool, of); err != nil {
		d.wrong("%s", why(err))
	}
	return d
}

// slowClock is from which difference on a clock is odd: leases are the database's own,
// but logs and people compare.
const slowClock = 2 * time.Second

func (d *databaseReport) ask(ctx context.Context, pool *pgxpool.Pool, of string) error {
	to := pool.Config().ConnConfig
	d.Server = fmt.Sprintf("%s@%s/%s", to.User, net.JoinHostPort(to.Host, fmt.Sprint(to.Port)), to.Database)
	var reserved int
	var tls *string
	if err := pool.Ping(ctx); postgres.Pooler(err) {
		return postgres.ErrPooler
	} else if err != nil {
		return errors.New(oneLine(err.Error()))
	}
	began := time.Now()
	var now time.Time
	if err := pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return err
	}
	d.ClockMillis = now.Sub(began.Add(time.Since(began) / 2)).Milliseconds()
	err := pool.QueryRow(ctx, `
		SELECT current_setting('server_version'), current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), pg_is_in_recovery(),
		       (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl),
		       current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int,
		       (SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datid IS NOT NULL AND usesysid IS NOT NULL),
		       coalesce((SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'ciclo'), false)`).
		Scan(&d.Version, &d.Role, &d.Superuser, &d.Replica, &tls, &d.MaxConnections, &reserved, &d.Used, &d.Owner)
	if err != nil {
		return err
	}
	d.MaxConnections -= reserved
	if tls != nil {
		d.TLS = *tls
	}
	d.judge(to.Host)
	if d.Replica && d.Variable != "DATABASE_READ_URL" {
		d.wrong("it is a replica or still recovers: it takes no writes; next: the primary's URL, or, with several hosts, target_session_attrs=read-write")
	}
	if err := d.schema(ctx, pool); err != nil || d.Schema == 0 || d.Replica || d.Owner {
		return err
	}
	missing, err := postgres.MissingRights(ctx, pool, of)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		d.wrong("the role %s lacks rights: %s; next: psql -f deploy/roles.sql, then ciclo migrate as the owner", d.Role, strings.Join(missing, ", "))
	}
	return nil
}

func (d *databaseReport) judge(host string) {
	ip := net.ParseIP(host)
	near := strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
	if d.TLS == "" && !near {
		d.odd("the connection to %s is not encrypted: sslmode=verify-full with sslrootcert encrypts it and checks whom it reaches", host)
	}
	if d.Superuser {
		d.odd("%s is a superuser: the services need no such rights (deploy/roles.sql)", d.Role)
	}
	if off := time.Duration(d.ClockMillis) * time.Millisecond; off.Abs() > slowClock {
		d.odd("its clock is %s from this machine's", off)
	}
}

func (d *databaseReport) schema(ctx context.Context, pool *pgxpool.Pool) (err error) {
	if d.Want, err = postgres.SchemaVersion(); err != nil {
		return err
	}
	err = postgres.CheckSchema(ctx, pool)
	var differs *postgres.SchemaError
	switch {
	case errors.As(err, &differs):
		d.Schema = differs.Have
		d.wrong("%s", differs)
	case errors.Is(err, postgres.ErrRiverBehind):
		d.Schema = d.Want
		d.wrong("%s", err)
	case err != nil:
		return err
	default:
		d.Schema = d.Want
	}
	return nil
}

// judgeConnections compares what the services take with what there is.
func (d *databaseReport) judgeConnections(needed int) {
	if d.MaxConnections > 0 && needed > d.MaxConnections {
		d.wrong("the services take up to %d connections and Postgres gives %d to all but superusers: raise max_connections, or lower CICLO_MAX_CONNS", needed, d.MaxConnections)
	}
}
