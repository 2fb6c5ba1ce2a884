package conversation

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// MaxBody is how much of one turn is read, in characters; the rest is cut off and
// the turn counted.
const MaxBody = 1 << 16

// MaxTokens bounds what one run holds; with all that is made of them, some 3 GB.
const MaxTokens = 40_000_000

// ErrTooMuch says that there is more text than a run holds.
var ErrTooMuch = errors.New("there is too much text for one run: look at fewer days")

// batchSize is how many messages are handed to a reader at once.
const batchSize = 256

// said is one turn as a reader keeps it.
type said struct {
	id          string
	at          int64
	first, last uint32 // its tokens, in its reader's
	words       uint32
	in          uint32 // conversation
	marks       uint16
	role        Role
	asks, money bool
}

// bodyReader tokenises messages; there is one a core, with a vocabulary of its own.
type bodyReader struct {
	c          *Collector
	vocabulary map[string]uint32
	words      []string
	tokens     []uint32
	turns      []said
	cut        int
}

// Collector takes in the messages of conversations, in any order, and keeps what a
// Corpus needs of them.
type Collector struct {
	conversations []Conversation
	index         map[string]uint32
	batch         []Message
	work          chan []Message
	readers       []*bodyReader
	done          sync.WaitGroup
	held          atomic.Int64
	late, astray  int
}

// NewCollector begins a corpus. Each id is there once.
func NewCollector(conversations []Conversation) (*Collector, error) {
	c := &Collector{conversations: slices.Clone(conversations), index: make(map[string]uint32, len(conversations)), work: make(chan []Message, 4)}
	slices.SortFunc(c.conversations, func(a, b Conversation) int {
		return cmp.Or(cmp.Compare(a.StartedAt, b.StartedAt), strings.Compare(a.ID, b.ID))
	})
	for i, one := range c.conversations {
		if _, twice := c.index[one.ID]; twice {
			return nil, fmt.Errorf("conversation %q is there twice", one.ID)
		}
		c.index[one.ID] = uint32(i)
	}
	for range runtime.GOMAXPROCS(0) {
		r := &bodyReader{c: c, vocabulary: map[string]uint32{"": 0}, words: []string{""}}
		c.readers = append(c.readers, r)
		c.done.Go(r.run)
	}
	return c, nil
}

// Add takes a message in. Those of other conversations, and what was said at the
// time of the outcome or later, are counted and left out.
func (c *Collector) Add(m Message) error {
	in, known := c.index[m.ConversationID]
	switch {
	case !known:
		c.astray++
		return nil
	case m.SentAt >= c.conversations[in].OutcomeAt:
		c.late++
		return nil
	}
	if m.Role != Agent {
		m.Body = ""
	}
	if c.batch = append(c.batch, m); len(c.batch) == batchSize {
		c.flush()
		if c.held.Load() > MaxTokens {
			return ErrTooMuch
		}
	}
	return nil
}

func (c *Collector) flush() {
	c.work <- c.batch
	c.batch = make([]Message, 0, batchSize)
}

// Close ends the readers; it is called once, whatever became of the messages.
func (c *Collector) Close() {
	c.flush()
	close(c.work)
	c.done.Wait()
}

func (r *bodyReader) run() {
	t := &tokenizer{}
	var turn said
	var recent []string // of the sentence, for phrases
	t.emit = func(token []byte) {
		if len(token) == 0 {
			if n := len(r.tokens); n > 0 && r.tokens[n-1] != 0 {
				r.tokens = append(r.tokens, 0)
			}
			recent = recent[:0]
			return
		}
		id, known := r.vocabulary[string(token)]
		if !known {
			id = uint32(len(r.words))
			word := string(token)
			r.words = append(r.words, word)
			r.vocabulary[word] = id
		}
		word := r.words[id]
		r.tokens = append(r.tokens, id)
		switch word {
		case "?":
			turn.asks = true
		case "!":
		case moneyToken:
			turn.money = true
			turn.words++
		default:
			turn.words++
		}
		for _, p := range phrasesByLast[word] {
			if n := len(recent) - len(p.tokens); n >= 0 && slices.Equal(recent[n:], p.tokens) {
				turn.marks |= 1 << p.marker
			}
		}
		recent = append(recent, word)
	}
	for batch := range r.c.work {
		before := len(r.tokens)
		for _, m := range batch {
			turn = said{id: m.ID, at: m.SentAt, in: r.c.index[m.ConversationID], role: m.Role, first: uint32(len(r.tokens))}
			if m.Role == Agent {
				body := bounded(m.Body)
				if len(body) < len(m.Body) {
					r.cut++
				}
				t.read(body)
			}
			turn.last = uint32(len(r.tokens))
			r.turns = append(r.turns, turn)
		}
		r.c.held.Add(int64(len(r.tokens) - before))
	}
}

// bounded is the first MaxBody characters.
func bounded(body string) string {
	if len(body) <= MaxBody || utf8.RuneCountInString(body) <= MaxBody {
		return body
	}
	n := 0
	for i := range body {
		if n == MaxBody {
			return body[:i]
		}
		n++
	}
	return body
}

// Corpus is conversations by what the agent said in them before the outcome, in the
// order of their beginnings.
type Corpus struct {
	Conversations []Conversation
	// LeftOut counts conversations without a word of the agent before the outcome.
	LeftOut int
	// Turns of the agent that were taken; Tokens of them; Late and Astray are
	// messages at or after the outcome and of no conversation looked at; Cut are
	// turns that were longer than MaxBody; Repeated are rows of a message that was
	// there already.
	Turns, Tokens, Late, Astray, Cut, Repeated int

	words   []string // sorted; the first one is the end of a sentence
	tokens  []uint32
	offsets []int // of each conversation's tokens, and the end
	facts   []facts
}

// facts are what the features that are no words need of a conversation.
type facts struct {
	turns, words, asking int
	// response is the median time to the agent's answer, in microseconds; negative
	// where there was none.
	response int64
	marks    uint16
	money    bool
}

// Corpus puts together what was collected, after Close.
func (c *Collector) Corpus() *Corpus {
	corpus := &Corpus{Late: c.late, Astray: c.astray}
	translate := make([][]uint32, len(c.readers))
	tokens := 0
	for _, r := range c.readers {
		corpus.words = append(corpus.words, r.words...)
		corpus.Cut += r.cut
		tokens += len(r.tokens)
	}
	corpus.tokens = make([]uint32, 0, tokens)
	slices.Sort(corpus.words)
	corpus.words = slices.Compact(corpus.words)
	for i, r := range c.readers {
		r.vocabulary = nil
		translate[i] = make([]uint32, len(r.words))
		for id, word := range r.words {
			at, _ := slices.BinarySearch(corpus.words, word)
			translate[i][id] = uint32(at)
		}
		r.words = nil
	}
	// The turns of each conversation, by a counting sort.
	type place struct{ reader, turn uint32 }
	starts := make([]int, len(c.conversations)+1)
	for _, r := range c.readers {
		for i := range r.turns {
			starts[r.turns[i].in+1]++
		}
	}
	for i := range c.conversations {
		starts[i+1] += starts[i]
	}
	places, next := make([]place, starts[len(starts)-1]), slices.Clone(starts)
	for i, r := range c.readers {
		for j := range r.turns {
			in := r.turns[j].in
			places[next[in]] = place{uint32(i), uint32(j)}
			next[in]++
		}
	}
	corpus.offsets = append(make([]int, 0, len(c.conversations)+1), 0)
	var turns []assembled
	for i, conversation := range c.conversations {
		turns = turns[:0]
		for _, p := range places[starts[i]:starts[i+1]] {
			r := c.readers[p.reader]
			turn := &r.turns[p.turn]
			turns = append(turns, assembled{turn, r.tokens[turn.first:turn.last], translate[p.reader]})
		}
		before := len(turns)
		turns = inOrder(turns)
		corpus.Repeated += before - len(turns)
		if f, some := corpus.take(turns); some {
			corpus.Conversations = append(corpus.Conversations, conversation)
			corpus.facts = append(corpus.facts, f)
			corpus.offsets = append(corpus.offsets, len(corpus.tokens))
			corpus.Turns += f.turns
		} else {
			corpus.LeftOut++
		}
	}
	c.readers = nil // what they hold is not needed while features are counted
	return corpus
}

// Fingerprint is 16 hexadecimal digits of all that features and tests are made of.
func (c *Corpus) Fingerprint() string {
	sum := sha256.New()
	write := func(v any) {
		// Writing fixed-size values into a hash doesn't fail.
		_ = binary.Write(sum, binary.LittleEndian, v)
	}
	text := func(s string) {
		write(int64(len(s)))
		sum.Write([]byte(s))
	}
	for _, one := range c.Conversations {
		text(one.ID)
		text(one.Channel)
		text(one.Segment)
		write([]int64{one.StartedAt, one.OutcomeAt})
		write(one.Won)
	}
	for i, f := range c.facts {
		write([]int64{int64(c.offsets[i]), int64(f.turns), int64(f.words), int64(f.asking), f.response, int64(f.marks)})
		write(f.money)
	}
	for _, word := range c.words {
		text(word)
	}
	for tokens := range slices.Chunk(c.tokens, 1<<16) {
		write(tokens)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// assembled is a turn with its tokens and what they are in the corpus.
type assembled struct {
	*said
	tokens    []uint32
	translate []uint32
}

// compare orders turns by time and id; beyond, by what is in them, so that the order
// of rows never matters.
func (a assembled) compare(b assembled) int {
	return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.id, b.id), cmp.Compare(a.role, b.role),
		slices.CompareFunc(a.tokens, b.tokens, func(x, y uint32) int { return cmp.Compare(a.translate[x], b.translate[y]) }))
}

// inOrder sorts turns by time and id and drops the repeated rows of one id.
func inOrder(turns []assembled) []assembled {
	slices.SortFunc(turns, func(a, b assembled) int { return cmp.Or(strings.Compare(a.id, b.id), a.compare(b)) })
	turns = slices.CompactFunc(turns, func(a, b assembled) bool { return a.id == b.id && a.id != "" })
	slices.SortFunc(turns, assembled.compare)
	return turns
}

// take adds a conversation's turns; false where the agent says no word in them.
func (c *Corpus) take(turns []assembled) (f facts, some bool) {
	f.response = -1
	var responses []int64
	waiting := int64(-1)
	for _, turn := range turns {
		if turn.role == Client {
			waiting = turn.at
			continue
		}
		if len(turn.tokens) == 0 || len(turn.tokens) == 1 && turn.tokens[0] == 0 {
			continue // it says nothing
		}
		if waiting >= 0 {
			responses = append(responses, turn.at-waiting)
			waiting = -1
		}
		f.turns++
		f.words += int(turn.words)
		f.marks |= turn.marks
		f.money = f.money || turn.money
		if turn.asks {
			f.asking++
		}
		for _, id := range turn.tokens {
			c.tokens = append(c.tokens, turn.translate[id])
			if id != 0 {
				c.Tokens++
			}
		}
	}
	if len(responses) > 0 {
		slices.Sort(responses)
		f.response = responses[(len(responses)-1)/2]
	}
	return f, f.turns > 0
}
