package conversation

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The managed block of a prompt is what stands between these two; all else is the
// firm's.
const (
	blockBegin = "<!-- trainer:begin -->"
	blockEnd   = "<!-- trainer:end -->"
)

// MaxPrompt bounds a prompt, in bytes, before and after the block is put in.
const MaxPrompt = 128 << 10

var (
	// ErrDamaged says that a prompt's markers are not one begin and one end after it.
	ErrDamaged = errors.New("the managed block is damaged")
	// ErrNoText says that a prompt can't be read, or has no room for the block.
	ErrNoText = errors.New("the prompt can't be taken")
)

// markers also are those that somebody wrote nearly right.
var markerLike = regexp.MustCompile(`(?i)<!--\s*/?\s*trainer\s*:?\s*(begin|end)\s*-->`)

// findBlock is where the block begins and ends; from is -1 where there is none.
func findBlock(prompt string) (from, to int, err error) {
	var begins, ends []int
	for _, at := range markerLike.FindAllStringIndex(prompt, -1) {
		switch text := prompt[at[0]:at[1]]; text {
		case blockBegin:
			begins = append(begins, at[0])
		case blockEnd:
			ends = append(ends, at[1])
		default:
			return 0, 0, fmt.Errorf("%w: %q must be %q or %q", ErrDamaged, text, blockBegin, blockEnd)
		}
	}
	switch {
	case len(begins) == 0 && len(ends) == 0:
		return -1, -1, nil
	case len(ends) == 0:
		return 0, 0, fmt.Errorf("%w: it begins and does not end", ErrDamaged)
	case len(begins) == 0:
		return 0, 0, fmt.Errorf("%w: it ends and does not begin", ErrDamaged)
	case len(begins) > 1 || len(ends) > 1:
		return 0, 0, fmt.Errorf("%w: there are %d begins and %d ends, one of each is managed", ErrDamaged, len(begins), len(ends))
	case ends[0] <= begins[0]:
		return 0, 0, fmt.Errorf("%w: it ends before it begins", ErrDamaged)
	}
	return begins[0], ends[0], nil
}

// checkPrompt refuses what is no text that a prompt could be.
func checkPrompt(prompt string) error {
	switch {
	case len(prompt) > MaxPrompt:
		return fmt.Errorf("%w: it has %d bytes, %d are taken", ErrNoText, len(prompt), MaxPrompt)
	case !utf8.ValidString(prompt):
		return fmt.Errorf("%w: it is not UTF-8", ErrNoText)
	case strings.ContainsRune(prompt, 0):
		return fmt.Errorf("%w: it holds a zero byte", ErrNoText)
	}
	return nil
}

// Splice puts lines into a prompt's managed block, which comes to its end where there
// is none. What stands outside the block stays as it is, byte for byte; the lines end
// as the prompt's first line does, and a prompt whose last line has no end gets none.
func Splice(prompt string, lines []string) (string, error) {
	if err := checkPrompt(prompt); err != nil {
		return "", err
	}
	from, to, err := findBlock(prompt)
	if err != nil {
		return "", err
	}
	end := "\n"
	if at := strings.IndexByte(prompt, '\n'); at > 0 && prompt[at-1] == '\r' {
		end = "\r\n"
	}
	for _, line := range lines {
		if strings.ContainsAny(line, "\r\n") || markerLike.MatchString(line) {
			return "", fmt.Errorf("the line %q can't stand in the block", line)
		}
	}
	block := blockBegin + end + strings.Join(append(lines[:len(lines):len(lines)], blockEnd), end)
	before, after := prompt, ""
	switch {
	case from >= 0:
		before, after = prompt[:from], prompt[to:]
	case strings.HasSuffix(prompt, "\n") || prompt == "":
		after = end
	default:
		block = end + block
	}
	spliced := before + block + after
	if err := checkPrompt(spliced); err != nil {
		return "", fmt.Errorf("with the block: %w", err)
	}
	return spliced, nil
}
