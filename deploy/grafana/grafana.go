// Package grafana reads the dashboards of this folder as Grafana does: it expands
// their panels' queries, looks at what a query returns as the panel would, and says
// what the database reads for it. Tests and benches use it; it is in no shipped
// binary, and no service needs it. It imports pgx alone.
package grafana

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

//go:embed dashboards/*.json
var files embed.FS

// Source is the uid of the PostgreSQL data source.
const Source = "ciclo"

// Dashboard is one file of the folder dashboards.
type Dashboard struct {
	File   string // its name
	UID    string
	Title  string
	Since  time.Duration // how far back it shows when it is opened
	Tags   []string
	About  string
	Panels []Panel // without rows
	// Variables by name, without the built-in ones.
	Variables map[string]Variable
}

// Variable is what a person chooses at the top of a dashboard.
type Variable struct {
	Name, Type string
	// SQL is a query variable's, Options what a custom or textbox one has.
	SQL     string
	Options []string
	Multi   bool
}

// Panel is one query and how it is shown.
type Panel struct {
	ID                 int
	Title, About, Type string
	Sources            []string // the data sources that it names
	Format, SQL        string
	Interval           time.Duration // the shortest time between two points
	XField             string        // of a bar chart
	// Named are the fields that overrides are about, in order; those in Numbers get a
	// unit, and Links are the addresses that a field leads to.
	Named   []string
	Numbers []string
	Links   []string
}

// Dashboards are all of the folder, by file name.
func Dashboards() ([]Dashboard, error) {
	names, err := fs.Glob(files, "dashboards/*.json")
	if err != nil {
		return nil, fmt.Errorf("list dashboards: %w", err)
	}
	var all []Dashboard
	for _, name := range names {
		raw, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read dashboard: %w", err)
		}
		d, err := Parse(path.Base(name), raw)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// File is a dashboard's JSON, as Grafana is given it.
func File(name string) ([]byte, error) {
	raw, err := files.ReadFile("dashboards/" + name)
	if err != nil {
		return nil, fmt.Errorf("read dashboard: %w", err)
	}
	return raw, nil
}

type source struct {
	UID string `json:"uid"`
}

type document struct {
	UID         string   `json:"uid"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
	Time        struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"time"`
	Templating struct {
		List []struct {
			Name    string `json:"name"`
			Type    string `json:"type"`
			Query   string `json:"query"`
			Multi   bool   `json:"multi"`
			Options []struct {
				Value string `json:"value"`
			} `json:"options"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		ID          int     `json:"id"`
		Title       string  `json:"title"`
		Description string  `json:"description"`
		Type        string  `json:"type"`
		Interval    string  `json:"interval"`
		Datasource  *source `json:"datasource"`
		Options     struct {
			XField string `json:"xField"`
		} `json:"options"`
		FieldConfig struct {
			Overrides []struct {
				Matcher struct {
					ID      string `json:"id"`
					Options string `json:"options"`
				} `json:"matcher"`
				Properties []struct {
					ID    string          `json:"id"`
					Value json.RawMessage `json:"value"`
				} `json:"properties"`
			} `json:"overrides"`
		} `json:"fieldConfig"`
		Targets []struct {
			Datasource *source `json:"datasource"`
			Format     string  `json:"format"`
			RawSQL     string  `json:"rawSql"`
		} `json:"targets"`
	} `json:"panels"`
}

// Parse reads one dashboard. It refuses what the rest of the package can't judge:
// panels with several queries, overrides by anything but a name.
func Parse(name string, raw []byte) (Dashboard, error) {
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Dashboard{}, fmt.Errorf("dashboard %s: %w", name, err)
	}
	since, err := ParseInterval(strings.TrimPrefix(doc.Time.From, "now-"))
	if err != nil || doc.Time.To != "now" {
		return Dashboard{}, fmt.Errorf("dashboard %s: its time is from %q to %q, not from now-… to now", name, doc.Time.From, doc.Time.To)
	}
	d := Dashboard{File: name, UID: doc.UID, Title: doc.Title, About: doc.Description, Tags: doc.Tags, Since: since, Variables: map[string]Variable{}}
	for _, v := range doc.Templating.List {
		variable := Variable{Name: v.Name, Type: v.Type, Multi: v.Multi}
		if v.Type == "query" {
			variable.SQL = v.Query
		}
		for _, o := range v.Options {
			variable.Options = append(variable.Options, o.Value)
		}
		d.Variables[v.Name] = variable
	}
	for _, p := range doc.Panels {
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) != 1 || p.Datasource == nil || p.Targets[0].Datasource == nil {
			return Dashboard{}, fmt.Errorf("dashboard %s: panel %q has not one query with its data source", name, p.Title)
		}
		panel := Panel{
			ID: p.ID, Title: p.Title, About: p.Description, Type: p.Type, Format: p.Targets[0].Format, SQL: p.Targets[0].RawSQL,
			XField: p.Options.XField, Sources: []string{p.Datasource.UID, p.Targets[0].Datasource.UID},
		}
		if p.Interval != "" {
			if panel.Interval, err = ParseInterval(p.Interval); err != nil {
				return Dashboard{}, fmt.Errorf("dashboard %s: panel %q: %w", name, p.Title, err)
			}
		}
		for _, o := range p.FieldConfig.Overrides {
			if o.Matcher.ID != "byName" {
				return Dashboard{}, fmt.Errorf("dashboard %s: panel %q has an override %s", name, p.Title, o.Matcher.ID)
			}
			panel.Named = append(panel.Named, o.Matcher.Options)
			for _, property := range o.Properties {
				switch property.ID {
				case "unit":
					panel.Numbers = append(panel.Numbers, o.Matcher.Options)
				case "links":
					var links []struct {
						URL string `json:"url"`
					}
					if err := json.Unmarshal(property.Value, &links); err != nil {
						return Dashboard{}, fmt.Errorf("dashboard %s: panel %q: links of %s: %w", name, p.Title, o.Matcher.Options, err)
					}
					for _, link := range links {
						panel.Links = append(panel.Links, link.URL)
					}
				}
			}
		}
		d.Panels = append(d.Panels, panel)
	}
	return d, nil
}
