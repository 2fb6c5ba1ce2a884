package orchestrator_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/orchestrator"
)

// What a client breaks in the middle is answered, and nobody else's fault.
func TestBrokenRequests(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	server := httptest.NewServer(a.handler)
	t.Cleanup(server.Close)
	head := "POST " + prefix + "/test-noop/run HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n"
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"a malformed chunk":             {head + "Transfer-Encoding: chunked\r\n\r\nZZ\r\n", http.StatusBadRequest},
		"a body that breaks off":        {head + "Content-Length: 100\r\n\r\n{", http.StatusBadRequest},
		"a query with half an escape":   {"GET " + prefix + "/executions?agent=%z HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n", http.StatusUnprocessableEntity},
		"a body longer than is allowed": {head + "Content-Length: 2000000\r\n\r\n" + string(make([]byte, 2_000_000)), http.StatusRequestEntityTooLarge},
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, c.text); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// Who closed its half may be taken for gone: then it must not read that all is well.
		if resp.StatusCode != c.status && resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: %s, want %d", name, resp.Status, c.status)
		}
		if err := errors.Join(resp.Body.Close(), conn.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestAnOrchestratorWithoutItsListenerEnds(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: t.Name(), MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	catalogue, err := testagents.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	o, err := orchestrator.New(orchestrator.Config{Pool: pool, ReaperPool: pool, Catalogue: catalogue, Token: token, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- o.Run(t.Context(), listener) }()
	for {
		resp, err := http.Get(fmt.Sprintf("http://%s/healthz", listener.Addr()))
		if err == nil {
			if err := resp.Body.Close(); err != nil {
				t.Error(err)
			}
			break
		}
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it says that all is well")
		}
	case <-time.After(30 * time.Second):
		t.Error("it goes on without its listener")
	}
}
