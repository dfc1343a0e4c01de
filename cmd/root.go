// Package cmd has the commands of onenow, one file for each: their flags, prompts and
// output. Packages server and db do the work.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"onenow/db"
	"onenow/db/store"
)

// errInterrupted is the error of a command that a signal or Ctrl-C has stopped.
var errInterrupted = errors.New("interrupted: nothing was changed")

// Run runs the command in args, the arguments of the program. schema is the text of
// schema.sql. The error is a message for the user.
func Run(ctx context.Context, schema string, args []string) error {
	if err := checkArgs(args); err != nil {
		return err
	}
	root := rootCommand(schema)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}

// PrintError prints the error of Run to standard error. It gives up after flushTime if
// nothing reads standard error.
func PrintError(err error) {
	stderr := newLineQueue(os.Stderr, nil)
	fmt.Fprintln(stderr, "onenow:", err)
	flush(stderr)
}

func rootCommand(schema string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "onenow",
		Short: "The backend of a small car-rental shop",
		Long: `onenow is the backend of a small car-rental shop: its fleet and its bookings
behind a REST API, in one program and one SQLite file.

Every flag can also be set with an environment variable: --db with ONENOW_DB,
--log-format with ONENOW_LOG_FORMAT, and so on. A flag on the command line overrides
the variable.`,
		Example: `  onenow serve
  onenow create-user shop`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true, // main prints the error
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkTimeZone(); err != nil {
				return err
			}
			if err := checkValues(cmd); err != nil {
				return err
			}
			return setFlagsFromEnv(cmd)
		},
	}
	cmd.SetFlagErrorFunc(flagError)
	cmd.AddCommand(
		serveCommand(schema),
		migrateCommand(schema),
		createUserCommand(schema),
		setPasswordCommand(schema),
		backupCommand(schema),
		checkCommand(schema),
		importCommand(schema),
	)
	return cmd
}

// withStore opens the database file at path, calls do, and closes the file. Log messages
// go to standard error.
func withStore(cmd *cobra.Command, path, schema string, opts store.Options, do func(*store.Store) error) error {
	opts.Log = newLogger(cmd.ErrOrStderr(), "text")
	s, err := store.Open(cmd.Context(), path, db.Format(schema), opts)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}
