package relations

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"math"
	"slices"
)

// magic begins a model's bytes; another layout, or other features, have another.
const magic = "ciclo relations 1\n"

// Encode writes a model: equal models give equal bytes.
func (m *Model) Encode() []byte {
	b := []byte(magic)
	text := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendUvarint(b, uint64(len(m.relations)))
	for _, relation := range m.relations {
		text(relation)
	}
	b = binary.AppendUvarint(b, uint64(len(m.allowed)))
	for _, t := range slices.SortedFunc(maps.Keys(m.allowed), types.compare) {
		text(t.subject)
		text(t.object)
		b = binary.AppendUvarint(b, uint64(len(m.allowed[t])))
		for _, relation := range m.allowed[t] {
			b = binary.AppendUvarint(b, uint64(relation))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(m.weights)))
	for _, key := range slices.Sorted(maps.Keys(m.weights)) {
		b = binary.BigEndian.AppendUint64(b, key)
		b = binary.AppendUvarint(b, uint64(len(m.weights[key])))
		for _, w := range m.weights[key] {
			b = binary.AppendUvarint(b, uint64(w.relation))
			b = binary.BigEndian.AppendUint32(b, math.Float32bits(w.value))
		}
	}
	return b
}

// Version names a model by its content.
func (m *Model) Version() string {
	sum := sha256.Sum256(m.Encode())
	return hex.EncodeToString(sum[:6])
}

func (t types) compare(o types) int {
	return cmp.Or(cmp.Compare(t.subject, o.subject), cmp.Compare(t.object, o.object))
}

var errNoModel = errors.New("these bytes are no relation model")

// Decode reads what Encode wrote, and refuses everything else.
func Decode(b []byte) (*Model, error) {
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return nil, errNoModel
	}
	r := &reader{rest: rest}
	m := &Model{allowed: map[types][]int{}, weights: map[uint64][]weight{}}
	for range r.count() {
		m.relations = append(m.relations, r.text())
	}
	for range r.count() {
		t := types{r.text(), r.text()}
		for range r.count() {
			m.allowed[t] = append(m.allowed[t], r.relation(m))
		}
	}
	for range r.count() {
		key := r.key()
		for range r.count() {
			m.weights[key] = append(m.weights[key], weight{r.relation(m), r.value()})
		}
	}
	if r.broken || len(r.rest) > 0 || !m.sound() || !bytes.Equal(m.Encode(), b) {
		return nil, errNoModel
	}
	return m, nil
}

// sound tells whether lists are in order and without repetition. That the bytes are
// what it encodes to shows the rest.
func (m *Model) sound() bool {
	if len(m.relations) == 0 || !ascending(m.relations) {
		return false
	}
	for _, allowed := range m.allowed {
		if !ascending(allowed) {
			return false
		}
	}
	for _, weights := range m.weights {
		for i, w := range weights {
			if i > 0 && weights[i-1].relation >= w.relation {
				return false
			}
		}
	}
	return true
}

func ascending[T cmp.Ordered](list []T) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return true
}

// reader takes bytes from the front; once broken, it gives nothing more.
type reader struct {
	rest   []byte
	broken bool
}

func (r *reader) take(n int) []byte {
	if r.broken || n > len(r.rest) {
		r.broken = true
		return make([]byte, min(n, 8))
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// count is how many follow: each takes a byte at least, which bounds it.
func (r *reader) count() int {
	n, size := binary.Uvarint(r.rest)
	if r.broken || size <= 0 || n > uint64(len(r.rest)-size) {
		r.broken = true
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

func (r *reader) text() string { return string(r.take(r.count())) }

func (r *reader) key() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *reader) relation(m *Model) int {
	n, size := binary.Uvarint(r.rest)
	if r.broken || size <= 0 || n >= uint64(len(m.relations)) {
		r.broken = true
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

func (r *reader) value() float32 {
	v := math.Float32frombits(binary.BigEndian.Uint32(r.take(4)))
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) || v == 0 {
		r.broken = true
	}
	return v
}
