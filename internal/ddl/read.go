package ddl

import (
	"regexp"
	"strings"
)

const name = `((?:"[^"]+"|[\w]+)(?:\.(?:"[^"]+"|[\w]+))?)`

func pattern(text string) *regexp.Regexp { return regexp.MustCompile(`(?i)` + text) }

var (
	raises  = pattern(`^UPDATE ciclo\.compatibility SET oldest = (\d+)$`)
	creates = pattern(`^CREATE (?:OR REPLACE )?(?:UNLOGGED )?(?:TABLE|VIEW|FUNCTION|PROCEDURE|TYPE|SEQUENCE|MATERIALIZED VIEW|SCHEMA)(?: IF NOT EXISTS)? ` + name)
	drops   = pattern(`^DROP (TABLE|VIEW|FUNCTION|PROCEDURE|TYPE|SEQUENCE|MATERIALIZED VIEW|SCHEMA)(?: IF EXISTS)? (.+?)(?: CASCADE| RESTRICT)?$`)
	alters  = pattern(`^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?` + name + ` (.+)$`)
	renames = pattern(`^ALTER (?:VIEW|FUNCTION|TYPE|SCHEMA|SEQUENCE|INDEX) .* (?:RENAME|SET SCHEMA) `)
	index   = pattern(`^CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?(?:IF NOT EXISTS )?(?:` + name + ` )?ON (?:ONLY )?` + name)
	unindex = pattern(`^DROP INDEX (CONCURRENTLY )?(?:IF EXISTS )?(.+?)(?: CASCADE| RESTRICT)?$`)
	trigger = pattern(`^(CREATE|DROP)(?: OR REPLACE)?(?: CONSTRAINT)? TRIGGER .*? ON ` + name)
	writes  = pattern(`^(?:UPDATE (?:ONLY )?|DELETE FROM (?:ONLY )?|INSERT INTO )` + name)
	trunc   = pattern(`^TRUNCATE (?:TABLE )?(.+?)(?: CASCADE| RESTRICT| RESTART IDENTITY| CONTINUE IDENTITY)*$`)
	locks   = pattern(`^LOCK (?:TABLE )?(.+?)(?: IN (.+) MODE)?(?: NOWAIT)?$`)
	refers  = pattern(`REFERENCES ` + name)
	quiet   = pattern(`^(?:CREATE (?:OR REPLACE )?(?:UNLOGGED )?(?:TABLE|VIEW|FUNCTION|PROCEDURE|TYPE|SEQUENCE|SCHEMA|MATERIALIZED VIEW)|COMMENT ON|GRANT|REVOKE|SET|ALTER (?:FUNCTION|TYPE|SEQUENCE|DEFAULT PRIVILEGES|VIEW|INDEX)) `)
)

// The parts of an ALTER TABLE, as the manual has them: what each means for rows and
// for the version before.
var (
	dropColumn   = pattern(`^DROP (?:COLUMN )?(?:IF EXISTS )?(\w+)`)
	dropOther    = pattern(`^DROP (?:CONSTRAINT|DEFAULT|EXPRESSION)\b`)
	renamePart   = pattern(`^(?:RENAME|SET SCHEMA) `)
	setType      = pattern(`^ALTER (?:COLUMN )?(\S+) (?:SET DATA )?TYPE `)
	setNotNull   = pattern(`^ALTER (?:COLUMN )?(\S+) SET NOT NULL`)
	dropDefault  = pattern(`^ALTER (?:COLUMN )?(\S+) DROP DEFAULT`)
	validate     = pattern(`^VALIDATE CONSTRAINT `)
	addTable     = pattern(`^ADD (?:CONSTRAINT \S+ )?(CHECK|FOREIGN KEY|UNIQUE|PRIMARY KEY|EXCLUDE)\b`)
	addColumn    = pattern(`^ADD (?:COLUMN )?(?:IF NOT EXISTS )?(\S+) `)
	notValid     = pattern(`NOT VALID$`)
	hasNotNull   = pattern(`\bNOT NULL\b|\bPRIMARY KEY\b`)
	hasDefault   = pattern(`\bDEFAULT\b|\bGENERATED\b`)
	costsRewrite = pattern(`\bGENERATED\b|\b(?:gen_random_uuid|clock_timestamp|random|nextval)\(`)
	costsScan    = pattern(`\bCHECK\b|\bREFERENCES\b|\bUNIQUE\b|\bPRIMARY KEY\b`)
)

// read says what one statement does.
func read(sql string) Statement {
	s := Statement{SQL: sql, plain: plain(sql)}
	lock := func(table, mode, work string) { s.Locks = append(s.Locks, Lock{table, mode, work}) }
	switch {
	case alters.MatchString(s.plain):
		found := alters.FindStringSubmatch(s.plain)
		s.alter(found[1], found[2])
	case index.MatchString(s.plain):
		found := index.FindStringSubmatch(s.plain)
		mode := Share
		if found[1] != "" {
			mode = ShareUpdateExclusive
		}
		lock(found[3], mode, Scans)
	case unindex.MatchString(s.plain):
		found := unindex.FindStringSubmatch(s.plain)
		mode := AccessExclusive
		if found[1] != "" {
			mode = ShareUpdateExclusive
		}
		for _, one := range names(found[2]) {
			lock(one, mode, "")
		}
	case drops.MatchString(s.plain):
		found := drops.FindStringSubmatch(s.plain)
		for _, one := range names(found[2]) {
			if kind := strings.ToUpper(found[1]); kind == "TABLE" || strings.HasSuffix(kind, "VIEW") {
				lock(one, AccessExclusive, "")
			}
		}
		s.TakesAway = s.plain
	case renames.MatchString(s.plain):
		s.TakesAway = s.plain
	case trigger.MatchString(s.plain):
		found := trigger.FindStringSubmatch(s.plain)
		mode := ShareRowExclusive
		if strings.EqualFold(found[1], "DROP") {
			mode = AccessExclusive
		}
		lock(found[2], mode, "")
	case trunc.MatchString(s.plain):
		for _, one := range names(trunc.FindStringSubmatch(s.plain)[1]) {
			lock(one, AccessExclusive, "")
		}
		s.TakesAway = s.plain
	case locks.MatchString(s.plain):
		found := locks.FindStringSubmatch(s.plain)
		mode := AccessExclusive
		if found[2] != "" {
			mode = strings.ToUpper(found[2])
		}
		for _, one := range names(found[1]) {
			lock(one, mode, "")
		}
	case writes.MatchString(s.plain):
		lock(writes.FindStringSubmatch(s.plain)[1], RowExclusive, Writes)
	case quiet.MatchString(s.plain):
		for _, found := range refers.FindAllStringSubmatch(s.plain, -1) {
			lock(found[1], ShareRowExclusive, "")
		}
	default:
		s.Unread = true
	}
	return s
}

// alter says what an ALTER TABLE does, part by part.
func (s *Statement) alter(table, rest string) {
	mode, work := ShareUpdateExclusive, ""
	harder := func(m, w string) {
		if m == AccessExclusive || mode == ShareUpdateExclusive {
			mode = m
		}
		if w == Rewrites || work == "" {
			work = w
		}
	}
	for _, part := range parts(rest) {
		takes := false
		switch {
		case validate.MatchString(part):
			harder(ShareUpdateExclusive, Scans)
		case dropOther.MatchString(part):
			harder(AccessExclusive, "")
		case dropColumn.MatchString(part), renamePart.MatchString(part), dropDefault.MatchString(part):
			harder(AccessExclusive, "")
			takes = true
		case setType.MatchString(part):
			harder(AccessExclusive, Rewrites)
			takes = true
		case setNotNull.MatchString(part):
			harder(AccessExclusive, Scans)
			takes = true
		case addTable.MatchString(part):
			m, w := AccessExclusive, Scans
			if strings.EqualFold(addTable.FindStringSubmatch(part)[1], "FOREIGN KEY") {
				m = ShareRowExclusive
			}
			if notValid.MatchString(part) {
				w = ""
			}
			harder(m, w)
		case addColumn.MatchString(part):
			w := ""
			if costsScan.MatchString(part) {
				w = Scans
			}
			if costsRewrite.MatchString(part) {
				w = Rewrites
			}
			harder(AccessExclusive, w)
			takes = hasNotNull.MatchString(part) && !hasDefault.MatchString(part)
		default:
			harder(AccessExclusive, "")
		}
		if takes && s.TakesAway == "" {
			s.TakesAway = "ALTER TABLE " + table + " " + part
		}
	}
	s.Locks = append(s.Locks, Lock{table, mode, work})
	for _, found := range refers.FindAllStringSubmatch(rest, -1) {
		s.Locks = append(s.Locks, Lock{found[1], ShareRowExclusive, ""})
	}
}

// names are those of a list with commas, without the parameters of functions.
func names(list string) []string {
	var all []string
	for _, one := range parts(list) {
		one, _, _ = strings.Cut(one, "(")
		all = append(all, strings.TrimSpace(one))
	}
	return all
}

// parts are what commas outside of brackets separate.
func parts(text string) []string {
	var all []string
	depth, from := 0, 0
	for i, r := range text {
		switch r {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case ',':
			if depth == 0 {
				all, from = append(all, strings.TrimSpace(text[from:i])), i+1
			}
		}
	}
	return append(all, strings.TrimSpace(text[from:]))
}
