package clientvalue

import "context"

// prospect is what the expected purchases of a client who is alive depend on,
// given the model and its parameters. A population has far fewer prospects than
// clients, for the recency isn't part of it: series are summed once a prospect.
type prospect struct {
	x   int
	age float64
}

// forProspects computes a value for each distinct prospect of histories, on
// both of two processors, and returns them with the index into them for each
// history. The error is that of the first prospect that has one, or the
// context's.
func forProspects[T any](ctx context.Context, histories []History, workers int, compute func(prospect) (T, error)) (values []T, index []int32, err error) {
	index = make([]int32, len(histories))
	places := make(map[prospect]int32)
	var prospects []prospect
	for i := range histories {
		p := prospect{histories[i].X, histories[i].Age}
		place, known := places[p]
		if !known {
			place = int32(len(prospects))
			places[p] = place
			prospects = append(prospects, p)
		}
		index[i] = place
	}
	values = make([]T, len(prospects))
	errs := make([]error, len(prospects))
	parallel(len(prospects), workers, func(i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			values[i], errs[i] = compute(prospects[i])
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	for _, err := range errs {
		if err != nil {
			return nil, nil, err
		}
	}
	return values, index, nil
}
