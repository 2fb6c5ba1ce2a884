package localpostgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	embedded "github.com/fergusstrange/embedded-postgres"
)

const (
	// fetchedVersion is the major version that Fetch gets, that of the
	// container image in the tests too.
	fetchedVersion = embedded.V17
	// repository holds the binaries of github.com/zonkyio/embedded-postgres-binaries.
	repository = "https://repo1.maven.org/maven2"
	// fetchLimit bounds a download of some 20 MB.
	fetchLimit = 3 * time.Minute
)

// Fetch downloads server binaries for this machine into dir, unless they are
// there already, and returns the directory of initdb and postgres. An empty dir
// stands for a cache that all projects of the user share. It gives up at the
// end of ctx, after three minutes at the latest. Its error is one line that
// says what to install instead.
func Fetch(ctx context.Context, dir string) (string, error) {
	return fetch(ctx, dir, repository)
}

func fetch(ctx context.Context, dir, repository string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	binDir, err := fetchInto(ctx, dir, repository)
	if err != nil {
		return "", fmt.Errorf("%w; downloading it failed: %s", ErrNotFound, oneLine(err.Error()))
	}
	return binDir, nil
}

func fetchInto(ctx context.Context, dir, repository string) (string, error) {
	if dir == "" {
		cache, err := cacheDir()
		if err != nil {
			return "", err
		}
		dir = cache
	}
	// 0755: as root the server runs as another user.
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	final := filepath.Join(dir, "postgresql-"+string(fetchedVersion))
	binDir := filepath.Join(final, "bin")
	if _, err := majorVersion(ctx, binDir, nil); err == nil {
		return binDir, nil
	}
	// The tree is renamed into place when it is whole: what a killed download
	// left is never taken for binaries.
	temporary, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	tree := filepath.Join(temporary, "tree")
	downloadErr := download(ctx, temporary, tree, repository)
	if _, err := majorVersion(ctx, filepath.Join(tree, "bin"), nil); err != nil {
		return "", errors.Join(downloadErr, err)
	}
	if err := os.Chmod(tree, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(tree, final); err != nil {
		// Another process was first.
		if _, otherErr := majorVersion(ctx, binDir, nil); otherErr != nil {
			return "", err
		}
	}
	return binDir, nil
}

// cacheDir is where binaries for this user are kept. Root's own cache is closed
// to the user that the server runs as.
func cacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/ciclo", nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "ciclo"), nil
}

// download lets the library get and unpack the binaries into tree.
//
// The library only has a Start that also makes a cluster and runs a server,
// which fails for root and would leave one running for others. So it is given a
// data directory that looks made and is empty: its Start always fails, after the
// binaries are there. The caller looks at those, and at the error when they are
// missing. Nor does it take a context: it downloads through a proxy of ours on
// 127.0.0.1, whose requests end with ctx, and so does the library's.
func download(ctx context.Context, temporary, tree, repository string) error {
	mirror, err := newMirror(ctx, repository)
	if err != nil {
		return err
	}
	defer mirror.close()
	data := filepath.Join(temporary, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(fetchedVersion), 0o600); err != nil {
		return err
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	err = embedded.NewDatabase(embedded.DefaultConfig().
		Version(fetchedVersion).
		BinaryRepositoryURL(mirror.url).
		CachePath(filepath.Join(temporary, "cache")).
		RuntimePath(filepath.Join(temporary, "runtime")).
		DataPath(data).
		BinariesPath(tree).
		Port(uint32(port)).
		Logger(io.Discard)).Start()
	// The library calls any failed download a missing version; the mirror knows
	// better.
	return errors.Join(ctx.Err(), mirror.failure(), err)
}

// mirror serves a repository on a port of 127.0.0.1 until its ctx ends or it is
// closed.
type mirror struct {
	url       string
	server    *http.Server
	transport *http.Transport
	served    chan struct{} // closed when the serving goroutine has ended
	unwatch   func() bool

	mu     sync.Mutex
	failed error
}

func newMirror(ctx context.Context, repository string) (*mirror, error) {
	target, err := url.Parse(repository)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &mirror{
		url:       "http://" + listener.Addr().String(),
		transport: http.DefaultTransport.(*http.Transport).Clone(),
		served:    make(chan struct{}),
	}
	m.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		Handler: &httputil.ReverseProxy{
			Transport:    m.transport,
			Rewrite:      func(request *httputil.ProxyRequest) { request.SetURL(target) },
			ErrorHandler: m.fail,
		},
	}
	go func() {
		defer close(m.served)
		_ = m.server.Serve(listener) // always ends with ErrServerClosed
	}()
	m.unwatch = context.AfterFunc(ctx, func() { _ = m.server.Close() })
	return m, nil
}

func (m *mirror) fail(w http.ResponseWriter, _ *http.Request, err error) {
	m.mu.Lock()
	m.failed = err
	m.mu.Unlock()
	w.WriteHeader(http.StatusBadGateway)
}

// failure returns why the repository could not be reached.
func (m *mirror) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

func (m *mirror) close() {
	m.unwatch()
	_ = m.server.Close()
	<-m.served
	m.transport.CloseIdleConnections()
}
