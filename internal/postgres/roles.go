package postgres

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var privileges = map[string]string{"s": "SELECT", "i": "INSERT", "u": "UPDATE", "d": "DELETE"}

// privilege is one right on one relation; of some columns alone where there are any.
type privilege struct {
	relation, name string
	columns        []string
}

var rightPattern = regexp.MustCompile(`^([siud])(?:\((.*)\))?$`)

// of are a role's privileges. They are written by us: what can't be read panics, in
// the test that reads them all.
func (r rights) of(role string) (all []privilege) {
	text := map[string]string{RoleOrchestrator: r.orchestrator, RoleWorker: r.worker, RoleEraser: r.eraser}[role]
	for _, right := range strings.Fields(text) {
		parts := rightPattern.FindStringSubmatch(right)
		p := privilege{relation: r.relation, name: privileges[parts[1]]}
		if parts[2] != "" {
			p.columns = strings.Split(parts[2], ",")
		}
		all = append(all, p)
	}
	return all
}

func (p privilege) grant(role string) string {
	columns := ""
	if len(p.columns) > 0 {
		columns = " (" + strings.Join(p.columns, ", ") + ")"
	}
	return "GRANT " + p.name + columns + " ON " + p.relation + " TO " + role
}

// GrantRoles gives the roles of least privilege exactly what they need of this
// version's schema, and takes everything else from them, in one transaction. Roles
// that the server hasn't are left out; where it has none, or we don't own the schema,
// nothing is changed and granted is empty.
func GrantRoles(ctx context.Context, url string) (granted []string, err error) {
	pool, err := Connect(ctx, PoolConfig{URL: url, Name: "ciclo roles", MaxConns: 1, Pooled: true})
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// One at a time: two would change the same rows of the catalogue.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrateLock)); err != nil {
			return err
		}
		granted, err = grantRoles(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("grant the roles their rights: %w", err)
	}
	return granted, nil
}

func grantRoles(ctx context.Context, tx pgx.Tx) (roles []string, err error) {
	var owner bool
	if err := tx.QueryRow(ctx, `SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'ciclo'`).Scan(&owner); err != nil || !owner {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1) ORDER BY 1`, []string{RoleOrchestrator, RoleWorker, RoleEraser})
	if err != nil {
		return nil, err
	}
	if roles, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil || len(roles) == 0 {
		return roles, err
	}
	there, err := relations(ctx, tx)
	if err != nil {
		return nil, err
	}
	var commands []string
	for _, role := range roles {
		commands = append(commands,
			"REVOKE ALL ON ALL TABLES IN SCHEMA ciclo, crm, source, dashboard FROM "+role,
			"REVOKE ALL ON ALL SEQUENCES IN SCHEMA ciclo, crm FROM "+role,
			"REVOKE ALL ON SCHEMA ciclo, crm, source, dashboard FROM "+role,
			"GRANT USAGE ON SCHEMA ciclo, crm, source TO "+role,
			"GRANT USAGE ON ALL SEQUENCES IN SCHEMA ciclo TO "+role,
			"GRANT SELECT ON ALL TABLES IN SCHEMA source TO "+role)
		for _, r := range allRights() {
			for _, p := range r.of(role) {
				if slices.Contains(there, r.relation) {
					commands = append(commands, p.grant(role))
				}
			}
		}
	}
	commands = append(commands, pruning(roles)...)
	if slices.Contains(roles, RoleWorker) {
		commands = append(commands, reindexing)
	}
	_, err = tx.Exec(ctx, strings.Join(commands, ";\n"))
	return roles, err
}

// pruning lets the orchestrator alone call the functions that run as their owner.
func pruning(roles []string) []string {
	commands := []string{"REVOKE EXECUTE ON FUNCTION ciclo.prune_executions, ciclo.prune_cycles, ciclo.prune_slots, ciclo.prune_others FROM PUBLIC"}
	for _, role := range roles {
		does := "REVOKE EXECUTE ON FUNCTION %s FROM "
		if role == RoleOrchestrator {
			does = "GRANT EXECUTE ON FUNCTION %s TO "
		}
		commands = append(commands, fmt.Sprintf(does, "ciclo.prune_executions, ciclo.prune_cycles, ciclo.prune_slots, ciclo.prune_others")+role)
	}
	return commands
}

// reindexing lets the worker do River's daily REINDEX of the queue, from Postgres 17 on:
// before, only a table's owner can.
const reindexing = `DO $$ BEGIN
	IF current_setting('server_version_num')::int >= 170000 THEN
		GRANT MAINTAIN ON ciclo.river_job TO ` + RoleWorker + `;
	END IF;
END $$`

// relations are the tables and views of schemas ciclo and crm.
func relations(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `
		SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('ciclo', 'crm') AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// MissingRights are those that the session's role lacks of what a service needs:
// orchestrator, worker, or all for both. Each is such as "INSERT on ciclo.steps".
func MissingRights(ctx context.Context, pool *pgxpool.Pool, service string) (missing []string, err error) {
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		there, err := relations(ctx, tx)
		if err != nil {
			return err
		}
		for _, role := range map[string][]string{"orchestrator": {RoleOrchestrator}, "worker": {RoleWorker}, "all": {RoleOrchestrator, RoleWorker}}[service] {
			for _, r := range allRights() {
				for _, p := range r.of(role) {
					if !slices.Contains(there, r.relation) {
						continue // of another version's schema, which CheckSchema judges
					}
					has, err := p.held(ctx, tx)
					if err != nil {
						return err
					}
					if text := p.name + " on " + p.relation; !has && !slices.Contains(missing, text) {
						missing = append(missing, text)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at the role's rights: %w", err)
	}
	return missing, nil
}

// held says whether the session's role has the privilege.
func (p privilege) held(ctx context.Context, tx pgx.Tx) (has bool, err error) {
	if len(p.columns) == 0 {
		err = tx.QueryRow(ctx, `SELECT has_table_privilege($1, $2)`, p.relation, p.name).Scan(&has)
		return has, err
	}
	err = tx.QueryRow(ctx, `SELECT bool_and(has_column_privilege($1, c, $2)) FROM unnest($3::text[]) c`, p.relation, p.name, p.columns).Scan(&has)
	return has, err
}

// RightsError says that the session's role lacks what a service needs.
type RightsError struct {
	Role, Service string
	// Missing are some of the rights, such as "INSERT on ciclo.steps", of All.
	Missing []string
	All     int
}

func (e *RightsError) Error() string {
	hint := ""
	if other := map[string]string{RoleWorker: "worker", RoleOrchestrator: "orchestrator"}[e.Role]; other != "" && other != e.Service {
		hint = fmt.Sprintf("%s is the %s's role: give the %s the URL of its own; or else ", e.Role, other, e.Service)
	}
	return fmt.Sprintf("the database's role %s lacks %d rights that the %s needs, such as %s: %srun `ciclo migrate` as the owner of the schema, which grants them",
		e.Role, e.All, e.Service, strings.Join(e.Missing, " and "), hint)
}

// CheckRights returns a *RightsError where the session's role lacks rights that a
// service needs: orchestrator or worker.
func CheckRights(ctx context.Context, pool *pgxpool.Pool, service string) error {
	missing, err := MissingRights(ctx, pool, service)
	if err != nil || len(missing) == 0 {
		return err
	}
	e := &RightsError{Service: service, Missing: missing[:min(len(missing), 2)], All: len(missing)}
	if err := pool.QueryRow(ctx, `SELECT current_user`).Scan(&e.Role); err != nil {
		return fmt.Errorf("ask for the role: %w", err)
	}
	return e
}

// CheckAccepts returns a *RightsError where the session's role can't accept executions:
// the least that tells an orchestrator's from another, by one question.
func CheckAccepts(ctx context.Context, pool *pgxpool.Pool) error {
	e := &RightsError{Service: "orchestrator", Missing: []string{"INSERT on ciclo.executions"}, All: 1}
	var may bool
	if err := pool.QueryRow(ctx, `SELECT current_user, has_table_privilege('ciclo.executions', 'INSERT')`).Scan(&e.Role, &may); err != nil {
		return fmt.Errorf("ask for the role's rights: %w", err)
	}
	if !may {
		return e
	}
	return nil
}
