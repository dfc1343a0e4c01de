//go:build ignore

// Generate writes plans.txt, the numbering plans of the world, from
// resources/PhoneNumberMetadata.xml of github.com/google/libphonenumber:
//
//	go run generate.go <PhoneNumberMetadata.xml >plans.txt
package main

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

type territory struct {
	Code      string `xml:"countryCode,attr"`
	Main      bool   `xml:"mainCountryForCode,attr"`
	IntPrefix string `xml:"internationalPrefix,attr"`
	Trunk     string `xml:"nationalPrefix,attr"`
	TrunkExpr string `xml:"nationalPrefixForParsing,attr"`
	Rule      string `xml:"nationalPrefixTransformRule,attr"`
	Kinds     []kind `xml:",any"`
}

// kind is a kind of numbers, for example the mobile numbers. The general
// description has a pattern and no lengths.
type kind struct {
	XMLName xml.Name
	Pattern string `xml:"nationalNumberPattern"`
	Lengths struct {
		National string `xml:"national,attr"`
	} `xml:"possibleLengths"`
}

func main() {
	var doc struct {
		Territories []territory `xml:"territories>territory"`
	}
	if err := xml.NewDecoder(os.Stdin).Decode(&doc); err != nil {
		log.Fatal(err)
	}
	byCode := map[string][]territory{}
	for _, t := range doc.Territories {
		if t.Main {
			byCode[t.Code] = slices.Insert(byCode[t.Code], 0, t)
		} else {
			byCode[t.Code] = append(byCode[t.Code], t)
		}
	}
	w := bufio.NewWriter(os.Stdout)
	fmt.Fprint(w, `# The numbering plans, one a line, from the metadata of libphonenumber
# (https://github.com/google/libphonenumber, Apache License 2.0), written by
# generate.go. The fields are: country code, lengths of national numbers,
# international prefix, trunk prefix, replacement of the trunk prefix, national
# numbers. The prefixes and the national numbers are regular expressions. Countries
# that share a code have the prefixes of the largest.
`)
	for _, code := range slices.Sorted(maps.Keys(byCode)) {
		t := byCode[code][0]
		pattern := ""
		for _, k := range t.Kinds {
			if k.XMLName.Local == "generalDesc" {
				pattern = compact(k.Pattern)
			}
		}
		trunk := compact(t.TrunkExpr)
		if trunk == "" {
			trunk = t.Trunk
		}
		fmt.Fprintln(w, strings.Join([]string{code, lengths(byCode[code]), compact(t.IntPrefix), trunk, compact(t.Rule), pattern}, "\t"))
	}
	if err := w.Flush(); err != nil {
		log.Fatal(err)
	}
}

// compact removes the blanks that make the expressions of the document readable.
func compact(expr string) string { return strings.Join(strings.Fields(expr), "") }

// lengths returns the lengths of the national numbers of some countries, such as
// "7 9 10". In the document they are written "7,[9-10]".
func lengths(countries []territory) string {
	var all []int
	for _, t := range countries {
		for _, k := range t.Kinds {
			for part := range strings.SplitSeq(k.Lengths.National, ",") {
				first, last, isRange := strings.Cut(strings.Trim(part, "[]"), "-")
				from, err := strconv.Atoi(first)
				if err != nil { // the kind has no numbers
					continue
				}
				to := from
				if isRange {
					if to, err = strconv.Atoi(last); err != nil {
						log.Fatal(err)
					}
				}
				for n := from; n <= to; n++ {
					all = append(all, n)
				}
			}
		}
	}
	slices.Sort(all)
	return strings.Trim(fmt.Sprint(slices.Compact(all)), "[]")
}
