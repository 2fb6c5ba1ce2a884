package clientvalue

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
)

// frozen says which payments an execution rests on. They themselves are kept in
// ciclo.value_payments while the execution goes on, so that an attempt after a
// kill computes with the same ones, whatever was paid, imported or corrected in
// between: what the first attempt wrote and what the next one adds are of one
// snapshot. Part 0 is empty and stays, as the mark that there was one.
type frozen struct {
	AsOf     int32      `json:"as_of"`
	Currency string     `json:"currency"`
	Omitted  []Omission `json:"omitted"`
	// Conversions are of payments in other currencies.
	Conversions []Conversion `json:"conversions"`
	Payments    int          `json:"payments"`
	// Digest is of the payments, as they are kept.
	Digest string `json:"digest"`
}

// freeze returns the execution's payments, sorted: as an earlier attempt kept
// them, or as they are now in the source, which are then kept.
func freeze(ctx context.Context, task *agents.Task, w window) (frozen, []Purchase, error) {
	kept := false
	err := task.Read(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ciclo.value_payments WHERE execution_id = $1)`, task.ExecutionID).Scan(&kept)
	})
	if err != nil {
		return frozen{}, nil, fmt.Errorf("look for kept payments: %w", err)
	}
	var read payments
	var parts [][]byte
	if !kept {
		task.Progress(0, 1, "reading payments")
		err := task.Read(ctx, func(tx pgx.Tx) (err error) {
			read, err = readPayments(ctx, tx, w)
			return err
		})
		if err != nil {
			return frozen{}, nil, err
		}
		sortPurchases(read.purchases)
		for i := 1; i < len(read.purchases); i++ { // one text an id is enough
			if read.purchases[i].ClientID == read.purchases[i-1].ClientID {
				read.purchases[i].ClientID = read.purchases[i-1].ClientID
			}
		}
		parts = pack(read.purchases)
	}
	f, err := agents.StepTx(ctx, task, "payments", func(ctx context.Context, tx pgx.Tx) (frozen, error) {
		digest := sha256.New()
		for _, part := range parts {
			digest.Write(part)
		}
		f := frozen{read.asOf, read.currency, read.omissions(), read.conversions, len(read.purchases), hex.EncodeToString(digest.Sum(nil))}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"ciclo", "value_payments"}, []string{"execution_id", "part", "payments"},
			pgx.CopyFromSlice(len(parts)+1, func(i int) ([]any, error) {
				if i == 0 {
					return []any{task.ExecutionID, int32(0), []byte{}}, nil
				}
				return []any{task.ExecutionID, int32(i), parts[i-1]}, nil
			}))
		return f, err
	})
	if err != nil {
		return f, nil, err
	}
	if !kept {
		return f, read.purchases, nil
	}
	purchases, err := thaw(ctx, task)
	return f, purchases, err
}

// thaw returns the payments that an earlier attempt kept. There are none once
// the scores were written.
func thaw(ctx context.Context, task *agents.Task) ([]Purchase, error) {
	var purchases []Purchase
	err := task.Read(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT payments FROM ciclo.value_payments WHERE execution_id = $1 AND part > 0 ORDER BY part`, task.ExecutionID)
		if err != nil {
			return err
		}
		var part []byte
		_, err = pgx.ForEachRow(rows, []any{&part}, func() (err error) {
			purchases, err = unpack(purchases, part)
			return err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the kept payments: %w", err)
	}
	return purchases, nil
}

// forget removes what was kept of this execution, and of those of others that
// ended before they could.
func forget(ctx context.Context, tx pgx.Tx, execution string) error {
	_, err := tx.Exec(ctx, `
		DELETE FROM ciclo.value_payments p
		WHERE part > 0 AND (execution_id = $1 OR EXISTS (
			SELECT FROM ciclo.executions e WHERE e.id = p.execution_id AND e.status IN ('completed', 'failed', 'cancelled')))`, execution)
	if err != nil {
		return fmt.Errorf("remove the kept payments: %w", err)
	}
	return nil
}

// partSize is about how many bytes a part has.
const partSize = 1 << 20

// pack encodes sorted payments: of each client the id and the number of
// payments, of each payment the days since the one before and the amount, in
// cents where that is exact and as floating point elsewhere. A client's payments
// may go on in the next part.
func pack(purchases []Purchase) [][]byte {
	var parts [][]byte
	var part []byte
	for i := 0; i < len(purchases); {
		j := i + 1
		for j < len(purchases) && purchases[j].ClientID == purchases[i].ClientID && j-i < partSize/16 {
			j++
		}
		id := purchases[i].ClientID
		part = binary.AppendUvarint(part, uint64(len(id)))
		part = append(part, id...)
		part = binary.AppendUvarint(part, uint64(j-i))
		day := int64(0)
		for _, p := range purchases[i:j] {
			part = binary.AppendVarint(part, int64(p.Day)-day)
			day = int64(p.Day)
			cents := math.Round(p.Amount * 100)
			if math.Abs(cents) < 1<<50 && math.Float64bits(cents/100) == math.Float64bits(p.Amount) {
				part = binary.AppendVarint(part, 2*int64(cents))
				continue
			}
			part = binary.AppendVarint(part, 1)
			part = binary.LittleEndian.AppendUint64(part, math.Float64bits(p.Amount))
		}
		if i = j; len(part) >= partSize || i == len(purchases) {
			parts, part = append(parts, part), nil
		}
	}
	return parts
}

var errPacked = errors.New("kept payments are damaged")

// unpack appends the payments of a part.
func unpack(purchases []Purchase, part []byte) ([]Purchase, error) {
	bad := false
	unsigned := func() uint64 {
		v, n := binary.Uvarint(part)
		if n <= 0 {
			bad, n = true, 0
		}
		part = part[n:]
		return v
	}
	signed := func() int64 {
		v, n := binary.Varint(part)
		if n <= 0 {
			bad, n = true, 0
		}
		part = part[n:]
		return v
	}
	for len(part) > 0 && !bad {
		length := unsigned()
		if bad || length > uint64(len(part)) {
			return nil, errPacked
		}
		id := string(part[:length])
		part = part[length:]
		n := unsigned()
		if bad || n > uint64(len(part)) {
			return nil, errPacked
		}
		purchases = slices.Grow(purchases, int(n))
		day := int64(0)
		for range n {
			day += signed()
			amount := signed()
			p := Purchase{ClientID: id, Day: int32(day), Amount: float64(amount/2) / 100}
			if amount%2 != 0 {
				if len(part) < 8 {
					return nil, errPacked
				}
				p.Amount = math.Float64frombits(binary.LittleEndian.Uint64(part))
				part = part[8:]
			}
			purchases = append(purchases, p)
		}
	}
	if bad {
		return nil, errPacked
	}
	return purchases, nil
}
