// Package testdatabase gives each test a PostgreSQL database of its own, a clone
// of one that was migrated once.
//
//	func TestMain(m *testing.M) {
//		testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: migrations.Fingerprint()})
//	}
//
//	func TestAccept(t *testing.T) {
//		t.Parallel()
//		url := testdatabase.New(t)
//		…
//	}
//
// The server is, in this order, the one that DATABASE_URL names, one of this
// machine's binaries on a RAM disk, a container of the image that
// CICLO_TEST_POSTGRES_IMAGE names (postgres:17-alpine), or one of binaries that are
// downloaded. CICLO_TEST_POSTGRES=url, local or container takes that one or none. A
// line on stderr says which, and why not a better one. Where there is none the
// tests fail; they never skip.
//
// It imports no package of Ciclo but localpostgres, so that the store's own
// tests can use it. Nothing but tests may import it.
package testdatabase

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const (
	// openLimit bounds finding and starting a server, a download included.
	openLimit = 5 * time.Minute
	// templateLimit bounds the migrations, and waiting for another process's.
	templateLimit = 2 * time.Minute
	// databaseLimit bounds making or dropping one database.
	databaseLimit = time.Minute
)

// Options say what New's databases hold.
type Options struct {
	// Migrate brings the empty database at the URL to the present schema and
	// leaves no connection behind.
	Migrate func(ctx context.Context, url string) error
	// Fingerprint changes whenever Migrate would leave something else, and only
	// then: a hash of the migrations. Processes with the same one share a
	// template on the server of DATABASE_URL.
	Fingerprint string
}

// Main runs the tests of a package: TestMain calls nothing else. It stops the
// server that the first New, Empty or Superuser started, fails where goroutines
// are left over, and exits.
func Main(m *testing.M, options Options) {
	sources, err := sourcesOf(os.Getenv(sourceEnv))
	if err != nil {
		fmt.Fprintln(os.Stderr, "testdatabase:", err)
		os.Exit(2)
	}
	shared = newHarness(options, os.Stderr, sources...)
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, "testdatabase:", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "goleak:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// shared is the one harness of a test process, set by Main before any test.
var shared *harness

// New returns the URL of a fresh, migrated database, which is dropped at the end
// of the test, with whatever is still connected to it.
func New(tb testing.TB) string {
	tb.Helper()
	return fromShared(tb).new(tb)
}

// Empty returns the URL of a database like New's to which Migrate was not
// applied.
func Empty(tb testing.TB) string {
	tb.Helper()
	return fromShared(tb).empty(tb)
}

// Superuser returns the URL of the server's maintenance database for a role that
// may do everything there (with DATABASE_URL: whatever that role may), to
// disconnect, lock out or look at the databases of tests. Other tests use the
// server at the same time: to stop or kill one, start it with
// internal/localpostgres.
func Superuser(tb testing.TB) string {
	tb.Helper()
	return fromShared(tb).databases(tb).url
}

func fromShared(tb testing.TB) *harness {
	tb.Helper()
	if shared == nil {
		tb.Fatal("testdatabase: this package's TestMain must call testdatabase.Main")
	}
	return shared
}

// harness starts one server when it is first asked for, and one template.
type harness struct {
	options Options
	log     io.Writer
	sources []source

	open     func() (*databases, error) // once
	template func() error               // once, after open

	mu     sync.Mutex
	server *server // for close; nil until opened
	opened *databases
}

func newHarness(options Options, log io.Writer, sources ...source) *harness {
	h := &harness{options: options, log: log, sources: sources}
	h.open = sync.OnceValues(h.doOpen)
	h.template = sync.OnceValue(func() error {
		if h.options.Migrate == nil || h.options.Fingerprint == "" {
			return errors.New("Options need Migrate and Fingerprint")
		}
		ctx, cancel := context.WithTimeout(context.Background(), templateLimit)
		defer cancel()
		return h.opened.makeTemplate(ctx, h.options)
	})
	return h
}

func (h *harness) doOpen() (*databases, error) {
	ctx, cancel := context.WithTimeout(context.Background(), openLimit)
	defer cancel()
	var refused []string
	for _, open := range h.sources {
		server, err := open(ctx)
		if err != nil {
			refused = append(refused, strings.Join(strings.Fields(err.Error()), " "))
			continue
		}
		opened, err := newDatabases(ctx, server)
		if err != nil {
			refused = append(refused, errors.Join(err, server.stop()).Error())
			continue
		}
		h.mu.Lock()
		h.server, h.opened = server, opened
		h.mu.Unlock()
		line := "testdatabase: " + server.description
		if len(refused) > 0 {
			line += " (" + strings.Join(refused, "; ") + ")"
		}
		fmt.Fprintln(h.log, line)
		return opened, nil
	}
	return nil, fmt.Errorf("no PostgreSQL server for the tests.\n\n  %s\n\n"+
		"Set DATABASE_URL to a server where databases may be made, or run Docker, or install PostgreSQL 14 or later",
		strings.Join(refused, "\n  "))
}

func (h *harness) databases(tb testing.TB) *databases {
	tb.Helper()
	opened, err := h.open()
	if err != nil {
		tb.Fatalf("testdatabase: %v", err)
	}
	return opened
}

func (h *harness) new(tb testing.TB) string {
	tb.Helper()
	databases := h.databases(tb)
	if err := h.template(); err != nil {
		tb.Fatalf("testdatabase: %v", err)
	}
	return h.create(tb, databases.template(h.options.Fingerprint))
}

func (h *harness) empty(tb testing.TB) string {
	tb.Helper()
	return h.create(tb, "template0")
}

func (h *harness) create(tb testing.TB, template string) string {
	tb.Helper()
	databases := h.databases(tb)
	ctx, cancel := context.WithTimeout(tb.Context(), databaseLimit)
	defer cancel()
	name := freshName()
	if err := databases.create(ctx, name, template); err != nil {
		tb.Fatalf("testdatabase: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), databaseLimit)
		defer cancel()
		if err := databases.drop(ctx, name); err != nil {
			tb.Errorf("testdatabase: %v", err)
		}
	})
	return databases.urlOf(name)
}

// close stops the server, if any test asked for one.
func (h *harness) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.server == nil {
		return nil
	}
	h.opened.close()
	return h.server.stop()
}
