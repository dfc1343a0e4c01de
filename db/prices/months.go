package prices

// DueLine is a charge with the day on which it is due.
type DueLine struct {
	Line
	Due Day
}

// maxMonthLines is the number of months of a rental that have a line each. As many months
// begin within ten years, the longest rental. Only a booking through the paths of the 1Now
// API document may be longer.
const maxMonthLines = 122

// DueLines returns the charges of a rental that begins on start with the days on
// which they are due. That is the day of pick-up, with two exceptions: rent by the
// month becomes one line for each month, due on the first of its 30 days, and rent
// for the time after the months is due on the first day of that time.
//
// If a rental is longer than ten years, the months after the 122nd are one line, due on
// the first day of the first of them: 8,000 years would be 97,000 lines. The amounts of
// the lines add up to those of charges.
func DueLines(c Currency, charges []Line, start Day) ([]DueLine, error) {
	lines := make([]DueLine, 0, len(charges))
	after := start // the first day after the months so far
	for _, charge := range charges {
		switch {
		case charge.Kind != KindRent:
			lines = append(lines, DueLine{charge, start})
		case charge.Unit != UnitMonth:
			lines = append(lines, DueLine{charge, after})
		default:
			for left := charge.Quantity; left > 0; {
				months := int64(1)
				if charge.Quantity-left >= maxMonthLines {
					months = left
				}
				line, err := c.line(KindRent, months, UnitMonth, charge.Price)
				if err != nil {
					return nil, err
				}
				lines = append(lines, DueLine{line, after})
				left -= months
				after += Day(months * daysPerMonth)
			}
		}
	}
	return lines, nil
}
