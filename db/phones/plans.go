package phones

import (
	_ "embed"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

//go:generate sh -c "go run generate.go <PhoneNumberMetadata.xml >plans.txt"

//go:embed plans.txt
var plansText string

// plan is the numbering plan of a country code.
type plan struct {
	code     string
	lengths  map[int]bool // of national numbers
	longest  int
	prefix   *regexp.Regexp // what users dial before a country code; nil if there is none
	trunk    *regexp.Regexp // what users dial before a national number; nil if there is none
	replaced string         // what stands for a match of trunk with a last group
	national *regexp.Regexp
}

// plans has each plan that planOf has read, a *plan, by its country code. All plans
// together take 1.3 MiB.
var plans sync.Map

// planOf returns the plan of a country code. It is false if there is none.
func planOf(code string) (*plan, bool) {
	if p, ok := plans.Load(code); ok {
		return p.(*plan), true
	}
	if code == "" || strings.Trim(code, "0123456789") != "" {
		return nil, false
	}
	_, line, ok := strings.Cut(plansText, "\n"+code+"\t")
	if !ok {
		return nil, false
	}
	line, _, _ = strings.Cut(line, "\n")
	fields := strings.Split(line, "\t")
	p := &plan{
		code:     code,
		lengths:  map[int]bool{},
		prefix:   beginning(fields[1]),
		trunk:    beginning(fields[2]),
		replaced: fields[3],
		national: regexp.MustCompile("^(?:" + fields[4] + ")$"),
	}
	for n := range strings.FieldsSeq(fields[0]) {
		length, _ := strconv.Atoi(n) // TestPlans reads every plan
		p.lengths[length] = true
		p.longest = max(p.longest, length)
	}
	plans.Store(code, p)
	return p, true
}

// planOfNumber returns the plan whose country code digits begin with. No code is
// the beginning of another.
func planOfNumber(digits string) (*plan, bool) {
	for n := 1; n <= min(3, len(digits)); n++ {
		if p, ok := planOf(digits[:n]); ok {
			return p, true
		}
	}
	return nil, false
}

// cutPrefix returns what follows the international prefix. It is false if digits do
// not begin with one and a country code.
func (p *plan) cutPrefix(digits string) (string, bool) {
	rest := digits[len(match(p.prefix, digits)):]
	return rest, rest != digits && rest != "" && rest[0] != '0'
}

// cutTrunk returns digits without the trunk prefix. It cuts nothing from a national
// number that begins with the same digits.
func (p *plan) cutTrunk(digits string) string {
	trunk := match(p.trunk, digits)
	if trunk == "" {
		return digits
	}
	rest := digits[len(trunk):]
	m := p.trunk.FindStringSubmatchIndex(digits)
	if p.replaced != "" && m[len(m)-1] >= 0 {
		rest = string(p.trunk.ExpandString(nil, p.replaced, digits, m)) + rest
	}
	if p.national.MatchString(digits) && !p.national.MatchString(rest) {
		return digits
	}
	return rest
}

// cutCode returns the national number of digits that begin with the plan's country
// code. It is false if they do not, or are a national number as they are.
func (p *plan) cutCode(digits string) (string, bool) {
	rest, ok := strings.CutPrefix(digits, p.code)
	if !ok {
		return "", false
	}
	national := p.cutTrunk(rest)
	isNational := p.national.MatchString(digits) || !p.national.MatchString(national)
	return national, len(digits) > p.longest || !isNational
}

// beginning returns an expression for what a text begins with, or nil for none.
func beginning(expr string) *regexp.Regexp {
	if expr == "" {
		return nil
	}
	return regexp.MustCompile("^(?:" + expr + ")")
}

// match returns what re matches of s; nothing if re is nil.
func match(re *regexp.Regexp, s string) string {
	if re == nil {
		return ""
	}
	return re.FindString(s)
}
