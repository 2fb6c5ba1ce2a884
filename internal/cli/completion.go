package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand prints a script that completes commands, flags and their values
// from kong's model, and starts nothing at each word as those of kongplete and
// kong-completion do, which have had no release since 2023 and 2022.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (c completionCommand) Run(parsed *kong.Context, g *Globals) error {
	places := placesIn(parsed.Model.Node)
	script := map[string]func([]place) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell](places)
	if g.JSON {
		return g.printJSON(map[string]any{"shell": c.Shell, "script": script})
	}
	fmt.Fprint(g.out, script)
	return nil
}

// place is a command where a word can be completed: "" is ciclo itself, "/token/create"
// a command in a command.
type place struct {
	path, help string
	commands   []place
	flags      []completionFlag
	// values are those of its argument, where they are known.
	values []string
}

// completionFlag is a flag, which may take a value, a file, or one of some values.
type completionFlag struct {
	name, help  string
	takes, file bool
	values      []string
}

// placesIn are the places of a command and all below it.
func placesIn(root *kong.Node) []place {
	var all []place
	var visit func(path string, node *kong.Node) place
	visit = func(path string, node *kong.Node) place {
		p := place{path: path, help: brief(node.Help), flags: flagsOf(node)}
		if d := node.DefaultCmd; d != nil && d.Tag.Default == "withargs" {
			p.flags = flagsOf(d)
		}
		for _, argument := range node.Positional {
			p.values = append(p.values, valuesOf(argument)...)
		}
		at := len(all)
		all = append(all, p)
		for _, child := range node.Children {
			if !child.Hidden {
				p.commands = append(p.commands, visit(path+"/"+child.Name, child))
			}
		}
		all[at] = p
		return p
	}
	visit("", root)
	return all
}

// flagsOf are a command's flags with those of the commands above it.
func flagsOf(node *kong.Node) []completionFlag {
	var all []completionFlag
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			all = append(all, completionFlag{
				name: f.Name, help: brief(f.Help), takes: !f.IsBool() && !f.IsCounter(),
				file: slices.Contains([]string{"path", "existingfile", "existingdir"}, f.Tag.Type), values: valuesOf(f.Value),
			})
		}
	}
	if own, ok := node.Target.Interface().(interface{ ownFlags() []completionFlag }); ok {
		all = append(all, own.ownFlags()...)
	}
	return all
}

func valuesOf(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	return v.EnumSlice()
}

// brief is a help's first sentence, without its full stop.
func brief(help string) string {
	first, _, _ := strings.Cut(help, ". ")
	return strings.TrimSuffix(first, ".")
}

// paths are those of all places but the first, which are what a word can lead to.
func paths(places []place) []string {
	var all []string
	for _, p := range places[1:] {
		all = append(all, p.path)
	}
	return all
}

// taking are the flags anywhere that a value follows, as words.
func taking(places []place) []string {
	var all []string
	for _, p := range places {
		for _, f := range p.flags {
			if f.takes {
				all = append(all, "--"+f.name)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// quoted is a text between single quotes, for bash and zsh.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// names are what can stand at a place: its commands, the values of its argument,
// and its flags.
func (p place) names() (words, flags []string) {
	for _, c := range p.commands {
		words = append(words, c.path[len(p.path)+1:])
	}
	words = append(words, p.values...)
	for _, f := range p.flags {
		flags = append(flags, "--"+f.name)
	}
	return words, flags
}

// bashCompletion also runs in bash 3.2. Where it proposes nothing bash proposes files.
func bashCompletion(places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Completion of ciclo for bash: source <(ciclo completion bash)
_ciclo() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at= words= flags= i
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            %s)
                if [[ ${COMP_WORDS[i+1]} == = ]]; then
                    ((i++))
                fi
                ((i++))
                continue
                ;;
        esac
        case $at/${COMP_WORDS[i]} in
            %s) at=$at/${COMP_WORDS[i]} ;;
        esac
    done
    case "$at $prev" in
`, strings.Join(taking(places), " | "), strings.Join(paths(places), " | "))
	for _, p := range places {
		for _, f := range p.flags {
			if len(f.values) > 0 {
				fmt.Fprintf(&b, "        %s)\n            COMPREPLY=($(compgen -W %s -- \"$cur\"))\n            return\n            ;;\n", quoted(p.path+" --"+f.name), quoted(strings.Join(f.values, " ")))
			}
		}
	}
	fmt.Fprintf(&b, "        %s)\n            return\n            ;;\n    esac\n    case $at in\n", "*' '"+strings.Join(taking(places), " | *' '"))
	for _, p := range places {
		words, flags := p.names()
		fmt.Fprintf(&b, "        %s)\n            words=%s\n            flags=%s\n            ;;\n", quoted(p.path), quoted(strings.Join(words, " ")), quoted(strings.Join(flags, " ")))
	}
	b.WriteString(`    esac
    if [[ $cur == -* ]]; then
        words=$flags
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _ciclo ciclo
`)
	return b.String()
}

func zshCompletion(places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `#compdef ciclo
# Completion of ciclo for zsh: source <(ciclo completion zsh), or this file as _ciclo in a folder of fpath.
_ciclo() {
    local at= prev=${words[CURRENT-1]} i
    local -a commands values flags
    for ((i = 2; i < CURRENT; i++)); do
        case ${words[i]} in
            (%s)
                ((i++))
                continue
                ;;
        esac
        case $at/${words[i]} in
            (%s) at=$at/${words[i]} ;;
        esac
    done
    if [[ $PREFIX == --*=* ]]; then
        prev=${PREFIX%%%%=*}
        compset -P '*='
    fi
    case "$at $prev" in
`, strings.Join(taking(places), " | "), strings.Join(paths(places), " | "))
	var files []string
	for _, p := range places {
		for _, f := range p.flags {
			at := quoted(p.path + " --" + f.name)
			switch {
			case len(f.values) > 0:
				fmt.Fprintf(&b, "        (%s)\n            compadd -- %s\n            return\n            ;;\n", at, strings.Join(f.values, " "))
			case f.file:
				files = append(files, at)
			}
		}
	}
	fmt.Fprintf(&b, "        (%s)\n            _files\n            return\n            ;;\n        (%s)\n            return 1\n            ;;\n    esac\n    case $at in\n",
		strings.Join(files, " | "), "*' '"+strings.Join(taking(places), " | *' '"))
	for _, p := range places {
		fmt.Fprintf(&b, "        (%s)\n", quoted(p.path))
		var commands, flags []string
		for _, c := range p.commands {
			commands = append(commands, quoted(c.path[len(p.path)+1:]+":"+c.help))
		}
		for _, f := range p.flags {
			flags = append(flags, quoted("--"+f.name+":"+f.help))
		}
		fmt.Fprintf(&b, "            commands=(%s)\n            values=(%s)\n            flags=(%s)\n            ;;\n", strings.Join(commands, " "), strings.Join(p.values, " "), strings.Join(flags, " "))
	}
	b.WriteString(`    esac
    if [[ $PREFIX == -* ]]; then
        _describe flag flags
    elif ((${#commands})); then
        _describe command commands
    elif ((${#values})); then
        compadd -- $values
    else
        _files
    fi
}
if [[ ${funcstack[1]} == _ciclo ]]; then
    _ciclo "$@"
else
    compdef _ciclo ciclo
fi
`)
	return b.String()
}

func fishCompletion(places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Completion of ciclo for fish: ciclo completion fish | source
function __ciclo_at
    set -l at
    set -l value no
    for word in (commandline -opc)[2..-1]
        if test $value = yes
            set value no
            continue
        end
        switch $word
            case %s
                set value yes
            case '*'
                if contains -- "$at/$word" %s
                    set at "$at/$word"
                end
        end
    end
    test "$at" = "$argv[1]"
end
`, strings.Join(taking(places), " "), strings.Join(paths(places), " "))
	for _, p := range places {
		add := func(rest string, args ...any) {
			fmt.Fprintf(&b, "complete -c ciclo -n \"__ciclo_at '%s'\" %s\n", p.path, fmt.Sprintf(rest, args...))
		}
		for _, c := range p.commands {
			add("-f -a %s -d %s", c.path[len(p.path)+1:], fishQuoted(c.help))
		}
		if len(p.values) > 0 {
			add("-f -a %s", fishQuoted(strings.Join(p.values, " ")))
		}
		for _, f := range p.flags {
			switch {
			case len(f.values) > 0:
				add("-l %s -x -a %s -d %s", f.name, fishQuoted(strings.Join(f.values, " ")), fishQuoted(f.help))
			case f.file:
				add("-l %s -r -F -d %s", f.name, fishQuoted(f.help))
			case f.takes:
				add("-l %s -x -d %s", f.name, fishQuoted(f.help))
			default:
				add("-l %s -d %s", f.name, fishQuoted(f.help))
			}
		}
	}
	return b.String()
}

// fishQuoted is a text between single quotes, for fish.
func fishQuoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
