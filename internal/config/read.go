package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

const fileSuffix = "_FILE"

// Program is what is to be read.
type Program struct {
	Name, Description, Version string
	// Command is a pointer to the struct that kong fills in.
	Command any
	// Check looks at all variables by their names; nil is none.
	Check func([]Variable) error
	// Out is where --help goes.
	Out io.Writer
}

// ErrHelp says that help was asked for and shown.
var ErrHelp = errors.New("help was shown")

// Read fills the program's struct from args and the environment. What is wrong is in
// the report; an error is ErrHelp, one of the command line, or of the program itself.
func Read(p Program, args []string) (*Report, error) {
	shown := false
	parser, err := kong.New(p.Command, kong.Name(p.Name), kong.Description(p.Description),
		kong.Writers(p.Out, io.Discard), kong.Exit(func(int) { shown = true }))
	if err != nil {
		return nil, fmt.Errorf("read the configuration's struct: %w", err)
	}
	r := &Report{Program: p.Name, Version: p.Version, Variables: []Variable{}, Errors: []Problem{}, Warnings: []Problem{}}
	flags := flagsOf(parser.Model.Node)
	for _, f := range flags {
		r.add(trial(f)...)
	}
	_, err = parser.Parse(args)
	if shown {
		return nil, ErrHelp
	}
	var late []Problem
	switch {
	case err != nil && len(args) > 0:
		return nil, err
	case err != nil: // by a Validate of kong's: it is the environment's
		late = append(late, Problem{Text: err.Error()})
	}
	r.Variables = append(r.Variables, describe(flags, true)...)
	parts := parts(reflect.ValueOf(p.Command))
	for _, part := range parts {
		if !part.environment {
			continue
		}
		variables, err := readEnvironment(part.value.Addr().Interface(), r)
		if err != nil {
			return nil, err
		}
		r.Variables = append(r.Variables, variables...)
	}
	known := map[string]bool{}
	for _, v := range r.Variables {
		known[v.Name] = true
	}
	r.add(pairs(r.Variables)...)
	if p.Check != nil {
		r.add(problems(p.Check(r.Variables), known)...)
	}
	for _, part := range parts {
		if c, ok := part.value.Addr().Interface().(interface{ Check() error }); ok {
			r.add(problems(c.Check(), known)...)
		}
		if w, ok := part.value.Addr().Interface().(interface{ Warn() error }); ok {
			for _, odd := range problems(w.Warn(), known) {
				if !slices.Contains(r.Warnings, odd) {
					r.Warnings = append(r.Warnings, odd)
				}
			}
		}
	}
	r.add(late...)
	r.Warnings = append(r.Warnings, Unknown(os.Environ(), known)...)
	if c, ok := p.Command.(interface{ Connections() int }); ok {
		r.Connections = c.Connections()
	}
	if c, ok := p.Command.(interface{ DirectConnections() int }); ok {
		r.DirectConnections = c.DirectConnections()
	}
	return r, nil
}

// readEnvironment reads a struct of variables that are no flags.
func readEnvironment(target any, r *Report) ([]Variable, error) {
	parser, err := kong.New(target, kong.NoDefaultHelp())
	if err != nil {
		return nil, fmt.Errorf("read the configuration's struct: %w", err)
	}
	flags := flagsOf(parser.Model.Node)
	for _, f := range flags {
		r.add(trial(f)...)
	}
	if _, err := parser.Parse(nil); err != nil {
		return nil, fmt.Errorf("read the environment: %w", err)
	}
	variables := describe(flags, true)
	for i := range variables {
		variables[i].Flag = ""
	}
	return variables, nil
}

// flag is a flag of kong's that a variable can give too, with that variable's value.
type flag struct {
	*kong.Flag
	variable, given string
	set, wrong      bool
	// secret is one that may stand in a file: it is never shown.
	secret bool
}

func flagsOf(node *kong.Node) (all []*flag) {
	for _, f := range node.Flags {
		if len(f.Tag.Envs) == 0 {
			continue
		}
		g := &flag{Flag: f, variable: f.Tag.Envs[0], given: os.Getenv(f.Tag.Envs[0])}
		g.set = g.given != ""
		all = append(all, g)
	}
	for _, g := range all {
		g.secret = slices.ContainsFunc(all, func(other *flag) bool { return other.variable == g.variable+fileSuffix })
	}
	return all
}

// trial parses a variable by itself. One that is wrong or set to nothing is kept
// from kong, which would stop there.
func trial(f *flag) []Problem {
	if !f.set {
		f.Tag.Envs = nil
		return nil
	}
	if f.parse(f.given, reflect.New(f.Target.Type()).Elem()) == nil && (f.Enum == "" || slices.Contains(f.EnumSlice(), f.given)) {
		return nil
	}
	f.Tag.Envs, f.wrong = nil, true
	return []Problem{{Variable: f.variable, Text: f.variable + ": " + mistake(f)}}
}

// parse reads a text as kong would, into target.
func (f *flag) parse(text string, target reflect.Value) error {
	defer func(was bool) { f.Set = was }(f.Set)
	return f.Parse(kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text}), target)
}

// pairs are the secrets that are given twice or by a file that can't be read.
func pairs(variables []Variable) (all []Problem) {
	for _, v := range variables {
		file := os.Getenv(v.File)
		if v.File == "" || file == "" {
			continue
		}
		if os.Getenv(v.Name) != "" {
			all = append(all, Problem{v.Name, v.Name + " and " + v.File + " are both set: set one of them"})
			continue
		}
		if _, err := os.ReadFile(file); err != nil {
			all = append(all, Problem{v.File, v.File + " names a file that can't be read: " + err.Error()})
		}
	}
	return all
}

// part is a struct of the configuration: the whole, or one embedded in it.
type part struct {
	value       reflect.Value
	environment bool
}

func parts(command reflect.Value) []part {
	value := command.Elem()
	all := []part{{value: value}}
	for i := range value.NumField() {
		field := value.Type().Field(i)
		_, embedded := field.Tag.Lookup("embed")
		environment := field.Tag.Get("config") == "environment"
		if field.Type.Kind() != reflect.Struct || !field.IsExported() || !field.Anonymous && !embedded && !environment {
			continue
		}
		inner := parts(value.Field(i).Addr())
		inner[0].environment = environment
		all = append(all, inner...)
	}
	return all
}

// All are the variables of a whole command line, that of each subcommand with its
// path in Of.
func All(app *kong.Application) (of map[string][]Variable) {
	of = map[string][]Variable{}
	var walk func(node *kong.Node, path string)
	walk = func(node *kong.Node, path string) {
		if variables := describe(flagsOf(node), false); len(variables) > 0 {
			of[path] = variables
		}
		for _, child := range node.Children {
			walk(child, strings.TrimSpace(path+" "+child.Name))
		}
	}
	walk(app.Node, app.Name)
	return of
}

// Describe is what a struct of kong's says of its variables; nil where it is none.
func Describe(target any) []Variable {
	parser, err := kong.New(target, kong.NoDefaultHelp())
	if err != nil {
		return nil
	}
	return describe(flagsOf(parser.Model.Node), false)
}
