package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
)

const (
	// graphEntities and graphEdges are those of a full run, a tenth of them in a quick one.
	graphEntities, graphEdges = 200_000, 1_000_000
	// neighbourhoodAim is how long a neighbourhood to depth 2 may take at the 99th
	// percentile, in milliseconds.
	neighbourhoodAim = 20
	// graphPlaces is how many different requests of each kind are made.
	graphPlaces = 200
)

// fillEntities makes $1 entities with names of two and more syllables; the first
// are in the most conversations. Half of the people have a second name.
const fillEntities = `
	INSERT INTO ciclo.entities (id, type, name, mentions, conversations, first_at, last_at)
	SELECT 'entity_' || substr(md5('e' || i), 1, 16), type,
	       CASE type WHEN 'company' THEN 'PT ' || initcap(last) || ' ' || initcap(first) WHEN 'person' THEN initcap(first) || ' ' || initcap(last) ELSE initcap(last) || ' ' || initcap(middle) || ' ' || substr(md5('n' || i), 1, 2) END,
	       conversations * 2, conversations, at, at + interval '1 day'
	FROM (
		SELECT i, (ARRAY['person', 'person', 'person', 'person', 'company', 'company', 'location', 'topic', 'law', 'document'])[1 + i % 10] AS type,
		       1 + 20000 / i AS conversations, timestamptz '2025-01-01 UTC' + i * interval '2 minutes' AS at,
		       syl[1 + a % 70] || syl[1 + a / 70 % 7] AS first, syl[1 + b % 70] || syl[1 + b / 70 % 70] || syl[1 + b / 4900 % 3] AS last, syl[1 + (a + b) % 70] || syl[1 + b % 69] AS middle
		FROM (SELECT i, hashint4(i)::bigint + 2147483648 AS a, hashint4(i + 1000000)::bigint + 2147483648 AS b FROM generate_series(1, $1::int) i) numbered,
		     (SELECT array_agg(c || v ORDER BY c, v) AS syl FROM unnest(string_to_array('b c d f g k l m n p r s t w', ' ')) c, unnest(string_to_array('a e i o u', ' ')) v) syllables
	) named`

const fillAliases = `
	INSERT INTO ciclo.entity_aliases (entity_id, alias, folded, mentions)
	SELECT id, name, lower(name), mentions FROM ciclo.entities
	UNION ALL SELECT id, split_part(name, ' ', 2), lower(split_part(name, ' ', 2)), 1 FROM ciclo.entities WHERE type = 'person' AND hashtext(id) % 2 = 0`

// fillEdges makes $2 edges between $1 entities, a tenth of them no longer held: a
// tenth from one hub, a tenth to another, the rest the more the earlier an entity is.
const fillEdges = `
	INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, invalid_at, expired_at, confidence, evidence, conversations)
	SELECT 'edge_' || substr(md5('d' || i), 1, 16), 'entity_' || substr(md5('e' || s), 1, 16), (ARRAY['requires', 'governed_by', 'relates_to', 'conflicts_with', 'example_of', 'located_in', 'client_of'])[1 + i % 7],
	       'entity_' || substr(md5('e' || o), 1, 16), at, CASE WHEN i % 10 = 0 THEN at + interval '90 days' END, CASE WHEN i % 10 = 0 THEN at + interval '91 days' END,
	       .3 + (i::bigint * 7919 % 700)::float8 / 1000, 1, 1
	FROM (
		SELECT i, timestamptz '2025-01-01 UTC' + i * interval '20 seconds' AS at,
		       CASE WHEN i <= $2::int / 10 THEN 1 WHEN i <= $2::int / 5 THEN i - $2::int / 10 + 10 ELSE 1 + floor($1::int * power(u, 2.5))::int END AS s,
		       CASE WHEN i <= $2::int / 10 THEN 10 + i WHEN i <= $2::int / 5 THEN 2 ELSE 1 + floor($1::int * power(v, 1.5))::int END AS o
		FROM (SELECT i, (hashint4(i + 5000000)::bigint + 2147483648) / 4294967296.0 AS u, (hashint4(i + 9000000)::bigint + 2147483648) / 4294967296.0 AS v FROM generate_series(1, $2::int) i) numbered
	) drawn WHERE s <> o AND s <= $1::int AND o <= $1::int`

const fillDegrees = `
	UPDATE ciclo.entities e SET degree = d.n FROM (
		SELECT id, count(*) AS n FROM (SELECT subject_id AS id FROM ciclo.edges WHERE expired_at IS NULL UNION ALL SELECT object_id FROM ciclo.edges WHERE expired_at IS NULL) x GROUP BY id) d
	WHERE d.id = e.id`

// graph measures what the knowledge graph is asked, through the API: neighbourhoods
// at entities drawn at random and at hubs, paths, and searches.
func (b *bench) graph(ctx context.Context) (_ []figure, err error) {
	entities, edges := graphEntities, graphEdges
	if b.plan.repeats == 1 {
		entities, edges = entities/10, edges/10
	}
	database, err := b.database.create(ctx, "graph")
	if err != nil {
		return nil, err
	}
	if err := postgres.Migrate(ctx, database); err != nil {
		return nil, err
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: database, Name: "ciclo bench graph", MaxConns: 1})
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	b.say("filling a database with %d entities and %d edges …", entities, edges)
	if err := fillGraph(ctx, pool, entities, edges); err != nil {
		return nil, fmt.Errorf("fill the graph: %w", err)
	}
	side, err := b.startOrchestrator(ctx, database)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, side.Stop()) }()
	kinds, err := graphRequests(ctx, pool, side.url+"/api/autonomous-agents/graph")
	if err != nil {
		return nil, err
	}
	client := newClient()
	var figures []figure
	for _, kind := range kinds {
		b.say("%s …", kind.name)
		n := b.plan.pages
		if kind.aim == 0 {
			n /= 5
		}
		var p50, p99 series
		for range b.plan.repeats {
			times, err := inTurn(ctx, client, side.token, kind.addresses, n)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind.name, err)
			}
			p50, p99 = append(p50, percentile(times, 50)), append(p99, percentile(times, 99))
		}
		figures = append(figures, figure{Name: kind.name + ", p50", Unit: "ms", Ours: p50})
		if kind.aim > 0 {
			figures = append(figures, timeWithin(kind.name+", p99", nil, p99, kind.aim))
		} else {
			figures = append(figures, figure{Name: kind.name + ", p99", Unit: "ms", Ours: p99})
		}
	}
	return figures, nil
}

// fillGraph fills the tables without looking up what each row refers to, and
// analyses them.
func fillGraph(ctx context.Context, pool *pgxpool.Pool, entities, edges int) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL session_replication_role = replica`); err != nil {
			return err
		}
		for _, fill := range []struct {
			sql  string
			args []any
		}{{fillEntities, []any{entities}}, {fillAliases, nil}, {fillEdges, []any{entities, edges}}, {fillDegrees, nil}} {
			if _, err := tx.Exec(ctx, fill.sql, fill.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return analyze(ctx, pool)
}

// graphKind is one kind of request; aim is of its 99th percentile, in milliseconds.
type graphKind struct {
	name      string
	addresses []string
	aim       float64
}

// graphRequests are what is asked, drawn with a fixed seed.
func graphRequests(ctx context.Context, pool *pgxpool.Pool, base string) ([]graphKind, error) {
	list := func(sql string) ([][2]string, error) {
		rows, err := pool.Query(ctx, sql)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, func(row pgx.CollectableRow) (pair [2]string, err error) {
			err = row.Scan(&pair[0], &pair[1])
			return pair, err
		})
	}
	some, err := list(fmt.Sprintf(`SELECT id, name FROM ciclo.entities WHERE degree > 0 ORDER BY md5(id) LIMIT %d`, graphPlaces))
	if err != nil {
		return nil, err
	}
	hubs, err := list(`SELECT id, name FROM ciclo.entities ORDER BY degree DESC, id LIMIT 10`)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	var at2, at1, hub2, hub1, paths, names, typos []string
	for i, one := range some {
		at1 = append(at1, base+"/entities/"+one[0]+"/neighbours")
		at2 = append(at2, base+"/entities/"+one[0]+"/neighbours?depth=2")
		paths = append(paths, base+"/path?from="+one[0]+"&to="+some[(i+1)%len(some)][0])
		names = append(names, base+"/entities?q="+url.QueryEscape(one[1]))
		wrong := []byte(one[1])
		at := random.IntN(len(wrong))
		wrong[at] = 'a' + byte(random.IntN(26)) //nolint:gosec // it is a letter
		typos = append(typos, base+"/entities?q="+url.QueryEscape(string(wrong)))
	}
	for _, one := range hubs {
		hub1 = append(hub1, base+"/entities/"+one[0]+"/neighbours")
		hub2 = append(hub2, base+"/entities/"+one[0]+"/neighbours?depth=2")
	}
	return []graphKind{
		{"neighbours at random", at1, 0},
		{"to depth 2 at random", at2, neighbourhoodAim},
		{"neighbours of the ten largest hubs", hub1, 0},
		{"to depth 2 at the ten largest hubs", hub2, neighbourhoodAim},
		{"to depth 2 at the two of a tenth of all edges", hub2[:2], neighbourhoodAim},
		{"shortest path of two at random", paths, 0},
		{"search of a name", names, 0},
		{"search of a name with a typo", typos, 0},
		{"the most talked of", []string{base + "/entities"}, 0},
	}, nil
}

// inTurn asks n of the addresses, one after the other, and returns the sorted
// times. What comes before them, a tenth as often, doesn't count.
func inTurn(ctx context.Context, client *client, token string, addresses []string, n int) ([]time.Duration, error) {
	var times []time.Duration
	var body bytes.Buffer
	for k := -n / 10; k < n; k++ {
		address := addresses[(k+n)%len(addresses)]
		body.Reset()
		began := time.Now()
		if err := client.do(ctx, request{http.MethodGet, address, token, http.StatusOK}, &body); err != nil {
			return nil, err
		}
		if k >= 0 {
			times = append(times, time.Since(began))
		}
		if !json.Valid(body.Bytes()) {
			return nil, fmt.Errorf("the answer of %s is no JSON", address)
		}
	}
	slices.Sort(times)
	return times, nil
}
