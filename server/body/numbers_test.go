package body

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestWholeNumbers(t *testing.T) {
	const (
		text = 1 << iota // a whole number as a text
		number
	)
	for s, c := range map[string]struct {
		in   int // where it is a whole number
		want int64
		err  error
	}{
		"0":                        {text | number, 0, nil},
		"-0":                       {text | number, 0, nil},
		"2020":                     {text | number, 2020, nil},
		"+2020":                    {text, 2020, nil},
		"-5":                       {text | number, -5, nil},
		"2020.0":                   {text | number, 2020, nil},
		"2020.":                    {text, 2020, nil},
		" 2020 ":                   {text | number, 2020, nil},
		"2.02e3":                   {number, 2020, nil},
		"2020000e-3":               {number, 2020, nil},
		"1e400":                    {0, 0, nil},
		"1e-400":                   {number, 0, nil},
		"2020.5":                   {0, 0, nil},
		"2020.0.0":                 {0, 0, nil},
		"2_020":                    {0, 0, nil},
		"0x7e4":                    {0, 0, nil},
		"":                         {0, 0, nil},
		"+-5":                      {0, 0, nil},
		".0":                       {0, 0, nil},
		"٥":                        {0, 0, nil},
		"NaN":                      {0, 0, nil},
		"9223372036854775807":      {text | number, math.MaxInt64, nil},
		"9223372036854775808":      {text | number, math.MaxInt64, strconv.ErrRange},
		"9223372036854775808.00":   {text | number, math.MaxInt64, strconv.ErrRange},
		"-9223372036854775808":     {text | number, math.MinInt64, nil},
		"-9223372036854775809":     {text | number, math.MinInt64, strconv.ErrRange},
		"9.223372036854775807e18":  {number, math.MaxInt64, strconv.ErrRange}, // the nearest float64 is 2^63
		"-9.223372036854775808e18": {number, math.MinInt64, nil},
		"9.2233720368547748e18":    {number, 9223372036854774784, nil},
		"1e300":                    {number, math.MaxInt64, strconv.ErrRange},
		"-1e300":                   {number, math.MinInt64, strconv.ErrRange},
		strings.Repeat("1", 100):   {text | number, math.MaxInt64, strconv.ErrRange},
		strings.Repeat("1", 101):   {number, math.MaxInt64, strconv.ErrRange},
	} {
		check := func(kind string, in int, got int64, err error) {
			t.Helper()
			want, wantErr := c.want, c.err
			if c.in&in == 0 {
				want, wantErr = 0, errNotWhole
			}
			if got != want || err != wantErr {
				t.Errorf("%q as a %s: got %d, %v, want %d, %v", s, kind, got, err, want, wantErr)
			}
		}
		got, err := parseWhole(s)
		check("text", text, got, err)
		if json.Valid([]byte(s)) {
			got, err = wholeNumber(json.Number(s))
			check("number", number, got, err)
		}
	}
}

func TestPathID(t *testing.T) {
	for s, want := range map[string]int64{"1": 1, "007": 7, "-1": -1, "+1": 1, "99999999999999999999": math.MaxInt64, "-99999999999999999999": math.MinInt64} {
		if got, ok := PathID(s); got != want || !ok {
			t.Errorf("%q: got %d, %v, want %d", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "x", "1.0", "1 ", "1_0", "0x1", "٣"} {
		if got, ok := PathID(s); ok {
			t.Errorf("%q: got %d, want no number", s, got)
		}
	}
}
