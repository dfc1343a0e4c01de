package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"onenow/db/store"
)

func migrateCommand(schema string) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Create or upgrade the database file",
		Long: `Create the database file if it does not exist, or upgrade it if an older onenow
wrote it. Before an upgrade, the command writes a backup next to the file. serve does
the same when it starts.`,
		Example: `  onenow migrate
  onenow migrate --db /var/lib/onenow/onenow.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, path, schema, store.Options{}, func(s *store.Store) error {
				switch m := s.Migrated; m.From {
				case 0:
					fmt.Fprintf(cmd.OutOrStdout(), "created %s, version %d\n", path, m.To)
				case m.To:
					fmt.Fprintf(cmd.OutOrStdout(), "%s has version %d: nothing to do\n", path, m.To)
				default:
					fmt.Fprintf(cmd.OutOrStdout(), "upgraded %s from version %d to version %d\n", path, m.From, m.To)
				}
				return nil
			})
		},
	}
	addDBFlag(cmd, &path)
	return cmd
}
