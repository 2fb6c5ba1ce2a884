package grafana_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/nuzantara/ciclo/deploy/grafana"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Into a registry of the module's own, which is no test's to change.
	plugins.RegisterDefaultPlugins()
	testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: fingerprint})
}

func dashboards(t *testing.T) []grafana.Dashboard {
	t.Helper()
	all, err := grafana.Dashboards()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there are no dashboards")
	}
	return all
}

// Grafana's own types, decoded strictly: a field that Grafana doesn't know is refused.
func TestFilesAreGrafanas(t *testing.T) {
	t.Parallel()
	for _, d := range dashboards(t) {
		raw, err := grafana.File(d.File)
		if err != nil {
			t.Fatal(err)
		}
		if err := decode(raw); err != nil {
			t.Errorf("%s: %v", d.File, err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, raw, "", "  "); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(indented.Bytes(), raw) {
			t.Errorf("%s is not indented by two blanks, or lacks its last line's end", d.File)
		}
		broken := bytes.Replace(raw, []byte(`"gridPos"`), []byte(`"gridPosition"`), 1)
		if decode(broken) == nil {
			t.Errorf("%s: a field that Grafana doesn't know is taken", d.File)
		}
	}
}

// decode is Grafana's strict decoding, and that of the options of each panel's kind.
func decode(raw []byte) error {
	var strict dashboard.Dashboard //nolint:staticcheck // the files are of the first schema (panels with a gridPos), which Grafana's provisioning of files reads
	err := strict.UnmarshalJSONStrict(raw)
	var list cog.BuildErrors
	if errors.As(err, &list) && len(list) == 0 { // it returns a list even where it is empty
		return nil
	}
	return err
}

func TestDashboardsAreWhole(t *testing.T) {
	t.Parallel()
	uids := map[string]string{}
	for _, d := range dashboards(t) {
		if other, taken := uids[d.UID]; taken || !strings.HasPrefix(d.UID, "ciclo-") {
			t.Errorf("%s: the uid %q is another's (%s), or not of ciclo-", d.File, d.UID, other)
		}
		uids[d.UID] = d.File
		if d.Title == "" || d.About == "" || !slices.Contains(d.Tags, "ciclo") {
			t.Errorf("%s lacks a title, a description or the tag ciclo", d.File)
		}
		titles, ids := map[string]bool{}, map[int]bool{}
		for _, p := range d.Panels {
			if titles[p.Title] || ids[p.ID] || p.Title == "" || p.About == "" {
				t.Errorf("%s: panel %d %q has no title or description, or another's title or id", d.File, p.ID, p.Title)
			}
			titles[p.Title], ids[p.ID] = true, true
			for _, source := range p.Sources {
				if source != grafana.Source {
					t.Errorf("%s: panel %q reads from %q", d.File, p.Title, source)
				}
			}
			if missing := d.Undefined(p); missing != nil {
				t.Errorf("%s: panel %q uses variables that aren't there: %v", d.File, p.Title, missing)
			}
			if !strings.Contains(p.SQL, "dashboard.") {
				t.Errorf("%s: panel %q reads no view of schema dashboard", d.File, p.Title)
			}
		}
	}
}
