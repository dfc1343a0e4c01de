package prices

import "slices"

// Season makes the days from Start to End, both included, dearer or cheaper.
type Season struct {
	Name    string
	Start   Day
	End     Day     // a season that ends before it starts has no days
	Percent Percent // of the rent of a day; negative makes it cheaper
}

// days returns how many of the n days from first on are in the season.
func (s Season) days(first Day, n int64) int64 {
	from, to := max(first, s.Start), min(first+Day(n)-1, s.End)
	if from > to {
		return 0
	}
	return int64(to-from) + 1
}

// label returns the shop's name of the season with its percentage: Eid +20 %.
func (s Season) label() string {
	sign := ""
	if s.Percent > 0 {
		sign = "+"
	}
	return s.Name + " " + sign + s.Percent.String() + " %"
}

// seasonLines returns a line for each season that changes the price of r.
//
// The rent is spread evenly over its days, which begin on first and the days that
// follow it. A season costs its percentage of the rent of each day that begins within
// it. Overlapping seasons add up: each has a line, and the percentages are of the
// rent without seasons. Together they reduce the rent to 0 at most: the last ones are
// reduced if the sum would be less.
func seasonLines(seasons []Season, r rent, first Day) ([]Line, error) {
	var lines []Line
	left := r.amount
	for _, s := range seasons {
		days := s.days(first, r.spread())
		if days == 0 || s.Percent == 0 {
			continue
		}
		if s.Percent < -MaxPercent || s.Percent > MaxPercent {
			return nil, ErrOutOfRange
		}
		// Percentages are at most 10^5 and days at most 4 * 10^6: their product
		// fits in an int64, and the amount is rounded once.
		amount, err := r.amount.fraction(int64(s.Percent)*days, int64(hundredPercent)*r.spread())
		if err != nil {
			return nil, err
		}
		if left, err = left.Add(amount); err != nil {
			return nil, err
		}
		lines = append(lines, Line{Kind: KindSeason, Label: s.label(), Quantity: days, Unit: UnitDay, Amount: amount})
	}
	for i := len(lines) - 1; left < 0; i-- {
		back := max(0, min(-lines[i].Amount, -left))
		lines[i].Amount += back
		left += back
	}
	return slices.DeleteFunc(lines, func(line Line) bool { return line.Amount == 0 }), nil
}
