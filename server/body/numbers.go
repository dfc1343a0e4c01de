package body

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// inRange returns n if it is a number from least to most, or says what is wrong.
func inRange(n *big.Int, least, most int) (int, string) {
	switch {
	case n == nil:
		return 0, msgInteger
	case n.Cmp(big.NewInt(int64(least))) < 0:
		return 0, fmt.Sprintf("Ensure this value is greater than or equal to %d.", least)
	case n.Cmp(big.NewInt(int64(most))) > 0:
		return 0, fmt.Sprintf("Ensure this value is less than or equal to %d.", most)
	}
	return int(n.Int64()), ""
}

var whole = regexp.MustCompile(`^([+-]?[0-9]{1,100})(\.0*)?$`)

// parseWhole returns the whole number that s writes, as in 2020 or "2020.0";
// nil if it writes none.
func parseWhole(s string) *big.Int {
	m := whole.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return nil
	}
	n, _ := new(big.Int).SetString(m[1], 10)
	return n
}

// wholeNumber returns n if it is a whole number, as 2020, 2020.0 and 2.02e3
// are; nil otherwise.
func wholeNumber(n json.Number) *big.Int {
	if i := parseWhole(n.String()); i != nil {
		return i
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil {
		return nil
	}
	i, accuracy := big.NewFloat(f).Int(nil)
	if accuracy != big.Exact {
		return nil
	}
	return i
}
