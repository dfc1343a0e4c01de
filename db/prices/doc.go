// Package prices has the price rules of a shop: how many days a rental lasts, and
// what the rent, seasons, extras, discount and tax of those days come to.
//
// Its functions take plain values and return plain values: they know neither the
// database nor HTTP, and equal input gives equal output. No rule uses a float, and
// no rule loops over the days of a rental, which may span 8,000 years.
//
// Amounts are whole minor units (Money), percentages are whole hundredths of a
// percent (Percent), and moments are whole minutes on the shop's clock (Moment).
// Each amount is rounded once, to whole minor units, half away from zero.
//
// Request.Quote returns the agreed price of a rental. Request.Late, Mileage.Charge and
// Fuel.Charge propose the charges that a return adds to it. Tax.Bill adds up charges whenever
// one of them changes, and DueLines says when they are due.
package prices
