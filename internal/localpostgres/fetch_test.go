package localpostgres

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFetch(t *testing.T) {
	t.Parallel()
	// bin/initdb, bin/pg_ctl and bin/postgres, shell scripts.
	archive, err := os.ReadFile("testdata/binaries.txz")
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	writer := zip.NewWriter(&jar)
	file, err := writer.Create("postgres-linux-x86_64.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(archive); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	downloads := make(chan string, 10)
	repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		downloads <- r.URL.Path
		_, _ = w.Write(jar.Bytes())
	}))
	defer repository.Close()

	dir := t.TempDir()
	for range 2 { // the second finds what the first left
		binDir, err := fetch(t.Context(), dir, repository.URL)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := majorVersion(t.Context(), binDir, nil); err != nil {
			t.Error(err)
		}
	}
	if got := len(downloads); got != 1 {
		t.Errorf("downloaded %d times, want once", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, "fetch-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFetchSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	empty := httptest.NewServer(http.NotFoundHandler())
	defer empty.Close()
	for name, repository := range map[string]string{"nobody answers": gone.URL, "not there": empty.URL} {
		_, err := fetch(t.Context(), t.TempDir(), repository)
		if !errors.Is(err, ErrNotFound) {
			t.Fatalf("%s: %v, want ErrNotFound", name, err)
		}
		t.Log(err)
		wantInstallLine(t, err)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer hanging.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-asked
		cancel()
	}()
	begin := time.Now()
	_, err := fetch(ctx, t.TempDir(), hanging.URL)
	if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("fetch: %v, want %v", err, context.Canceled)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("fetch took %s after its context ended", took)
	}
}
