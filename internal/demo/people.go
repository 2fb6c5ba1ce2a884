package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

type service struct{ id, name string }

var practiceTypes = []service{
	{"kitas-work", "Work permit (KITAS)"},
	{"kitas-investor", "Investor permit (KITAS)"},
	{"kitap", "Permanent stay permit (KITAP)"},
	{"visa-business", "Business visa"},
	{"pt-pma", "Company formation (PT PMA)"},
	{"tax-monthly", "Monthly tax reporting"},
	{"tax-annual", "Annual tax return"},
	{"property-lease", "Leasehold due diligence"},
}

var (
	givenNames  = strings.Fields("Ayu Budi Chiara Dewi Elena Fabio Gede Hana Ivan Julia Kadek Luca Made Nadia Oka Putu Rina Sari Tomas Wayan Yusuf Zoe Anna Marco Ketut Lena")
	familyNames = strings.Fields("Adnyana Bianchi Costa Darma Esposito Ferrari Gunawan Hartono Irawan Jensen Kusuma Lestari Moretti Nugroho Olsen Pratama Romano Santoso Tan Utama Vitale Wibowo Yudha Rossi")
	languages   = []string{"en", "en", "it", "id"}
)

// drawClient draws the i-th client. Addresses and numbers are of ranges kept for fiction.
func drawClient(rng *rand.Rand, i int, created time.Time) client {
	given, family := givenNames[rng.IntN(len(givenNames))], familyNames[rng.IntN(len(familyNames))]
	return client{
		id:       fmt.Sprintf("C-%05d", i+1),
		name:     given + " " + family,
		email:    fmt.Sprintf("%s.%s.%d@example.com", strings.ToLower(given), strings.ToLower(family), i+1),
		phone:    fmt.Sprintf("+447700900%03d", i%1000),
		language: languages[rng.IntN(len(languages))],
		status:   "active",
		consent:  rng.Float64() < .7,
		created:  created,
	}
}
