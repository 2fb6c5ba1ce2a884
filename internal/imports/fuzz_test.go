package imports

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
)

// FuzzPayments reads any file to its end, and gives only rows that the database
// takes.
func FuzzPayments(f *testing.F) {
	const header = "client_id,paid_at,amount,currency,refunded\n"
	for _, seed := range []string{
		"", header, header + "c1,2026-01-31,1200.50,EUR,false\n", "\ufeff" + header + "c1,2026-01-31T10:00:00Z,-1,EUR,\n", header + "\"c1,2026\n", header + "c1,2026-01-31\n", header + "c\x00,2026-01-31,1,EUR,1\n", header + "\xff,2026-01-31,1,EUR,1\n",
		"amount, Client_ID ,paid_at\n1e5,a,1899-12-31\n999999999999999.999999,a,2020-02-30\n", "client_id,client_id\n", header + "a,0000-00-00,1,EUR,t\r\nb,9999-12-31,1,eur,t\r\n", strings.Repeat(",", 1000),
	} {
		f.Add([]byte(seed), "")
		f.Add([]byte(seed), "EUR")
	}
	amount := regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
	f.Fuzz(func(t *testing.T, file []byte, currency string) {
		var report Report
		rows, err := newPaymentReader(bytes.NewReader(file), Options{Currency: currency}, &report)
		if err != nil {
			return
		}
		good := 0
		for rows.Next() {
			good++
			row, err := rows.Values()
			if err != nil || len(row) != 5 {
				t.Fatalf("%q gives %v, %v", file, row, err)
			}
			client, paid, of := row[0].(string), row[1].(time.Time), row[3].(string)
			if client == "" || len(client) > 200 || !utf8.ValidString(client) || strings.Contains(client, "\x00") || paid.Year() < 1900 || paid.After(time.Now().Add(25*time.Hour)) || len(of) != 3 || strings.ToUpper(of) != of {
				t.Errorf("%q gives %v", file, row)
			}
			number := row[2].(pgtype.Numeric)
			if text, err := number.MarshalJSON(); err != nil || !amount.Match(text) {
				t.Errorf("%q gives the amount %s, %v", file, text, err)
			}
		}
		if rows.Err() != nil || len(report.BadRows) > maxBadShown || len(report.BadRows) != min(report.Bad, maxBadShown) || good+report.Bad > bytes.Count(file, []byte("\n"))+1 {
			t.Errorf("%q: %d rows, %+v, %v", file, good, report, rows.Err())
		}
		for _, bad := range report.BadRows {
			if bad.Line < 1 || bad.Reason == "" {
				t.Errorf("%q: %+v", file, bad)
			}
		}
	})
}
