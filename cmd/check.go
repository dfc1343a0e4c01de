package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"onenow/db"
)

func checkCommand(schema string) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a database file or a copy of one",
		Long: `Read a whole database file, or a copy of one, and print its problems: damage,
references to rows that do not exist, bookings that overlap, a schema that is not
onenow's. If there are none, print the numbers of users, vehicles and bookings. The
command does not change the file. It exits with 1 if it finds a problem.`,
		Example: `  onenow check
  onenow check /var/backups/onenow-monday.db`,
		Args: atMostOneArg("the file to check"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if source(cmd, "db") == "--db" {
					return errors.New("--db has no effect with a file to check: remove one of the two")
				}
				path = args[0]
			}
			r, err := db.Check(cmd.Context(), path, schema)
			if err != nil {
				return err
			}
			for _, w := range r.Warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			for _, p := range r.Problems {
				fmt.Fprintln(cmd.OutOrStdout(), p)
			}
			if n := len(r.Problems); n > 0 {
				return fmt.Errorf("%s has problems: %d; restore a sound backup, or correct them", path, n)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is sound: version %d, users: %d, vehicles: %d, bookings: %d\n",
				path, r.Version, r.Users, r.Vehicles, r.Bookings)
			return nil
		},
	}
	addDBFlag(cmd, &path)
	return cmd
}
