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
	code        string
	lengths     map[int]bool // of national numbers
	longest     int
	prefix      *regexp.Regexp // the international prefix, dialled before a country code; nil if there is none
	trunk       *regexp.Regexp // the trunk prefix, dialled before a national number; nil if there is none
	replacement string         // replaces a match of trunk whose last group has matched; may be empty
	national    *regexp.Regexp
}

// plans caches each plan that planOf has parsed, a *plan, by its country code. All plans
// together take 1.3 MiB.
var plans sync.Map

// planOf returns the plan of a country code. ok is false if there is none.
func planOf(code string) (_ *plan, ok bool) {
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
		code:        code,
		lengths:     map[int]bool{},
		prefix:      beginning(fields[1]),
		trunk:       beginning(fields[2]),
		replacement: fields[3],
		national:    regexp.MustCompile("^(?:" + fields[4] + ")$"),
	}
	for n := range strings.FieldsSeq(fields[0]) {
		length, _ := strconv.Atoi(n) // TestPlans parses every plan
		p.lengths[length] = true
		p.longest = max(p.longest, length)
	}
	plans.Store(code, p)
	return p, true
}

// planOfNumber returns the plan of the country code at the beginning of digits. No code
// is the beginning of another.
func planOfNumber(digits string) (_ *plan, ok bool) {
	for n := 1; n <= min(3, len(digits)); n++ {
		if p, ok := planOf(digits[:n]); ok {
			return p, true
		}
	}
	return nil, false
}

// cutPrefix returns the digits after the international prefix. ok is false if digits do
// not begin with this prefix and a country code.
func (p *plan) cutPrefix(digits string) (rest string, ok bool) {
	rest = digits[len(match(p.prefix, digits)):]
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
	if p.replacement != "" && m[len(m)-1] >= 0 {
		rest = string(p.trunk.ExpandString(nil, p.replacement, digits, m)) + rest
	}
	if p.national.MatchString(digits) && !p.national.MatchString(rest) {
		return digits
	}
	return rest
}

// cutCode returns the national number of digits that begin with the plan's country
// code. ok is false if they do not begin with it, or are a national number themselves.
func (p *plan) cutCode(digits string) (national string, ok bool) {
	rest, ok := strings.CutPrefix(digits, p.code)
	if !ok {
		return "", false
	}
	national = p.cutTrunk(rest)
	isNational := p.national.MatchString(digits) || !p.national.MatchString(national)
	return national, len(digits) > p.longest || !isNational
}

// beginning returns an expression that matches expr at the beginning of a text, or nil if
// expr is empty.
func beginning(expr string) *regexp.Regexp {
	if expr == "" {
		return nil
	}
	return regexp.MustCompile("^(?:" + expr + ")")
}

// match returns the first match of re in s, or "" if there is none or re is nil.
func match(re *regexp.Regexp, s string) string {
	if re == nil {
		return ""
	}
	return re.FindString(s)
}
