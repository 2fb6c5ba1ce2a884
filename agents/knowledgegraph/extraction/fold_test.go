package extraction

import (
	"strings"
	"testing"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"  Anna\t\r\n María\u00a0 RUIZ ":         "anna maria ruiz",
		"Mari\u0301a":                            "maria",
		"Straße, Øre, Łódź, Æsir, İstanbul, ısı": "strasse, ore, lodz, aesir, istanbul, isi",
		"ΣΊΣΥΦΟΣ σίσυφος":                        "σισυφοσ σισυφοσ",
		"ﬁn Ⅳ １２ №":                              "fin iv 12 no",
		"D’Angelo d`angelo d´angelo":             "d'angelo d'angelo d'angelo",
		"a\u2011b\u2013c\u2212d":                 "a-b-c-d",
		"a\u200bb\u00adc\ufeffd\u2060e":          "abcde",
		"한국어 \u1112\u1161\u11ab":                 "한국어 한",
		"がか":                                     "がか",
		"กินข้าว":                                "กินข้าว", // vowels are letters
		"שָׁלוֹם مُحَمَّد":                       "שלום محمد",
		"m² 15.000¹":                             "m² 15.000¹",
		"1\ufe0f\u20e3":                          "1\u20e3",
		"👩‍⚖️ ok":                                "👩⚖ ok",
		"a\x00b":                                 "a b",
		"":                                       "",
		"\u200b \u0301":                          "",
	} {
		if got := Fold(text); got != want {
			t.Errorf("Fold(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestFoldingTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	for r := range rune(0x11000) { // beyond are historic scripts, ideographs and signs
		text := "a" + string(r) + "b"
		once := Fold(text)
		if twice := Fold(once); twice != once {
			t.Fatalf("%U: %q, then %q", r, once, twice)
		}
	}
}

// The way back from folded text: places are of characters that fold to it.
func TestViewsLeadBack(t *testing.T) {
	t.Parallel()
	body := "A\u200b ﬁ e\u0301\u0301 \n\n x\u0301" + strings.Repeat("\u0301", 100) + "y 👩‍⚖️한"
	for _, v := range []*view{foldedView(body), visibleView(body)} {
		for i := range v.text {
			s := v.span(i, i+1)
			if err := s.within(body); err != nil {
				t.Errorf("byte %d of %q: %v", i, v.text, err)
			}
			if i > 0 && v.start[i] < v.start[i-1] {
				t.Errorf("byte %d of %q leads behind the one before it", i, v.text)
			}
		}
	}
	v := foldedView(body)
	at := strings.Index(v.text, "fi e")
	if s := v.span(at, at+4); body[s.Start:s.End] != "ﬁ e\u0301\u0301" {
		t.Errorf("fi e comes from %q", body[s.Start:s.End])
	}
}

func TestNormal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		t          Type
		name, want string
	}{
		{Person, "Ruiz, Anna María", "anna maria ruiz"},
		{Person, "Dr. Anna Ruiz, S.H., M.Kn.", "anna ruiz"},
		{Person, "Pak Budi", "budi"},
		{Person, "Sig.ra Rossi", "rossi"},
		{Person, "D’Angelo, Mario", "mario dangelo"},
		{Person, "Dr.", "dr"},
		{Person, "J.R.R. Tolkien", "jrr tolkien"},
		{Company, "PT Bali Jaya Tbk", "bali jaya"},
		{Company, "P.T. Bali Jaya, Tbk.", "bali jaya"},
		{Company, "Acme S.r.l.", "acme"},
		{Company, "Acme SRL", "acme"},
		{Company, "Acme Pty Ltd", "acme"},
		{Company, "Acme Sdn. Bhd.", "acme"},
		{Company, "PT PMA", "pma"},
		{Company, "Ltd", "ltd"},
		{Law, "UU No. 6 Tahun 2011 tentang Keimigrasian", "law 6/2011"},
		{Law, "Civil Code", "civil code"},
		{Location, "Bali ", "bali"},
		{Topic, "Work-permit", "work permit"},
		{Topic, "!!", ""},
	} {
		if got := Normal(c.t, c.name); got != c.want {
			t.Errorf("Normal(%s, %q) = %q, want %q", c.t, c.name, got, c.want)
		}
	}
}

func TestCompaniesAreToldByTheirForm(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"PT Bali Jaya": true, "Bagus Trading Ltd.": true, "Acme S.p.A.": true, "Acme SpA": true, "Acme GmbH": true, "CV Maju": true, "Jones & Co.": true,
		"Maria Sa": false, "Andrea Co": false, "PT PMA": false, "Anna Ruiz": false, "Ltd": false, "Bali Spa": false,
	} {
		if got := hasForm(name); got != want {
			t.Errorf("%q has a form: %t, want %t", name, got, want)
		}
	}
}
