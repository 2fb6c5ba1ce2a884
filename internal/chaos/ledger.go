package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ledger is the outside world: it counts what it is told, by key (POST ?key=),
// and says whether an effect's key is known (GET ?key=). It counts before it
// answers, so that an answer that is lost leaves the effect in the world.
type ledger struct {
	url    string
	server *http.Server

	// bad makes it misbehave.
	bad atomic.Bool

	mu    sync.Mutex
	times map[string][]time.Time
}

// startLedger listens at an address of this machine.
func startLedger(address string) (*ledger, error) {
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		return nil, fmt.Errorf("start the ledger: %w", err)
	}
	l := &ledger{url: "http://" + listener.Addr().String() + "/", times: map[string][]time.Time{}}
	l.server = &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := l.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	return l, nil
}

func (l *ledger) close() error { return l.server.Close() }

// ServeHTTP counts or answers.
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	l.mu.Lock()
	known := len(l.times[key]) > 0
	if r.Method == http.MethodPost {
		l.times[key] = append(l.times[key], time.Now())
	}
	l.mu.Unlock()
	if l.bad.Load() {
		switch rand.IntN(4) {
		case 0:
			panic(http.ErrAbortHandler) // the answer is lost
		case 1:
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		case 2:
			time.Sleep(time.Second)
		}
	}
	if r.Method == http.MethodGet && !known {
		http.NotFound(w, r)
	}
}

// effects is how often each effect's key was told.
func (l *ledger) effects() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[string]int{}
	for key, times := range l.times {
		if effect, ok := strings.CutPrefix(key, "effect:"); ok {
			counts[effect] = len(times)
		}
	}
	return counts
}

// bodies is the attempts that finished a step's body, by execution and step.
func (l *ledger) bodies() map[string][]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	attempts := map[string][]int{}
	for key := range l.times {
		cut := strings.LastIndexByte(key, '/')
		var attempt int
		if cut < 0 || strings.HasPrefix(key, "effect:") {
			continue
		}
		if _, err := fmt.Sscan(key[cut+1:], &attempt); err == nil {
			attempts[key[:cut]] = append(attempts[key[:cut]], attempt)
		}
	}
	return attempts
}
