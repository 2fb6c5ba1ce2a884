package tagger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// magic begins a model's bytes; another layout, or other features, have another.
const magic = "ciclo tagger 1\n"

// maxBytes is the largest model that is read.
const maxBytes = 64 << 20

const sumSize = 8

// Encode writes the model: equal models give equal bytes.
func (m *Model) Encode() []byte {
	b := []byte(magic)
	number := func(n int) { b = binary.AppendUvarint(b, uint64(n)) }
	float := func(f float32) { b = binary.BigEndian.AppendUint32(b, math.Float32bits(f)) }
	number(len(m.set.types))
	for _, name := range m.set.types {
		number(len(name))
		b = append(b, name...)
	}
	for _, v := range []float64{m.calibration.sharpness, m.calibration.slope, m.calibration.shift} {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	}
	for _, w := range m.transitions {
		float(w)
	}
	for _, of := range []map[uint64]counts{m.lexicon.words, m.lexicon.names} {
		number(len(of))
		for _, key := range slices.Sorted(maps.Keys(of)) {
			b = binary.BigEndian.AppendUint64(b, key)
			c := of[key]
			for _, n := range append([]uint16{c.outside, c.lower, c.capital}, c.in[:len(m.set.types)]...) {
				number(int(n))
			}
		}
	}
	float(m.scale)
	number(len(m.keys))
	for i, key := range m.keys {
		b = binary.BigEndian.AppendUint32(b, key)
		row := m.steps[i*m.set.size : (i+1)*m.set.size]
		// One bit a tag says which weights follow; the others are nought.
		marks := make([]byte, (len(row)+7)/8)
		for tag, step := range row {
			if step != 0 {
				marks[tag/8] |= 1 << (tag % 8)
			}
		}
		b = append(b, marks...)
		for _, step := range row {
			if step != 0 {
				b = binary.AppendVarint(b, int64(step))
			}
		}
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:sumSize]...)
}

// Version names the model by its content.
func (m *Model) Version() string {
	sum := sha256.Sum256(m.Encode())
	return hex.EncodeToString(sum[:6])
}

var errNoModel = errors.New("these bytes are no tagger's model")

// Decode reads what Encode has written. All other bytes are refused.
func Decode(b []byte) (*Model, error) {
	if len(b) > maxBytes {
		return nil, fmt.Errorf("decode tagger: %d bytes, and a model has at most %d", len(b), maxBytes)
	}
	body, whole := bytes.CutPrefix(b, []byte(magic))
	if !whole || len(body) < sumSize {
		return nil, fmt.Errorf("decode tagger: %w", errNoModel)
	}
	sum := sha256.Sum256(b[:len(b)-sumSize])
	if !bytes.Equal(sum[:sumSize], b[len(b)-sumSize:]) {
		return nil, fmt.Errorf("decode tagger: %w: they are not what was written", errNoModel)
	}
	m, err := decodeBody(&decoder{b: body[:len(body)-sumSize]})
	if err != nil {
		return nil, fmt.Errorf("decode tagger: %w", err)
	}
	if !bytes.Equal(m.Encode(), b) { // one model has one encoding
		return nil, fmt.Errorf("decode tagger: %w: Encode writes it otherwise", errNoModel)
	}
	return m, nil
}

func decodeBody(d *decoder) (*Model, error) {
	m := &Model{}
	var types []string
	for range d.count(maxTypes, 2) {
		types = append(types, string(d.take(d.count(maxTypeBytes, 1))))
	}
	if d.bad || len(types) == 0 || types[0] == "" || !ascending(types) {
		return nil, errNoModel
	}
	m.set = newTagset(types)
	m.calibration = calibration{d.float64(), d.float64(), d.float64()}
	if !(m.calibration.sharpness > 0 && m.calibration.sharpness <= maxSharpness) {
		return nil, errNoModel
	}
	for range m.set.size * m.set.size {
		m.transitions = append(m.transitions, d.float32())
	}
	m.lexicon = newLexicon(len(types))
	for _, into := range []map[uint64]counts{m.lexicon.words, m.lexicon.names} {
		for range d.count(len(d.b), 8+3+len(types)) {
			key := d.uint64()
			c := counts{outside: d.short(), lower: d.short(), capital: d.short()}
			for t := range types {
				c.in[t] = d.short()
			}
			into[key] = c
		}
	}
	m.scale = d.float32()
	marks := (m.set.size + 7) / 8
	n := d.count(len(d.b), 4+marks)
	if d.bad || n*m.set.size > maxBytes {
		return nil, errNoModel
	}
	m.steps = make([]int16, 0, n*m.set.size)
	for range n {
		m.keys = append(m.keys, d.uint32())
		has := d.take(marks)
		for tag := range m.set.size {
			step := int16(0)
			if !d.bad && has[tag/8]&(1<<(tag%8)) != 0 {
				step = d.step()
			}
			m.steps = append(m.steps, step)
		}
	}
	if d.bad || len(d.b) != 0 || m.scale < 0 || !ascending(m.keys) || len(m.keys) > 0 && m.keys[0] == 0 {
		return nil, errNoModel
	}
	m.index()
	return m, nil
}

const (
	maxTypeBytes = 100
	maxSharpness = 100
	maxFloat     = 1e9
)

func ascending[E string | uint32](all []E) bool {
	for i := 1; i < len(all); i++ {
		if all[i-1] >= all[i] {
			return false
		}
	}
	return true
}

// decoder takes from the front of bytes; once they are not what they should be it is
// bad, and gives noughts.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad = true
		return nil
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

// count is a number of things of at least so many bytes each, all of which there must be.
func (d *decoder) count(most, each int) int {
	n, size := binary.Uvarint(d.b)
	if d.bad || size <= 0 || n > uint64(most) || n > uint64(len(d.b)/each) {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return int(n)
}

func (d *decoder) short() uint16 {
	n, size := binary.Uvarint(d.b)
	if d.bad || size <= 0 || n > maxCount {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return uint16(n)
}

func (d *decoder) step() int16 {
	n, size := binary.Varint(d.b)
	if d.bad || size <= 0 || n < -maxWeight || n > maxWeight {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return int16(n)
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) float64() float64 {
	f := math.Float64frombits(d.uint64())
	if !(math.Abs(f) <= maxFloat) {
		d.bad = true
		return 0
	}
	return f
}

func (d *decoder) float32() float32 {
	f := math.Float32frombits(d.uint32())
	if !(math.Abs(float64(f)) <= maxFloat) {
		d.bad = true
		return 0
	}
	return f
}
