package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"onenow/auth"
	"onenow/db"
	"onenow/db/store"
)

func createUserCommand(schema string) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "create-user NAME",
		Short: "Create a user",
		Long: `Create a user. On a terminal, the command asks for the password twice.
Otherwise, the first line of standard input is the password. The command works
while serve runs.`,
		Example: `  onenow create-user shop
  onenow create-user shop --db /var/lib/onenow/onenow.db < password.txt`,
		Args: oneArg("the name of the user", "; the password is not an argument"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := strings.TrimSpace(args[0])
			if problem := auth.UsernameProblem(name); problem != "" {
				return errors.New(problem)
			}
			hash, err := readPasswordHash(cmd)
			if err != nil {
				return err
			}
			return withStore(cmd, path, schema, store.Options{}, func(s *store.Store) error {
				if _, err := db.New(s).CreateUser(cmd.Context(), name, hash); errors.Is(err, db.ErrConflict) {
					return fmt.Errorf("there already is a user %q: choose another name, or give this user a new password with set-password", name)
				} else if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "created user %q\n", name)
				return nil
			})
		},
	}
	addDBFlag(cmd, &path)
	return cmd
}

func setPasswordCommand(schema string) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "set-password NAME",
		Short: "Give a user a new password",
		Long: `Give a user a new password, and sign them out everywhere. On a terminal, the
command asks for the password twice. Otherwise, the first line of standard input is
the password. The command works while serve runs.`,
		Example: `  onenow set-password shop
  onenow set-password shop --db /var/lib/onenow/onenow.db < password.txt`,
		Args: oneArg("the name of the user", "; the password is not an argument"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := strings.TrimSpace(args[0])
			hash, err := readPasswordHash(cmd)
			if err != nil {
				return err
			}
			return withStore(cmd, path, schema, store.Options{MustExist: true}, func(s *store.Store) error {
				d := db.New(s)
				u, err := d.UserByName(cmd.Context(), name)
				if errors.Is(err, db.ErrNotFound) {
					return fmt.Errorf("there is no user %q: check the name, or create the user with create-user", name)
				}
				if err != nil {
					return err
				}
				if err := d.SetPassword(cmd.Context(), u, hash); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "set a new password for %q and signed them out everywhere\n", name)
				return nil
			})
		},
	}
	addDBFlag(cmd, &path)
	return cmd
}
