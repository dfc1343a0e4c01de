package prices

// Kind is the kind of a charge.
type Kind string

// The kinds of charges. The rules make charges of the kinds from rent to fuel, and tax.
const (
	KindRent     Kind = "rent"
	KindSeason   Kind = "season"
	KindExtra    Kind = "extra"
	KindDiscount Kind = "discount"
	KindLate     Kind = "late"
	KindKm       Kind = "km"
	KindFuel     Kind = "fuel"
	KindDamage   Kind = "damage"
	KindCleaning Kind = "cleaning"
	KindFine     Kind = "fine"
	KindToll     Kind = "toll"
	KindTax      Kind = "tax"
	KindOther    Kind = "other"
)

// taxed reports whether there is tax on a charge of that kind. There is none on fines,
// tolls and damage, because the shop passes on what others charge.
func (k Kind) taxed() bool {
	switch k {
	case KindFine, KindToll, KindDamage, KindTax:
		return false
	}
	return true
}

// Unit is the unit of a charge's quantity.
type Unit string

// The units of charges.
const (
	UnitMonth  Unit = "month" // 30 days
	UnitWeek   Unit = "week"
	UnitDay    Unit = "day"
	UnitHour   Unit = "hour"
	UnitRental Unit = "rental" // a charge for the rental as a whole
	UnitKm     Unit = "km"
	UnitEighth Unit = "eighth" // of a tank of fuel
)

// Line is a charge: one line of a price.
type Line struct {
	Kind     Kind
	Label    string // in English, for people: 2 days × 5,000
	Quantity int64
	Unit     Unit
	Price    Money // of one unit; 0 if Amount is not Quantity times a price
	Amount   Money
}

// line returns the line for a quantity of units at that price.
func (c Currency) line(kind Kind, quantity int64, unit Unit, price Money) (Line, error) {
	amount, err := price.Times(quantity)
	if err != nil {
		return Line{}, err
	}
	b := make([]byte, 0, 48)
	b = appendDecimal(b, quantity, 0, true)
	b = append(append(b, ' '), unit.noun(quantity)...)
	b = append(b, " × "...)
	b = c.appendLabel(b, price)
	return Line{kind, string(b), quantity, unit, price, amount}, nil
}

// noun returns the word for a quantity of the unit: 1 day, 2 days.
func (u Unit) noun(quantity int64) string {
	switch {
	case u == UnitKm:
		return "extra km"
	case quantity == 1:
		return string(u)
	}
	return string(u) + "s"
}

// once returns the line for an amount without a quantity of units.
func once(kind Kind, label string, amount Money) Line {
	return Line{kind, label, 1, UnitRental, amount, amount}
}

// sum returns the sum of the amounts of lines, or ErrTooLarge.
func sum(lines []Line) (Money, error) {
	var m Money
	for _, line := range lines {
		var err error
		if m, err = m.Add(line.Amount); err != nil {
			return 0, err
		}
	}
	return m, nil
}
