package extraction

import "slices"

// automaton finds sequences of words by Aho and Corasick (1975): one step a word,
// and amortised at most one step back. Nodes are numbered by breadth, so that the
// children of one are neighbours, in order of their words: three numbers and two
// links a node, whatever the vocabulary's size.
type automaton struct {
	// Of node n: the word that leads to it; its children, from first[n] to
	// first[n+1]; the node of its longest proper suffix; itself or its nearest
	// suffix that ends a sequence, or -1; words from the root.
	words, first, suffix, ends []int32
	depth                      []uint8
	// Of node n: the sequences that end here, from low[n] to high[n] in their order.
	low, high []int32
	// root is the root's child of each word, or -1.
	root []int32
	// vocabulary numbers the words.
	vocabulary map[string]int32
}

// longestName is how many words a name may have.
const longestName = 32

// newAutomaton is of sequences in lexicographic order, none of them empty, none
// longer than longestName.
func newAutomaton(sequences [][]int32, vocabulary map[string]int32) *automaton {
	a := &automaton{vocabulary: vocabulary, root: make([]int32, len(vocabulary))}
	for i := range a.root {
		a.root[i] = -1
	}
	// Of node n: its sequences and those of its children, from low to rest.
	var rest []int32
	add := func(word int32, depth int, low, high int) {
		a.words = append(a.words, word)
		a.depth = append(a.depth, uint8(depth))
		a.low, rest = append(a.low, int32(low)), append(rest, int32(high))
	}
	add(-1, 0, 0, len(sequences))
	for n := 0; n < len(a.words); n++ { //nolint:intrange // nodes are added on the way
		a.first = append(a.first, int32(len(a.words)))
		depth, at, end := int(a.depth[n]), int(a.low[n]), int(rest[n])
		for at < end && len(sequences[at]) == depth {
			at++
		}
		a.high = append(a.high, int32(at))
		for at < end {
			word, from := sequences[at][depth], at
			for at < end && sequences[at][depth] == word {
				at++
			}
			if n == 0 {
				a.root[word] = int32(len(a.words))
			}
			add(word, depth+1, from, at)
		}
	}
	a.first = append(a.first, int32(len(a.words)))
	a.link()
	return a
}

// link sets suffixes and ends, from the root on.
func (a *automaton) link() {
	a.suffix = make([]int32, len(a.words))
	a.ends = make([]int32, len(a.words))
	a.ends[0] = -1
	for n := range a.words {
		for child := a.first[n]; child < a.first[n+1]; child++ {
			if n > 0 {
				a.suffix[child] = a.step(a.suffix[n], a.words[child])
			}
			a.ends[child] = a.ends[a.suffix[child]]
			if a.high[child] > a.low[child] {
				a.ends[child] = child
			}
		}
	}
}

// step is where a word leads from a node.
func (a *automaton) step(node, word int32) int32 {
	for {
		if node == 0 {
			return max(a.root[word], 0)
		}
		from := a.first[node]
		if at, found := slices.BinarySearch(a.words[from:a.first[node+1]], word); found {
			return from + int32(at)
		}
		node = a.suffix[node]
	}
}
