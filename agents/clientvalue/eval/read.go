package eval

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/agents/clientvalue"
)

// DataDir returns the folder of the shared data sets for a package in the
// folder agents/x: $CICLO_DATA, or shared/data beside the project's root. The
// error says why there is none.
func DataDir() (string, error) {
	dir := os.Getenv("CICLO_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(dir, "cdnow")); err != nil {
		return "", fmt.Errorf("the shared data sets are absent (set CICLO_DATA to their folder): %w", err)
	}
	return dir, nil
}

// ReadLog returns the purchases of the CDNOW 1:10 sample, one a line of its log.
func ReadLog(dataDir string) ([]clientvalue.Purchase, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, "cdnow", "CDNOW_sample.txt"))
	if err != nil {
		return nil, fmt.Errorf("read CDNOW log: %w", err)
	}
	var purchases []clientvalue.Purchase
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 5 {
			return nil, fmt.Errorf("read CDNOW log: line %q has %d fields", line, len(fields))
		}
		id, errID := strconv.Atoi(fields[1])
		date, errDate := time.Parse("20060102", fields[2])
		amount, errAmount := strconv.ParseFloat(fields[4], 64)
		if err := errors.Join(errID, errDate, errAmount); err != nil {
			return nil, fmt.Errorf("read CDNOW log: line %q: %w", line, err)
		}
		purchases = append(purchases, clientvalue.Purchase{ClientID: clientID(id), Day: dayOf(date), Amount: amount})
	}
	return purchases, nil
}

// Calibration and hold-out of the CDNOW sample end with these days.
var (
	CDNOWCut = dayOf(time.Date(1997, time.September, 30, 0, 0, 0, 0, time.UTC))
	CDNOWEnd = dayOf(time.Date(1998, time.June, 30, 0, 0, 0, 0, time.UTC))
)

// ReadSummary returns the histories of the shipped summary of the CDNOW sample,
// cut on CDNOWCut: weeks and mean spend are rounded to two decimals, and
// FirstSpend isn't in it.
func ReadSummary(dataDir string) ([]clientvalue.History, error) {
	rows, err := readCSV(filepath.Join(dataDir, "cdnow", "cdnow_customers_summary_with_transactions.csv"), 5)
	if err != nil {
		return nil, err
	}
	histories := make([]clientvalue.History, len(rows))
	for i, row := range rows {
		histories[i] = history(row)
	}
	return histories, nil
}

// Reference is a row of the reference scores of the CDNOW sample.
type Reference struct {
	History          clientvalue.History
	PAlive, E39, E52 float64 // purchases in 39 and in 52 weeks
	ExpectedSpend    float64
	HoldOutPurchases int
}

// ReferenceParams and ReferenceSpend are the parameters of the reference
// scores, fitted to the shipped summary.
var (
	ReferenceParams = clientvalue.Params{R: .2425929, Alpha: 4.41353124, A: .79288618, B: 2.42575389}
	ReferenceSpend  = clientvalue.GammaGamma{P: 6.2488019, Q: 3.7445887, Gamma: 15.4477508}
)

// ReadReference returns the reference scores of the CDNOW sample.
func ReadReference(dataDir string) ([]Reference, error) {
	rows, err := readCSV(filepath.Join(dataDir, "reference", "cdnow_sample_scores.csv"), 11)
	if err != nil {
		return nil, err
	}
	references := make([]Reference, len(rows))
	for i, row := range rows {
		references[i] = Reference{
			History: history(row), PAlive: row[5], E39: row[6], E52: row[7],
			ExpectedSpend: row[8], HoldOutPurchases: int(row[9]),
		}
	}
	return references, nil
}

// Expectation is a row of the 60-digit table of E[Y(t)] under BG/NBD.
type Expectation struct {
	Params  clientvalue.Params
	History clientvalue.History
	Weeks   float64
	Want    float64
}

// ReadExpectations returns the 60-digit table of E[Y(t)].
func ReadExpectations(dataDir string) ([]Expectation, error) {
	rows, err := readCSV(filepath.Join(dataDir, "reference", "bgnbd_cond_expect_mpmath_1500.csv"), 9)
	if err != nil {
		return nil, err
	}
	expectations := make([]Expectation, len(rows))
	for i, row := range rows {
		expectations[i] = Expectation{
			Params:  clientvalue.Params{R: row[0], Alpha: row[1], A: row[2], B: row[3]},
			History: clientvalue.History{ClientID: strconv.Itoa(i), X: int(row[4]), Recency: row[5], Age: row[6]},
			Weeks:   row[7], Want: row[8],
		}
	}
	return expectations, nil
}

// history takes the columns id, x, t_x, T, mean spend.
func history(row []float64) clientvalue.History {
	return clientvalue.History{ClientID: clientID(int(row[0])), X: int(row[1]), Recency: row[2], Age: row[3], Spend: row[4]}
}

// clientID pads, so that the order of ids is that of numbers.
func clientID(id int) string { return fmt.Sprintf("%04d", id) }

func dayOf(date time.Time) int32 { return int32(date.Unix() / (24 * 60 * 60)) }

// readCSV returns the rows of numbers below a file's header.
func readCSV(path string, columns int) ([][]float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	defer file.Close()
	reader := csv.NewReader(file)
	reader.FieldsPerRecord = columns
	records, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", filepath.Base(path), err)
	}
	if len(records) < 2 {
		return nil, fmt.Errorf("read table %s: no rows", filepath.Base(path))
	}
	rows := make([][]float64, 0, len(records)-1)
	for i, record := range records[1:] {
		row := make([]float64, columns)
		for j, field := range record {
			if row[j], err = strconv.ParseFloat(strings.TrimSpace(field), 64); err != nil {
				return nil, fmt.Errorf("read table %s, row %d: %w", filepath.Base(path), i+1, err)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}
