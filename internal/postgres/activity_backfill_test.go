package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/migrations"
)

// What moved before the counts were there is counted as if they had been: by minute,
// hour and day, as far back as each is kept.
func TestWhatMovedBeforeIsCounted(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	db := stdlib.OpenDBFromPool(b.pool)
	t.Cleanup(func() { b.must(db.Close()) })
	schema, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS, goose.WithTableName("ciclo.goose_db_version"), goose.WithDisableGlobalRegistry(true))
	b.must(err)

	// Lived by today's schema, which today's store needs; the counts of it go with them.
	w := b.worker()
	for range 4 {
		b.must(b.complete(b.run(b.accept().ID, w), `{}`))
		e := b.accept()
		b.must(b.Interrupt(b.ctx, b.run(e.ID, w)))
		b.failed(b.run(e.ID, w), postgres.Failure{Class: "permanent", Text: "no", Permanent: true})
		b.must(b.complete(b.run(b.acceptDry().ID, w), `{}`))
	}
	b.exec(`ALTER TABLE ciclo.executions DISABLE TRIGGER USER; ALTER TABLE ciclo.transitions DISABLE TRIGGER USER`)
	// Of 0, 10, 20 … hours ago, 20 … days and 200 … days ago; each took longer than the one before.
	b.exec(`
		CREATE TABLE aged AS
		SELECT id, n * (CASE n % 3 WHEN 0 THEN interval '10 hours' WHEN 1 THEN interval '20 days' ELSE interval '200 days' END) AS by, n * interval '40 minutes' AS took
		FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM ciclo.executions) e`)
	b.exec(`UPDATE ciclo.transitions t SET at = at - by FROM aged WHERE aged.id = t.execution_id`)
	b.exec(`UPDATE ciclo.executions e SET started_at = started_at - by - took, ended_at = ended_at - by FROM aged WHERE aged.id = e.id`)
	b.exec(`DROP TABLE aged`)
	b.exec(`ALTER TABLE ciclo.executions ENABLE TRIGGER USER; ALTER TABLE ciclo.transitions ENABLE TRIGGER USER`)
	b.run(b.accept().ID, w)
	b.accept()

	_, err = schema.DownTo(b.ctx, 24)
	b.must(err)
	_, err = schema.Up(b.ctx)
	b.must(err)
	b.pool.Reset() // its statements were prepared for columns that are new now
	if n := b.count(`SELECT count(*) FROM ciclo.uncounted_moves`); n != 0 {
		t.Errorf("%d old moves are left to be counted", n)
	}
	if diff := cmp.Diff(b.texts(really), b.texts(standing, "ever")); diff != "" {
		t.Errorf("executions (-) and counts (+): %s", diff)
	}
	all := func() (counts []string) {
		return append(b.texts(`SELECT format('%s %s %s %s>%s %s', grain, at, agent, from_status, to_status, executions) FROM ciclo.activity ORDER BY 1`),
			b.texts(`SELECT format('%s %s %s %s %s %s %s', grain, at, agent, status, bucket, executions, round(seconds::numeric, 3)) FROM ciclo.activity_durations ORDER BY 1`)...)
	}
	backfilled := all()
	b.exec(`TRUNCATE ciclo.activity, ciclo.activity_durations`)
	b.exec(`INSERT INTO ciclo.uncounted_moves SELECT t.at, e.agent, coalesce(t.from_status, ''), t.to_status, e.started_at
		FROM ciclo.transitions t JOIN ciclo.executions e ON e.id = t.execution_id WHERE NOT e.dry_run`)
	b.countAll()
	_, err = b.ForgetActivity(b.ctx)
	b.must(err)
	if diff := cmp.Diff(all(), backfilled); diff != "" {
		t.Errorf("counted (-) and backfilled (+): %s", diff)
	}
	grains := map[string]int{}
	for _, text := range b.texts(`SELECT grain FROM ciclo.activity`) {
		grains[text]++
	}
	if grains["minute"] == 0 || grains["hour"] <= grains["minute"] || grains["day"] == 0 || grains["accepted_hour"] == 0 {
		t.Errorf("the history is too short for the test: %v", grains)
	}

	// New moves go on where the old ones end.
	b.must(b.complete(b.run(b.accept().ID, w), `{}`))
	if diff := cmp.Diff(b.texts(really), b.texts(standing, "ever")); diff != "" {
		t.Errorf("afterwards, executions (-) and counts (+): %s", diff)
	}
}
