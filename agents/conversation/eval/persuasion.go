package eval

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/agents/conversation"
)

// DataDir returns the folder of the shared data sets for a package in the folder
// agents/x: $CICLO_DATA, or shared/data beside the project's root. The error says
// why there is none.
func DataDir() (string, error) {
	dir := os.Getenv("CICLO_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(dir, "persuasionforgood")); err != nil {
		return "", fmt.Errorf("the shared data sets are absent (set CICLO_DATA to their folder): %w", err)
	}
	return dir, nil
}

// Dialogue is one of PersuasionForGood's.
type Dialogue struct {
	ID string
	// Won says that the persuadee donated.
	Won bool
	// Sentences in the order of the file.
	Sentences []Sentence
}

// Sentence is a unit of a dialogue.
type Sentence struct {
	Turn      int
	Persuader bool
	Text      string
}

// ReadPersuasion reads PersuasionForGood, in the order of the ids.
func ReadPersuasion(dataDir string) ([]Dialogue, error) {
	won := map[string]bool{}
	err := eachRow(filepath.Join(dataDir, "persuasionforgood", "outcome.csv"), 4, func(row []string) error {
		if row[1] != "persuadee" {
			return nil
		}
		amount, err := strconv.ParseFloat(row[2], 64)
		won[row[0]] = amount > 0
		return err
	})
	if err != nil {
		return nil, err
	}
	byID := map[string]*Dialogue{}
	err = eachRow(filepath.Join(dataDir, "persuasionforgood", "dialog.csv"), 5, func(row []string) error {
		turn, err := strconv.Atoi(row[2])
		if err != nil {
			return err
		}
		outcome, known := won[row[4]]
		if !known {
			return fmt.Errorf("dialogue %s has no outcome", row[4])
		}
		if byID[row[4]] == nil {
			byID[row[4]] = &Dialogue{ID: row[4], Won: outcome}
		}
		d := byID[row[4]]
		d.Sentences = append(d.Sentences, Sentence{turn, row[3] == "0", row[1]})
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []Dialogue
	for _, d := range byID {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b Dialogue) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

func eachRow(path string, columns int, do func([]string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read PersuasionForGood: %w", err)
	}
	defer file.Close()
	reader := csv.NewReader(file)
	reader.FieldsPerRecord = columns
	if _, err := reader.Read(); err != nil {
		return fmt.Errorf("read the header of %s: %w", filepath.Base(path), err)
	}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = do(row)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", filepath.Base(path), err)
		}
	}
}

// publishedToken is the tokenizer of the published figures: that of the product
// knows other letters than a to z, and hides numbers.
var publishedToken = regexp.MustCompile(`[a-z]+(?:'[a-z]+)?|\$?\d+(?:\.\d+)?|\?|!`)

// CountWords counts the persuaders' words, and the dialogues won.
func CountWords(dialogues []Dialogue) (counts []conversation.WordCount, won int) {
	at := map[string]int{}
	for _, d := range dialogues {
		if d.Won {
			won++
		}
		for _, s := range d.Sentences {
			if !s.Persuader {
				continue
			}
			for _, word := range publishedToken.FindAllString(strings.ToLower(s.Text), -1) {
				i, known := at[word]
				if !known {
					i = len(counts)
					at[word] = i
					counts = append(counts, conversation.WordCount{Word: word})
				}
				if d.Won {
					counts[i].Won++
				} else {
					counts[i].Lost++
				}
			}
		}
	}
	return counts, won
}

// Set is conversations with their messages.
type Set struct {
	Conversations []conversation.Conversation
	Messages      []conversation.Message
}

// turnEvery is between two turns of a conversation whose turns have no times.
const turnEvery = 30 * time.Second

// Convert makes conversations of dialogues for the miner: a dialogue begins when its
// id says, a turn comes every 30 seconds, the persuader is the agent, and the outcome
// comes where the second half of the turns begins.
func Convert(dialogues []Dialogue) (Set, error) {
	var set Set
	for _, d := range dialogues {
		day, _, _ := strings.Cut(strings.TrimPrefix(d.ID, "BAD_"), "_")
		start, err := time.Parse("20060102-150405", day)
		if err != nil {
			return set, fmt.Errorf("when dialogue %s began: %w", d.ID, err)
		}
		turns := 0
		for i, s := range d.Sentences {
			turns = max(turns, s.Turn+1)
			role := conversation.Client
			at := start.Add(time.Duration(2*s.Turn) * turnEvery)
			if s.Persuader {
				role = conversation.Agent
			} else {
				at = at.Add(turnEvery)
			}
			set.Messages = append(set.Messages, conversation.Message{
				ID: fmt.Sprintf("%s-%04d", d.ID, i), ConversationID: d.ID, Role: role, SentAt: conversation.Micros(at), Body: s.Text,
			})
		}
		set.Conversations = append(set.Conversations, conversation.Conversation{
			ID: d.ID, Channel: "chat", StartedAt: conversation.Micros(start), Won: d.Won,
			OutcomeAt: conversation.Micros(start.Add(time.Duration(2*((turns+1)/2)) * turnEvery)),
		})
	}
	return set, nil
}

func persuasionCorpus(dataDir string) (*conversation.Corpus, error) {
	dialogues, err := ReadPersuasion(dataDir)
	if err != nil {
		return nil, err
	}
	set, err := Convert(dialogues)
	if err != nil {
		return nil, err
	}
	return Collect(set)
}

// Collect makes a corpus of a set.
func Collect(set Set) (*conversation.Corpus, error) {
	c, err := conversation.NewCollector(set.Conversations)
	if err != nil {
		return nil, err
	}
	for _, m := range set.Messages {
		if err = c.Add(m); err != nil {
			break
		}
	}
	c.Close()
	if err != nil {
		return nil, err
	}
	return c.Corpus(), nil
}
