// Package ddl reads what a migration's SQL does to a database that is in use: its
// statements, the tables that each locks and how, and whether it takes something
// away from programs that run. It is mechanical: what it can't read it says. It
// imports the standard library alone and never looks at a database.
package ddl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Lock modes of Postgres, by their names in its manual.
const (
	AccessExclusive      = "ACCESS EXCLUSIVE"
	ShareRowExclusive    = "SHARE ROW EXCLUSIVE"
	Share                = "SHARE"
	ShareUpdateExclusive = "SHARE UPDATE EXCLUSIVE"
	RowExclusive         = "ROW EXCLUSIVE"
)

// What a statement does to a table's rows while it holds the lock.
const (
	Scans    = "scan"    // reads all of them
	Rewrites = "rewrite" // writes all of them anew
	Writes   = "rows"    // changes some
)

// Lock is one table that a statement locks.
type Lock struct {
	// Table as the statement names it; the index, where only that is named.
	Table string
	Mode  string
	// Work is Scans, Rewrites, Writes, or empty where it only notes something.
	Work string
}

// Statement is one statement of a migration.
type Statement struct {
	SQL   string
	Locks []Lock
	// TakesAway says what programs of the version before would miss; empty is nothing.
	TakesAway string
	// Unread says that it wasn't understood: a block of code, or what is new to this
	// package.
	Unread bool

	plain string // in one line, without comments and literals
}

// Migration is what runs forward of one migration.
type Migration struct {
	// Transactional says that it is one transaction.
	Transactional bool
	Statements    []Statement
	// Oldest is the version to which it raises ciclo.compatibility; 0 is not at all.
	Oldest int64
}

// Goose reads a migration in goose's format.
func Goose(text string) (Migration, error) {
	_, up, found := strings.Cut(text, "-- +goose Up")
	if !found {
		return Migration{}, fmt.Errorf("there is no line %q", "-- +goose Up")
	}
	up, _, _ = strings.Cut(up, "-- +goose Down")
	m := Plain(up)
	m.Transactional = !strings.Contains(text, "-- +goose NO TRANSACTION")
	return m, nil
}

// Plain reads SQL that is run as one transaction.
func Plain(sql string) Migration {
	m := Migration{Transactional: true}
	for _, one := range split(sql) {
		m.Statements = append(m.Statements, read(one))
	}
	m.forgive()
	for _, s := range m.Statements {
		if found := raises.FindStringSubmatch(s.plain); found != nil {
			if n, err := strconv.ParseInt(found[1], 10, 64); err == nil {
				m.Oldest = max(m.Oldest, n)
			}
		}
	}
	return m
}

// TakesAway are the reasons why programs of the version before can't run on what
// the migration leaves.
func (m Migration) TakesAway() []string {
	var all []string
	for _, s := range m.Statements {
		if s.TakesAway != "" {
			all = append(all, s.TakesAway)
		}
	}
	return all
}

// Contracts says that programs of a version before are shut out by it.
func (m Migration) Contracts() bool { return m.Oldest > 0 || len(m.TakesAway()) > 0 }

// Unread is how many of its statements weren't understood.
func (m Migration) Unread() int {
	n := 0
	for _, s := range m.Statements {
		if s.Unread {
			n++
		}
	}
	return n
}

// created are the names of what the migration makes itself.
func (m Migration) created() map[string]bool {
	names := map[string]bool{}
	for _, s := range m.Statements {
		if found := creates.FindStringSubmatch(s.plain); found != nil {
			names[strings.ToLower(found[1])] = true
		}
	}
	return names
}

// forgive takes back what is no harm: locks of what nobody knows yet, and the loss
// of what is made anew at once.
func (m *Migration) forgive() {
	made := m.created()
	for i, s := range m.Statements {
		m.Statements[i].Locks = slices.DeleteFunc(s.Locks, func(l Lock) bool { return made[strings.ToLower(l.Table)] })
		if found := drops.FindStringSubmatch(s.plain); found != nil {
			lost := slices.DeleteFunc(names(found[2]), func(name string) bool { return made[strings.ToLower(name)] })
			if len(lost) == 0 {
				m.Statements[i].TakesAway = ""
			}
		}
		if found := alters.FindStringSubmatch(s.plain); found != nil && made[strings.ToLower(found[1])] {
			m.Statements[i].TakesAway = ""
		}
	}
}

// Broken says which rules of docs/upgrading.md a migration breaks: big are the
// tables on which an index must be built beside their use.
func (m Migration) Broken(version int64, big []string) []string {
	var wrong []string
	if why := m.TakesAway(); len(why) > 0 && m.Oldest == 0 {
		wrong = append(wrong, fmt.Sprintf("it takes something away from the version before (%s) and doesn't raise ciclo.compatibility", strings.Join(why, "; ")))
	}
	if m.Oldest > version {
		wrong = append(wrong, fmt.Sprintf("it raises ciclo.compatibility to %d, above itself", m.Oldest))
	}
	for _, s := range m.Statements {
		concurrent := strings.Contains(s.plain, " CONCURRENTLY ")
		if concurrent && m.Transactional {
			wrong = append(wrong, "CONCURRENTLY needs `-- +goose NO TRANSACTION`: "+s.plain)
		}
		for _, l := range s.Locks {
			if l.Mode != RowExclusive && l.Mode != ShareUpdateExclusive && l.Work != "" && slices.Contains(big, l.Table) {
				wrong = append(wrong, fmt.Sprintf("it holds up %s for a %s of it: %s", l.Table, l.Work, s.plain))
			}
		}
		if !m.Transactional && !concurrent && !strings.HasPrefix(s.plain, "SET ") {
			wrong = append(wrong, "outside of a transaction only CONCURRENTLY is safe to be cut off: "+s.plain)
		}
	}
	return wrong
}
