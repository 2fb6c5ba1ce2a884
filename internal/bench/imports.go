package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// importRows is the larger file; the smaller has a tenth.
	importRows = 1_000_000
	// importAim is seconds for a million payments on two cores.
	importAim = 30
)

// imports measures a million payments with ids, from CSV and from JSON lines, by
// the real command, beside pgx's COPY of the same rows into a table without keys,
// and the command's largest memory beside that of a tenth of the rows.
func (b *bench) imports(ctx context.Context) ([]figure, error) {
	ciclo := filepath.Join(b.dir, "ciclo")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", ciclo, "github.com/nuzantara/ciclo/cmd/ciclo").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build ciclo: %w\n%s", err, out)
	}
	var figures []figure
	for _, format := range []string{"csv", "jsonl"} {
		large, small := filepath.Join(b.dir, "large."+format), filepath.Join(b.dir, "small."+format)
		if err := errors.Join(writePayments(large, format, importRows), writePayments(small, format, importRows/10)); err != nil {
			return nil, err
		}
		var floors, ours, less, more series
		for range b.plan.repeats {
			floor, err := b.copyBare(ctx)
			if err != nil {
				return nil, err
			}
			_, little, err := b.importOnce(ctx, ciclo, small)
			if err != nil {
				return nil, err
			}
			seconds, memory, err := b.importOnce(ctx, ciclo, large)
			if err != nil {
				return nil, err
			}
			floors, ours, less, more = append(floors, floor), append(ours, seconds), append(less, little), append(more, memory)
		}
		figures = append(figures,
			beside("a million payments by "+format+", beside COPY into a bare table", "s", floors, ours),
			atMost("the same", "s", ours, importAim),
			ratioAtMost("largest memory of ciclo import by "+format+", a million rows beside a tenth", "MB", less, more, 1.5))
	}
	return figures, nil
}

// payment is the i-th of the files and of the floor.
func payment(i int) (id, client string, paid time.Time, amount string) {
	return fmt.Sprintf("P%d", i), fmt.Sprintf("C%d", i*7919%100_003), time.Date(2020, 1, 1+i%2000, 0, 0, 0, 0, time.UTC), fmt.Sprintf("%d.%02d", i%9973, i%100)
}

func writePayments(path, format string, n int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	layout := "%s,%s,%s,%s,EUR\n"
	if format == "jsonl" {
		layout = `{"id":"%s","client_id":"%s","paid_at":"%s","amount":%s,"currency":"EUR"}` + "\n"
	} else {
		fmt.Fprintln(w, "id,client_id,paid_at,amount,currency")
	}
	for i := range n {
		id, client, paid, amount := payment(i)
		fmt.Fprintf(w, layout, id, client, paid.Format(time.DateOnly), amount)
	}
	return errors.Join(w.Flush(), file.Close())
}

// copyBare copies the million into a table without keys, and returns the seconds.
func (b *bench) copyBare(ctx context.Context) (float64, error) {
	if _, err := b.pool.Exec(ctx, `DROP TABLE IF EXISTS public.bare; CREATE TABLE public.bare (id text, client_id text, paid_at timestamptz, amount numeric, currency text)`); err != nil {
		return 0, err
	}
	began := time.Now()
	_, err := b.pool.CopyFrom(ctx, pgx.Identifier{"public", "bare"}, []string{"id", "client_id", "paid_at", "amount", "currency"},
		pgx.CopyFromSlice(importRows, func(i int) ([]any, error) {
			id, client, paid, amount := payment(i)
			return []any{id, client, paid, amount, "EUR"}, nil
		}))
	return time.Since(began).Seconds(), err
}

// importOnce imports a file into empty tables, and returns the seconds and the
// largest resident memory in MB.
func (b *bench) importOnce(ctx context.Context, ciclo, path string) (seconds, memory float64, err error) {
	if _, err := b.pool.Exec(ctx, `TRUNCATE crm.payments, crm.clients, crm.imports CASCADE`); err != nil {
		return 0, 0, err
	}
	cmd := exec.CommandContext(ctx, ciclo, "import", "payments", path)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+b.url)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("import %s: %w\n%s", path, err, out)
	}
	seconds = time.Since(began).Seconds()
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0, errors.New("this system doesn't say how much memory a process took")
	}
	unit := float64(1 << 10) // kB, but bytes on macOS
	if runtime.GOOS == "darwin" {
		unit = 1 << 20
	}
	return seconds, float64(usage.Maxrss) / unit, nil
}
