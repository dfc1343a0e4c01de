package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"onenow/db/store"
)

func backupCommand(schema string) *cobra.Command {
	var path string
	var force bool
	cmd := &cobra.Command{
		Use:   "backup DEST",
		Short: "Write a copy of the database",
		Long: `Write a copy of the database, as it is now, to the file DEST, or to standard
output if DEST is -. The file DEST appears only when the copy is complete, checked
and on disk. The command works while serve runs, and bookings do not wait for it.`,
		Example: `  onenow backup /var/backups/onenow-monday.db
  ssh shop.example.com onenow backup - --db /var/lib/onenow/onenow.db > onenow.db`,
		Args: oneArg("the file to write", ""),
		RunE: func(cmd *cobra.Command, args []string) error {
			progress := func(done, total int64) {
				fmt.Fprintf(cmd.ErrOrStderr(), "copied %d of %d MB\n", done>>20, total>>20)
			}
			if force && args[0] == "-" {
				return errors.New("--force has no effect with standard output: remove --force")
			}
			return withStore(cmd, path, schema, store.Options{MustExist: true, KeepVersion: true}, func(s *store.Store) error {
				dest := args[0]
				if dest == "-" {
					return s.BackupTo(cmd.Context(), cmd.OutOrStdout(), progress)
				}
				if err := s.Backup(cmd.Context(), dest, force, progress); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "backed up %s to %s\n", path, dest)
				return nil
			})
		},
	}
	addDBFlag(cmd, &path)
	cmd.Flags().BoolVar(&force, "force", false, "replace DEST if it exists")
	return cmd
}
