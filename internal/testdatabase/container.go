package testdatabase

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

const (
	imageEnv     = "CICLO_TEST_POSTGRES_IMAGE"
	defaultImage = "postgres:17-alpine"

	engineLimit    = 2 * time.Second
	pullLimit      = time.Minute
	containerLimit = 30 * time.Second

	// The labels say whose a container is, so that a later process can remove
	// those of a killed one.
	labelHost = "ciclo.testdatabase.host"
	labelPID  = "ciclo.testdatabase.pid"
)

func imageName() string { return cmp.Or(os.Getenv(imageEnv), defaultImage) }

// inContainer starts a container, when the engine answers at once and has the
// image, or gets it within a minute.
func inContainer(image string) source {
	return func(ctx context.Context) (*server, error) {
		server, err := startContainer(ctx, image)
		if err != nil {
			return nil, fmt.Errorf("docker: %w", err)
		}
		return server, nil
	}
}

func startContainer(ctx context.Context, image string) (*server, error) {
	engine, err := openEngine(ctx)
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	if err := havePulled(ctx, engine, image); err != nil {
		return nil, err
	}
	removeAbandoned(ctx, engine)
	server, err := runContainer(ctx, image)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", image, err)
	}
	return server, nil
}

// quieten makes the library fit for this use, before it reads its settings once
// for all: no log of its own, and no helper container (ryuk), whose image would
// have to be pulled too. Main and removeAbandoned do what it would.
var quieten = sync.OnceValue(func() error {
	log.SetDefault(log.NewNoopLogger())
	return os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
})

func openEngine(ctx context.Context) (engine *testcontainers.DockerClient, err error) {
	// The library panics where it loses the engine half way through its start.
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("reach the engine: %v", reason)
		}
	}()
	if err := quieten(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, engineLimit)
	defer cancel()
	engine, err = testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, fmt.Errorf("reach the engine: %w", err)
	}
	// NewDockerClientWithOpts can also return a client that got no answer.
	if _, err := engine.Ping(ctx, client.PingOptions{}); err != nil {
		return nil, fmt.Errorf("reach the engine: %w", errors.Join(err, engine.Close()))
	}
	return engine, nil
}

// havePulled pulls an image that the engine lacks. The library would try again
// and again where the engine has no network.
func havePulled(ctx context.Context, engine *testcontainers.DockerClient, image string) error {
	_, err := engine.ImageInspect(ctx, image)
	if err == nil {
		return nil
	}
	if !errdefs.IsNotFound(err) {
		return fmt.Errorf("look for image %s: %w", image, err)
	}
	ctx, cancel := context.WithTimeout(ctx, pullLimit)
	defer cancel()
	pull, err := engine.ImagePull(ctx, image, client.ImagePullOptions{})
	if err != nil {
		return fmt.Errorf("pull image %s: %w", image, err)
	}
	if err := errors.Join(pull.Wait(ctx), pull.Close()); err != nil {
		return fmt.Errorf("pull image %s: %w", image, err)
	}
	return nil
}

// removeAbandoned removes the containers of killed test processes of this host.
// It is a courtesy: what fails here is left for the next process.
func removeAbandoned(ctx context.Context, engine *testcontainers.DockerClient) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	host, err := os.Hostname()
	if err != nil {
		return
	}
	found, err := engine.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: make(client.Filters).Add("label", labelHost+"="+host),
	})
	if err != nil {
		return
	}
	for _, container := range found.Items {
		if pid, err := strconv.Atoi(container.Labels[labelPID]); err == nil && !alive(pid) {
			_, _ = engine.ContainerRemove(ctx, container.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		}
	}
}

func runContainer(ctx context.Context, image string) (*server, error) {
	ctx, cancel := context.WithTimeout(ctx, containerLimit)
	defer cancel()
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	const user = "ciclo"
	password := rand.Text()
	container, err := testcontainers.Run(ctx, image,
		testcontainers.WithExposedPorts("5432/tcp"),
		testcontainers.WithLabels(map[string]string{labelHost: host, labelPID: strconv.Itoa(os.Getpid())}),
		// Images differ in where they keep their data, from 18 on by version.
		testcontainers.WithEnv(map[string]string{
			"PGDATA": "/ciclo/data", "POSTGRES_USER": user, "POSTGRES_PASSWORD": password, "POSTGRES_DB": "postgres",
			"POSTGRES_INITDB_ARGS": "--no-sync --encoding=UTF8 --locale=C --lc-ctype=C.UTF-8",
		}),
		testcontainers.WithTmpfs(map[string]string{"/ciclo": "rw"}),
		testcontainers.WithCmd("postgres",
			"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
			"-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "autovacuum=off",
			"-c", "max_connections=300", "-c", "timezone=UTC"),
	)
	stop := func() error {
		return testcontainers.TerminateContainer(container, testcontainers.StopTimeout(time.Second))
	}
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	address, err := container.PortEndpoint(ctx, "5432/tcp", "")
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	// A process that looks to be in a container itself is given its gateway's
	// address, which is right where it has the engine's socket from outside, and
	// wrong in other sandboxes.
	var urls []string
	for _, host := range slices.Compact([]string{address, net.JoinHostPort("127.0.0.1", port)}) {
		location := url.URL{
			Scheme: "postgres", User: url.UserPassword(user, password), Host: host, Path: "/postgres", RawQuery: "sslmode=disable",
		}
		urls = append(urls, location.String())
	}
	answered, err := await(ctx, container, urls)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return &server{
		url:         answered,
		description: fmt.Sprintf("container of %s, port %s", image, port),
		stop:        stop,
	}, nil
}

// await returns the first of the URLs at which the server answers. While the
// image prepares its data its own server listens on a socket inside only.
func await(ctx context.Context, container *testcontainers.DockerContainer, urls []string) (string, error) {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		var unanswered error
		for _, address := range urls {
			err := ping(ctx, address)
			if err == nil {
				return address, nil
			}
			unanswered = errors.Join(unanswered, err)
		}
		if state, err := container.State(ctx); err == nil && !state.Running {
			return "", fmt.Errorf("wait for the server: the container ended with exit code %d", state.ExitCode)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the server: %w", errors.Join(ctx.Err(), unanswered))
		case <-poll.C:
		}
	}
}

func ping(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}
