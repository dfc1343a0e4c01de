package phones_test

import (
	_ "embed"
	"strings"
	"testing"
	"unicode/utf8"

	"onenow/db/phones"
)

// TestKey writes numbers as people in their countries and guests from abroad do.
func TestKey(t *testing.T) {
	for _, c := range []struct {
		name, code, want string
		phones           []string
	}{
		{"a Pakistani mobile phone", "92", "+923001234567", []string{
			"0300-1234567", "0300 1234567", "03001234567", "3001234567", "+92 300 1234567", "+92-300-1234567", "+92 (0)300 1234567",
			"0092 300 1234567", "011 92 300 1234567", "923001234567", "(0300) 123-45-67", "0300.1234567", " 0300\u00a01234567 ",
			"\u202a+92 300 1234567\u202c", "\uff0b92 300 1234567", "+0092 300 1234567", "٠٣٠٠-١٢٣٤٥٦٧", "۰۳۰۰ ۱۲۳۴۵۶۷", "+٩٢٣٠٠١٢٣٤٥٦٧",
			"０３００１２３４５６７", "tel:+92-300-1234567", "Ali: 0300-1234567", "0300-1234567 (brother)", "0300-1234567 WhatsApp", "0300–1234567",
		}},
		{"a telephone in Karachi", "92", "+922134567890", []string{
			"021-34567890", "(021) 34567890", "+92 21 3456 7890", "00922134567890", "021-34567890 ext. 12", "021-34567890 x12", "021 34567890 #12",
			"021-34567890, 5", "+92-21-34567890;ext=12",
		}},
		{"a Pakistani number for companies", "92", "+9221111222333", []string{"021-111-222-333", "+92 21 111 222 333", "(021) 111 222 333"}},
		{"a Pakistani phone in Dubai", "971", "+923001234567", []string{"+92 300 1234567", "0092 300 1234567", "00923001234567"}},
		{"an Indian mobile phone", "91", "+919123456789", []string{"9123456789", "09123456789", "+91 91234 56789", "919123456789", "0091-91234-56789", "९१२३४५६७८९"}},
		{"an Emirati mobile phone", "971", "+971501234567", []string{"050 123 4567", "+971 50 123 4567", "00971501234567", "971501234567", "+971 (0) 50-1234567", "٠٥٠١٢٣٤٥٦٧"}},
		{"a Saudi mobile phone", "966", "+966512345678", []string{"051 234 5678", "+966 51 234 5678", "00966 512345678", "966512345678", "٠٥١٢٣٤٥٦٧٨"}},
		{"a Qatari mobile phone", "974", "+97433123456", []string{"3312 3456", "+974 3312 3456", "00974 3312-3456", "97433123456"}},
		{"a telephone in London", "44", "+442079460958", []string{"020 7946 0958", "(020) 7946-0958", "+44 20 7946 0958", "+44 (0)20 7946 0958", "0044 20 79460958", "442079460958"}},
		{"a German mobile phone", "49", "+4915123456789", []string{"0151 23456789", "0151/23456789", "+49 151 23456789", "+49 (0) 151 23456789", "0049 15123456789"}},
		{"a telephone in Rome, which keeps its 0", "39", "+390669812345", []string{"06 6981 2345", "+39 06 6981 2345", "0039 06 69812345", "+39 (0)6 69812345"}},
		{"an Italian mobile phone that begins like +39", "39", "+393921234567", []string{"392 123 4567", "+39 392 123 4567", "0039 3921234567", "393921234567"}},
		{"an American phone", "1", "+12125550123", []string{
			"(212) 555-0123", "212-555-0123", "1-212-555-0123", "+1 (212) 555-0123", "212.555.0123", "001 212 555 0123", "011 1 212 555 0123", "212-555-0123 ext 5",
		}},
		{"an American number with letters", "1", "+18003569377", []string{"1-800-FLOWERS", "800 flowers", "1-800-356-9377"}},
		{"a Canadian phone in Pakistan", "92", "+14165550123", []string{"+1 416 555 0123", "001 416-555-0123", "011 1 416 555 0123"}},
		{"a Chinese mobile phone", "86", "+8613123456789", []string{"131 2345 6789", "013123456789", "+86 131 2345 6789", "0086 13123456789", "8613123456789"}},
		{"a Turkish mobile phone", "90", "+905012345678", []string{"0501 234 56 78", "501 234 56 78", "+90 501 234 56 78", "00905012345678", "905012345678"}},
		{"a Russian mobile phone, whose trunk prefix is 8", "7", "+79123456789", []string{"8 (912) 345-67-89", "+7 912 345-67-89", "912 345 67 89", "79123456789", "8~10 7 912 345 67 89"}},
		{"a Russian number that begins like the trunk prefix", "7", "+78001234567", []string{"8 800 123-45-67", "800 123 45 67", "+7 800 1234567"}},
		{"a Hungarian mobile phone, whose trunk prefix is 06", "36", "+36201234567", []string{"06 20 123 4567", "(06-20) 123-4567", "+36 20 123 4567", "+36 06 20 123 4567"}},
		{"an Argentine mobile phone, which is written otherwise at home", "54", "+5491123456789", []string{"011 15-2345-6789", "+54 9 11 2345-6789", "0054 9 11 2345 6789"}},
		{"a number of no plan", "92", "12345", []string{"12345", "1-23-45", "(12) 345", "۱۲۳۴۵"}},
		{"a number of no plan with its trunk prefix", "92", "0300", []string{"0300", "+0300", "03 00 bis"}},
		{"two numbers", "92", "0300123456703217654321", []string{"0300-1234567 / 0321-7654321", "0300-1234567, 0321-7654321"}},
		{"a number that is too short abroad", "92", "4412", []string{"+44 12", "44-12"}},
		{"a country code that does not exist", "92", "21034567890", []string{"+210 3456 7890"}},
		{"a shop without a plan", "", "03001234567", []string{"0300-1234567"}},
		{"a shop without a plan: a number from abroad", "999", "+923001234567", []string{"+92 300 1234567", "0092 300 1234567"}},
		{"no digit", "92", "", []string{"", "+", "none", "½ ²"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, phone := range c.phones {
				if got := phones.Key(phone, c.code); got != c.want {
					t.Errorf("%q: got %q, want %q", phone, got, c.want)
				}
			}
		})
	}
}

//go:embed testdata/mobiles.txt
var mobiles string

// TestPlans checks the key of a number of each numbering plan, in several spellings.
func TestPlans(t *testing.T) {
	tested := 0
	for line := range strings.Lines(mobiles) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		code, home, abroad, want := fields[0], fields[1], fields[2], fields[3]
		tested++
		if !phones.IsCountryCode(code) {
			t.Errorf("%s is no country code", code)
		}
		for _, phone := range []string{home, abroad, want, home + " ext. 123"} {
			if got := phones.Key(phone, code); got != want {
				t.Errorf("%q in %s: got %s, want %s", phone, code, got, want)
			}
		}
		for _, phone := range []string{want, "00" + want[1:], "0 0 " + abroad[1:]} {
			if got := phones.Key(phone, "92"); got != want {
				t.Errorf("%q in Pakistan: got %s, want %s", phone, got, want)
			}
		}
		for n := 1; n <= len(abroad); n++ {
			checkSearch(t, abroad[:n], code, want)
		}
		for n := range len(home) + 1 {
			// No key has a trunk prefix, and Argentina writes mobile numbers in another way at
			// home.
			if len(phones.Digits(home[:n])) > 2 && code != "54" {
				checkSearch(t, home[:n], code, want)
			}
		}
	}
	if tested < 200 {
		t.Errorf("got %d plans with a mobile number, want 200 or more", tested)
	}
	for _, code := range []string{"", "0", "00", "9", "+92", "999", "92\t", "1\n", "٩٢", "#"} {
		if phones.IsCountryCode(code) {
			t.Errorf("%q is a country code", code)
		}
	}
}

func checkSearch(t *testing.T, text, code, key string) {
	t.Helper()
	if digits := phones.SearchDigits(text, code); !strings.Contains(key, digits) {
		t.Errorf("a search for %q in %s is one for %s, and does not find %s", text, code, digits, key)
	}
}

// TestSearchDigits searches for parts of phones.
func TestSearchDigits(t *testing.T) {
	for _, c := range []struct{ text, code, want string }{
		{"0300", "92", "300"},
		{"0300-12", "92", "30012"},
		{"۰۳۰۰", "92", "300"},
		{"300 12", "92", "30012"},
		{"4567", "92", "4567"},
		{"+92 300", "92", "92300"},
		{"+92 (0)300", "92", "92300"},
		{"0092 300", "92", "92300"},
		{"92 300", "92", "92300"},
		{"+44 020", "92", "4420"},
		{"+39 06", "92", "3906"},
		{"06 69", "39", "0669"},
		{"06 20 12", "36", "2012"},
		{"011 92", "1", "92"},
		{"0", "92", "0"},
		{"00", "92", "0"},
		{"+", "92", ""},
		{"+9", "92", "9"},
		{"Ali", "92", ""},
		{"0300", "", "0300"},
	} {
		if got := phones.SearchDigits(c.text, c.code); got != c.want {
			t.Errorf("%q in %q: got %q, want %q", c.text, c.code, got, c.want)
		}
	}
}

func TestDigits(t *testing.T) {
	for text, want := range map[string]string{
		"0300-1234567": "03001234567",
		"٣٥٢٠٢-۱۲۳":    "35202123",
		"𝟘𝟡 𝟶𝟿":        "0909",
		"²½Ⅳ Ali":      "",
	} {
		if got := phones.Digits(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// FuzzKey checks for each phone: the key of a key is the key itself, blanks and
// punctuation do not change a key, and a search for the phone or its last digits finds it.
func FuzzKey(f *testing.F) {
	for _, phone := range []string{"0300-1234567", "+92 (0)300 1234567", "0044 20 7946 0958", "021 34567890 ext. 12", "1-800-FLOWERS", "+", "٠٣٠٠", "111111N10", "0904561821 3", "\xff0300"} {
		for _, code := range []string{"92", "1", "39", "54", "55", "7", "", "x"} {
			f.Add(phone, code)
		}
	}
	f.Fuzz(func(t *testing.T, phone, code string) {
		key := phones.Key(phone, code)
		if strings.Trim(key, "0123456789") != "" && (key[0] != '+' || strings.Trim(key[1:], "0123456789") != "") {
			t.Fatalf("%q: got %q, want digits", phone, key)
		}
		if (key == "") != (phones.Digits(phone) == "") {
			t.Errorf("%q: got %q", phone, key)
		}
		if again := phones.Key(key, code); strings.HasPrefix(key, "+") && again != key {
			t.Errorf("the key of %q is %q, whose key is %q", phone, key, again)
		}
		if spaced := phones.Key(strings.ReplaceAll(phone, "-", " . "), code); utf8.ValidString(phone) && spaced != key {
			t.Errorf("%q: got %q, with other blanks %q", phone, key, spaced)
		}
		digits := phones.Digits(phone)
		if search := phones.SearchDigits(digits, code); !strings.HasSuffix(digits, search) || search == "" && digits != "" {
			t.Errorf("a search for %q is one for %q", digits, search)
		}
	})
}
