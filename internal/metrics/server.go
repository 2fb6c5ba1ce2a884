package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Server shows a process's metrics at an address of their own, to whoever reaches
// it: GET /metrics, and GET /healthz while the process lives.
type Server struct {
	address string
	http    *http.Server
	served  chan error
}

// Listen begins to serve the registry at an address. Close ends it.
func Listen(ctx context.Context, address string, registry *prometheus.Registry, log *slog.Logger) (*Server, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", Handler(registry))
	routes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if _, err := io.WriteString(w, `{"status":"ok"}`+"\n"); err != nil {
			log.Debug("the answer did not reach the client", "error", err)
		}
	})
	s := &Server{
		address: listener.Addr().String(),
		http: &http.Server{
			Handler: routes, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
			MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		served: make(chan error, 1),
	}
	go func() { s.served <- s.http.Serve(listener) }()
	log.Info("metrics are served", "address", s.address)
	return s, nil
}

// Address is where it listens.
func (s *Server) Address() string { return s.address }

// Close ends it at once: a scrape under way is cut off, so that nobody who reads
// slowly holds up a stop.
func (s *Server) Close() error {
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("stop serving metrics: %w", err)
	}
	return nil
}
