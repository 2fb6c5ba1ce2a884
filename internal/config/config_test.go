package config_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/internal/config"
)

// Inner is embedded.
type Inner struct {
	Secret     string `env:"T_SECRET" help:"A secret."`
	SecretFile string `env:"T_SECRET_FILE" help:"Its file."`
}

func (i *Inner) Check() error {
	if i.Secret == "bad" {
		return errors.Join(errors.New("T_SECRET is bad"), errors.New("T_NUMBER may be too"))
	}
	return nil
}

type more struct {
	Extra string `name:"x" env:"T_EXTRA" help:"No flag."`
}

func (more) Warn() error { return errors.New("T_EXTRA is odd") }

type command struct {
	Inner
	Nested struct {
		Count map[string]int `env:"T_COUNT" help:"Counts."`
	} `embed:""`
	Environment more          `kong:"-" config:"environment"`
	Number      int           `env:"T_NUMBER" default:"3" unit:"things" help:"A number."`
	Every       time.Duration `env:"T_EVERY" default:"1m" help:"A duration."`
	On          bool          `env:"T_ON" default:"true" negatable:"" help:"A switch."`
	Where       string        `env:"T_WHERE" help:"A URL."`
	Which       string        `env:"T_WHICH" enum:"none,some" default:"none" help:"One of them."`
}

func read(t *testing.T, env map[string]string, args ...string) (*command, *config.Report, error) {
	t.Helper()
	for _, name := range []string{"T_SECRET", "T_SECRET_FILE", "T_EXTRA", "T_COUNT", "T_NUMBER", "T_EVERY", "T_ON", "T_WHERE", "T_WHICH"} {
		t.Setenv(name, env[name])
	}
	var c command
	r, err := config.Read(config.Program{Name: "t", Command: &c, Out: &bytes.Buffer{}}, args)
	return &c, r, err
}

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env    map[string]string
		args   []string
		errors []string
		values map[string]string // value and whence
	}{
		"nothing": {values: map[string]string{"T_NUMBER": "3 default", "T_EVERY": "1m default", "T_ON": "true default", "T_SECRET": "- ", "T_WHERE": "- ", "T_EXTRA": "- "}},
		"the environment": {
			env:    map[string]string{"T_NUMBER": "4", "T_SECRET": "good", "T_WHERE": "https://u:p@host/x", "T_COUNT": "b=2;a=1", "T_EXTRA": "e"},
			values: map[string]string{"T_NUMBER": "4 environment", "T_SECRET": "set environment", "T_WHERE": "https://u:xxxxx@host/x environment", "T_COUNT": "b=2;a=1 environment", "T_EXTRA": "e environment"},
		},
		"what may hold a password and is no URL": {env: map[string]string{"T_WHERE": "x:p%ZZ@host"}, values: map[string]string{"T_WHERE": "(not shown: it may hold a password) environment"}},
		"a flag has the last word": {
			env: map[string]string{"T_NUMBER": "4", "T_ON": "true"}, args: []string{"--number=5", "--no-on", "--count=b=2", "--count=a=1"},
			values: map[string]string{"T_NUMBER": "5 flag", "T_ON": "false flag", "T_COUNT": "a=1;b=2 flag"},
		},
		"a file": {env: map[string]string{"T_SECRET_FILE": file}, values: map[string]string{"T_SECRET": "set by file file"}},
		"both":   {env: map[string]string{"T_SECRET_FILE": file, "T_SECRET": "bad"}, errors: []string{"T_SECRET and T_SECRET_FILE are both set: set one of them", "T_NUMBER may be too"}},
		"no file": {
			env:    map[string]string{"T_SECRET_FILE": file + "x"},
			errors: []string{"T_SECRET_FILE names a file that can't be read: open " + file + "x: no such file or directory"},
		},
		"all at once": {
			env: map[string]string{"T_NUMBER": "many", "T_EVERY": "3", "T_ON": "perhaps", "T_COUNT": "a=b", "T_SECRET": "bad", "T_WHICH": "all"},
			errors: []string{
				`T_COUNT: "a=b" is not of the form name=value;…`, `T_NUMBER: "many" is no whole number, or too large`, `T_EVERY: "3" is no duration such as 500ms, 10s or 2m`,
				`T_ON: "perhaps" is neither true nor false`, `T_WHICH: "all" is none of none, some`, "T_SECRET is bad",
			},
			values: map[string]string{"T_NUMBER": "(wrong) environment"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, r, err := read(t, c.env, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			var errs []string
			for _, p := range r.Errors {
				errs = append(errs, p.Text)
				if !strings.HasPrefix(p.Text, p.Variable) || p.Variable == "" {
					t.Errorf("%+v", p)
				}
			}
			if diff := cmp.Diff(c.errors, errs); diff != "" || (r.Err() == nil) != (errs == nil) {
				t.Errorf("the errors: %s", diff)
			}
			for _, v := range r.Variables {
				if want, asked := c.values[v.Name]; asked && v.Value+" "+v.From != want {
					t.Errorf("%s is %q by %q, want %q", v.Name, v.Value, v.From, want)
				}
				if v.Name == "T_SECRET" && (!v.Secret || v.File != "T_SECRET_FILE") || v.Name == "T_NUMBER" && v.Unit != "things" || v.Name == "T_EXTRA" && v.Flag != "" {
					t.Errorf("%+v", v)
				}
			}
			if len(r.Warnings) != 1 || r.Warnings[0].Variable != "T_EXTRA" {
				t.Errorf("the warnings are %+v", r.Warnings)
			}
		})
	}
}

func TestSetToNothingIsNotSet(t *testing.T) {
	c, r, err := read(t, nil)
	if err != nil || len(r.Errors) > 0 || c.Number != 3 || c.Every != time.Minute || !c.On {
		t.Errorf("%+v, %+v, %v", c, r, err)
	}
}

func TestACommandLineThatIsWrong(t *testing.T) {
	if _, _, err := read(t, nil, "--nummer=3"); err == nil || !strings.Contains(err.Error(), "--nummer") {
		t.Error(err)
	}
	if _, _, err := read(t, nil, "--help"); !errors.Is(err, config.ErrHelp) {
		t.Error(err)
	}
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	var got []string
	for _, p := range config.Unknown([]string{
		"CICLO_LEASES=1", "CICLO_LEASE=1", "CICLO_TOKN=x", "CICLO_SOMETHING_ELSE_ALTOGETHER=1", "CICLO_OF_AN_AGENT=1", "CICLO_BIND=1", "CICLO_TEST_X=1", "LEASE=1", "",
	}, map[string]bool{"CICLO_OF_AN_AGENT": true}) {
		got = append(got, p.Text)
	}
	want := []string{
		"CICLO_LEASES is read by nothing: is CICLO_LEASE meant?", "CICLO_SOMETHING_ELSE_ALTOGETHER is read by nothing", "CICLO_TOKN is read by nothing: is CICLO_TOKEN meant?",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
