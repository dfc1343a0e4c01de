package prices

import "strings"

// Tax is the tax of a shop. The zero value is no tax.
type Tax struct {
	Name     string  // GST, PST; "Tax" if empty
	Percent  Percent // at least 0
	Included bool    // the prices include the tax; otherwise it is added to them
}

// Bill is the charges of a rental with their sum.
type Bill struct {
	Charges []Line
	Total   Money // the sum of Charges, at least 0
	Tax     Money // how much of Total is tax, at least 0
}

// Bill adds up charges. If the tax is added, Charges end with a line for it, which
// replaces any tax line in charges. If the tax is included, there is no tax line.
//
// There is no tax on fines, tolls and damage. The tax is a percentage of the sum of the
// other charges, and is rounded once. A sum below 0 becomes a total of 0 without tax.
//
// Its errors are ErrTooLarge, and ErrOutOfRange for a percentage.
func (t Tax) Bill(charges []Line) (Bill, error) {
	if t.Percent < 0 || t.Percent > MaxPercent {
		return Bill{}, ErrOutOfRange
	}
	bill := Bill{Charges: make([]Line, 0, len(charges)+1)}
	var taxed Money
	for _, line := range charges {
		if line.Kind == KindTax {
			continue
		}
		bill.Charges = append(bill.Charges, line)
		var err error
		if bill.Total, err = bill.Total.Add(line.Amount); err != nil {
			return Bill{}, err
		}
		if !line.Kind.taxed() {
			continue
		}
		if taxed, err = taxed.Add(line.Amount); err != nil {
			return Bill{}, err
		}
	}
	if err := t.add(&bill, max(0, taxed)); err != nil {
		return Bill{}, err
	}
	bill.Total = max(0, bill.Total)
	bill.Tax = min(bill.Tax, bill.Total)
	return bill, nil
}

// add adds the tax on an amount of at least 0 to bill.
func (t Tax) add(bill *Bill, taxed Money) (err error) {
	if t.Included {
		bill.Tax, err = taxed.fraction(int64(t.Percent), int64(hundredPercent+t.Percent))
		return err
	}
	if bill.Tax, err = taxed.Percent(t.Percent); err != nil || bill.Tax == 0 {
		return err
	}
	bill.Charges = append(bill.Charges, once(KindTax, t.label(), bill.Tax))
	bill.Total, err = bill.Total.Add(bill.Tax)
	return err
}

func (t Tax) label() string {
	name := strings.TrimSpace(t.Name)
	if name == "" {
		name = "Tax"
	}
	return name + " " + t.Percent.String() + " %"
}
