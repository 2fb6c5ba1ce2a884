package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/localpostgres"
)

// failing says what kind of replica takes over when the primary is killed.
type failing string

const (
	noFailover failing = ""
	// synchronous: a commit is answered when the replica has it too.
	synchronous failing = "sync"
	// asynchronous: the replica is behind when it takes over, and what it lacks is lost.
	asynchronous failing = "async"
)

func (f failing) known() bool {
	return f == noFailover || f == synchronous || f == asynchronous
}

// failedOver is the name of the fault in the table that is printed.
const failedOver = "primary killed -9, replica promoted"

// behind is for how long an asynchronous replica gets nothing before it takes over.
const behind = 2 * time.Second

// startReplica starts the replica and, where that is asked for, has commits wait for it.
func (c *cluster) startReplica(ctx context.Context) (err error) {
	c.replica, err = localpostgres.Start(ctx, localpostgres.Config{
		Dir: filepath.Join(c.dir, "replica"), ReplicaOf: c.postgres,
		Settings: map[string]string{"wal_retrieve_retry_interval": "100ms"},
	})
	if err != nil {
		return fmt.Errorf("start the replica: %w", err)
	}
	if c.plan.failover == synchronous {
		for _, query := range []string{`ALTER SYSTEM SET synchronous_standby_names = 'replica'`, `SELECT pg_reload_conf()`} {
			if err := ask(ctx, c.postgres, query); err != nil {
				return err
			}
		}
	}
	return c.awaitReplica(ctx)
}

// awaitReplica returns when the replica streams, and is waited for where it should be.
func (c *cluster) awaitReplica(ctx context.Context) error {
	want := "async"
	if c.plan.failover == synchronous {
		want = "sync"
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		var streams bool
		err := c.admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = $1)`, want).Scan(&streams)
		if streams {
			return nil
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return errors.Join(errors.New("the replica doesn't follow"), err)
		}
	}
}

// failOver kills the primary and promotes the replica, once.
func (c *cluster) failOver(ctx context.Context, say func(string, ...any)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	c.down.Lock() // nobody else takes Postgres away or brings it back meanwhile
	defer c.down.Unlock()
	if err := c.awaitReplica(ctx); err != nil {
		return err
	}
	if c.plan.failover == asynchronous {
		say("the replica falls behind")
		for _, query := range []string{`ALTER SYSTEM SET primary_conninfo = ''`, `SELECT pg_reload_conf()`} {
			if err := ask(ctx, c.replica, query); err != nil {
				return err
			}
		}
		sleep(ctx, behind)
	}
	say("%s", failedOver)
	old := c.postgres
	if err := syscall.Kill(old.PID(), syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the primary: %w", err)
	}
	<-old.Done()
	_ = old.Stop() // it says that it ended by itself
	c.promoted = time.Now()
	if err := ask(ctx, c.replica, `SELECT pg_promote()`); err != nil {
		return err
	}
	say("the replica answers as the primary after %s", time.Since(c.promoted).Round(time.Millisecond))
	c.postgres, c.data, c.replica = c.replica, "replica", nil
	return nil
}

// ask asks one of the servers itself.
func ask(ctx context.Context, server *localpostgres.Server, query string) error {
	conn, err := pgx.Connect(ctx, server.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, query); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

// hosts are where Postgres is to be found, the replica last.
func (c *cluster) hosts() ([]string, error) {
	var all []string
	for _, server := range []*localpostgres.Server{c.postgres, c.replica} {
		if server == nil {
			continue
		}
		address, err := url.Parse(server.URL("postgres"))
		if err != nil {
			return nil, err
		}
		all = append(all, address.Host)
	}
	return all, nil
}

// at is the database's URL with other hosts, of which the one that takes writes is
// meant.
func (c *cluster) at(hosts []string) (string, error) {
	address, err := url.Parse(c.postgres.URL("postgres"))
	if err != nil {
		return "", err
	}
	address.Host = strings.Join(hosts, ",")
	if len(hosts) > 1 {
		address.RawQuery += "&target_session_attrs=read-write"
	}
	return address.String(), nil
}
