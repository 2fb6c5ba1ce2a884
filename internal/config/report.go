package config

import (
	"errors"
	"strings"
)

// Variable is one variable of the environment, as a program reads it.
type Variable struct {
	Name string `json:"name"`
	// Flag is the flag that does the same, such as --lease; empty where there is none.
	Flag    string `json:"flag,omitempty"`
	Default string `json:"default,omitempty"`
	// Unit is what a value is: a duration, a number, connections, a text, a file.
	Unit string `json:"unit"`
	Help string `json:"help"`
	// Secret is never shown. File is the variable that names a file with the value.
	Secret bool   `json:"secret"`
	File   string `json:"file,omitempty"`
	// Value is what holds; of a secret "set", "set by file" or "-". From says whence:
	// default, environment, file or flag. Both are empty where nobody looked.
	Value string `json:"value"`
	From  string `json:"from,omitempty"`
}

// Problem is one thing that is wrong or odd.
type Problem struct {
	// Variable is empty where the text is about none, or about the command line.
	Variable string `json:"variable,omitempty"`
	// Text begins with the variable, and says what is allowed.
	Text string `json:"text"`
}

// Report is how a program is configured.
type Report struct {
	Program   string     `json:"program"`
	Version   string     `json:"version"`
	Variables []Variable `json:"variables"`
	Errors    []Problem  `json:"errors"`
	Warnings  []Problem  `json:"warnings"`
	// Connections is how many a process of it takes from Postgres, at most.
	Connections int `json:"connections"`
	// DirectConnections is how many more it takes past a pooler.
	DirectConnections int `json:"direct_connections"`
}

// problems takes joined errors apart.
func problems(err error, known map[string]bool) (all []Problem) {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			all = append(all, problems(one, known)...)
		}
		return all
	}
	return []Problem{{Variable: variableOf(err.Error(), known), Text: err.Error()}}
}

// variableOf is the variable that a text begins with.
func variableOf(text string, known map[string]bool) string {
	end := strings.IndexFunc(text, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
	if end < 0 {
		end = len(text)
	}
	if known[text[:end]] {
		return text[:end]
	}
	return ""
}

// add appends problems of which none is said twice: of a pair that can't be read
// what follows from that isn't said at all.
func (r *Report) add(all ...Problem) {
	for _, p := range all {
		said := false
		for _, before := range r.Errors {
			if p.Variable != "" && strings.TrimSuffix(before.Variable, fileSuffix) == strings.TrimSuffix(p.Variable, fileSuffix) {
				said = true
			}
			said = said || before == p
		}
		if !said {
			r.Errors = append(r.Errors, p)
		}
	}
}

// Err is all that is wrong, as one error; nil where nothing is.
func (r *Report) Err() error {
	var all []error
	for _, p := range r.Errors {
		all = append(all, errors.New(p.Text))
	}
	return errors.Join(all...)
}
