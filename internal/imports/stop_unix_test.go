//go:build unix

package imports

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// What is told to stop stops, whatever it still waits for.
func TestAnImportHeedsItsEnd(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	pipe := filepath.Join(t.TempDir(), "pipe.csv")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	writer := make(chan *os.File, 1)
	go func() {
		w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for the reader
		if err == nil {
			_, err = w.WriteString(csvHead + good)
		}
		if err != nil {
			t.Error(err)
		}
		writer <- w
	}()
	for name, path := range map[string]string{"a pipe that gives no more": pipe, "a row without an end": "/dev/zero"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		began := time.Now()
		_, err := File(ctx, f.pool, Payments, path, Options{Format: "csv"})
		cancel()
		if took := time.Since(began); took > 10*time.Second || err == nil {
			t.Errorf("%s: %v after %s", name, err, took)
		}
		if name == "a pipe that gives no more" && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w := <-writer; w != nil {
		w.Close()
	}
	if got := f.text(`SELECT count(*) FROM crm.payments`); got != "(0)" {
		t.Errorf("%s payments were taken", got)
	}
}
