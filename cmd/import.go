package cmd

import (
	"errors"
	"fmt"
	"io"
	"time"
	_ "time/tzdata" // for --timezone on a machine without time zone files

	"github.com/spf13/cobra"

	"onenow/auth"
	"onenow/db/django"
)

func importCommand(schema string) *cobra.Command {
	var path, zone string
	opts := django.Options{UsernameProblem: auth.UsernameProblem, CanVerify: auth.FromDjango, Locked: auth.Locked}
	cmd := &cobra.Command{
		Use:   "import-django FILE",
		Short: "Import the database of the first implementation",
		Long: `Import the users, vehicles and bookings from FILE, the SQLite file of the first
implementation of this API, in Django. The database of onenow is created, or must
have no users yet. All rows keep their ids, and users keep their passwords. Stop
the first implementation first, and do not run serve during the import. The command
does not change FILE.

Times become days in --timezone. A booking that ends at a later time of day than
it starts, or on the same day, keeps its car until the next day.

In the first implementation, bookings could overlap. If some do, or if another
row cannot be imported, the command lists these rows and imports nothing. With
--skip-conflicts, it writes these rows to a new file and imports all others. Of
two bookings that overlap, it keeps the one with the lower id, which was made
first.

If the frontend sent plain dates, keep them with --timezone UTC.`,
		Example: `  onenow import-django db.sqlite3 --timezone Asia/Karachi --dry-run
  onenow import-django db.sqlite3 --timezone Asia/Karachi --skip-conflicts left.csv`,
		Args: oneArg("the SQLite file of the first implementation", ""),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if opts.Zone, err = parseZone(zone); err != nil {
				return err
			}
			r, err := django.Import(cmd.Context(), args[0], path, schema, opts)
			if err == nil || errors.Is(err, django.ErrRejected) {
				printImport(cmd.OutOrStdout(), r, opts)
			}
			switch {
			case errors.Is(err, django.ErrRejected):
				return fmt.Errorf("nothing was imported, because some rows cannot be imported: %d; correct them in %s or in a copy of it, or leave them out with --skip-conflicts FILE.csv", r.Skipped, args[0])
			case err != nil:
				return err
			case opts.DryRun:
				fmt.Fprintln(cmd.OutOrStdout(), "this was a dry run: nothing was written")
			default:
				fmt.Fprintf(cmd.OutOrStdout(), "imported %s into %s\n", args[0], path)
			}
			return nil
		},
	}
	addDBFlag(cmd, &path)
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "print what would be imported, and write nothing")
	cmd.Flags().StringVar(&zone, "timezone", "", "the time zone of the bookings' days, like Asia/Karachi (default the time zone of this machine)")
	cmd.Flags().StringVar(&opts.SkipFile, "skip-conflicts", "", "a new CSV file for the rows that cannot be imported")
	return cmd
}

// parseZone returns the time zone of that name; the empty name is this
// machine's time zone.
func parseZone(name string) (*time.Location, error) {
	if name == "" {
		return time.Local, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("--timezone %q is not a time zone: write it like Asia/Karachi", name)
	}
	return zone, nil
}

// printImport prints which rows are imported and which are not.
func printImport(out io.Writer, r django.Report, opts django.Options) {
	for _, c := range r.Clashes {
		fmt.Fprintln(out, c)
	}
	for _, lines := range [][]string{r.Rejected, r.Notes} {
		for _, line := range lines {
			fmt.Fprintln(out, line)
		}
	}
	zone := opts.Zone.String()
	if opts.Zone == time.Local {
		zone = "of this machine, now " + time.Now().Format("MST, UTC-07:00")
	}
	fmt.Fprintf(out, "users: %d, vehicles: %d, bookings: %d, in the time zone %s\n", r.Users, r.Vehicles, r.Bookings, zone)
	skipped := "rows that are not imported"
	if opts.SkipFile != "" {
		skipped += ", which go to " + opts.SkipFile
	}
	for _, count := range []struct {
		n    int
		what string
	}{
		{r.Locked, "users who cannot sign in until onenow set-password NAME gives them a password"},
		{r.Hours, "bookings that lose their time of day"},
		{r.Longer, "bookings that keep the car one day longer, because they end later in the day than they start or on the same day"},
		{r.Skipped, skipped},
	} {
		if count.n > 0 {
			fmt.Fprintf(out, "%s: %d\n", count.what, count.n)
		}
	}
}
