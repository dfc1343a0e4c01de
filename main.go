// Onenow is the backend of a small car-rental shop: one program, one SQLite
// file.
package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"onenow/auth"
	"onenow/db"
	"onenow/server"
)

//go:embed schema.sql
var schema string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	if err := newRootCmd().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "onenow:", err)
		os.Exit(1)
	}
}

func newRootCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "onenow",
		Short: "The backend of a small car-rental shop",
		Long: `onenow is the backend of a small car-rental shop: its fleet and its bookings
behind a REST API, in one program and one SQLite file.

Every flag can also be set in the environment: --db as ONENOW_DB, --log-format
as ONENOW_LOG_FORMAT, and so on. A flag given on the command line wins.`,
		Example: `  onenow serve
  onenow create-user shop`,
		Version:           version(),
		SilenceUsage:      true,
		SilenceErrors:     true, // main prints them
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return flagsFromEnv(cmd) },
	}
	cmd.AddCommand(newServeCmd(), newMigrateCmd(), newCreateUserCmd(), newSetPasswordCmd())
	return cmd
}

// version is what the module was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// flagsFromEnv sets the flags that the command line does not from variables
// like ONENOW_LOG_FORMAT.
func flagsFromEnv(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := "ONENOW_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := os.LookupEnv(name)
		if !ok || f.Changed || f.Name == "help" || err != nil {
			return
		}
		if e := cmd.Flags().Set(f.Name, value); e != nil {
			err = fmt.Errorf("%s in the environment: %w", name, e)
		}
	})
	return err
}

func addDBFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "db", "onenow.db", "the database file")
}

// oneOf is a flag whose value is one of a few words.
type oneOf struct {
	value string
	words []string
}

func (o *oneOf) String() string { return o.value }
func (o *oneOf) Type() string   { return strings.Join(o.words, "|") }
func (o *oneOf) Set(s string) error {
	for _, w := range o.words {
		if s == w {
			o.value = s
			return nil
		}
	}
	return fmt.Errorf("want %s", strings.Join(o.words, " or "))
}

func newServeCmd() *cobra.Command {
	var path, addr string
	var origins []string
	registration := &oneOf{"open", []string{"open", "closed"}}
	logFormat := &oneOf{"text", []string{"text", "json"}}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API",
		Long: `Serve the API until SIGINT or SIGTERM, from a database file that is created if
there is none and brought up to date if an older onenow wrote it.`,
		Example: `  onenow serve
  onenow serve --db /var/lib/onenow/onenow.db --addr 127.0.0.1:9000
  onenow serve --registration closed --cors-origin https://lahorecarrental.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOrigins(origins); err != nil {
				return err
			}
			return serve(cmd.Context(), addr, path, server.Config{
				Logger:             newLogger(cmd.ErrOrStderr(), logFormat.value),
				RegistrationClosed: registration.value == "closed",
				CORSOrigins:        origins,
			}, cmd.OutOrStdout())
		},
	}
	addDBFlag(cmd, &path)
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8000", "the address to listen on")
	cmd.Flags().Var(registration, "registration", "whether anyone may register; users can always be made with create-user")
	cmd.Flags().Var(logFormat, "log-format", "how to write the log, which goes to standard error")
	cmd.Flags().StringSliceVar(&origins, "cors-origin", nil, "an origin whose pages may call the API, like https://example.com; repeatable (default any)")
	return cmd
}

func newLogger(w io.Writer, format string) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// checkOrigins refuses what no browser sends as an Origin (RFC 6454).
func checkOrigins(origins []string) error {
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || o != u.Scheme+"://"+u.Host {
			return fmt.Errorf("--cors-origin %q is not an origin: write it like https://example.com, with no path", o)
		}
	}
	return nil
}

func serve(ctx context.Context, addr, path string, cfg server.Config, out io.Writer) error {
	// Before the file is touched: the port may be in use by the onenow that has it.
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return listenError(addr, err)
	}
	defer l.Close()
	d, err := db.Open(ctx, path, schema)
	if err != nil {
		return err
	}
	cfg.DB = d
	s, err := server.New(ctx, cfg)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	fmt.Fprintf(out, "onenow serves %s at %s\n", path, address(l.Addr()))
	cfg.Logger.Info("started", "version", version(), "file", path, "schema", db.Version(), "address", l.Addr().String())
	return errors.Join(s.Serve(ctx, l), d.Close())
}

// address returns what to open in a browser on this machine.
func address(a net.Addr) string {
	tcp := a.(*net.TCPAddr)
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "localhost"
	}
	return fmt.Sprintf("http://%s/", net.JoinHostPort(host, fmt.Sprint(tcp.Port)))
}

func listenError(addr string, err error) error {
	var why *net.OpError
	if errors.As(err, &why) {
		err = why.Err
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("cannot listen on %s: another program does; end that one or choose another address with --addr", addr)
	}
	return fmt.Errorf("cannot listen on %s: %w", addr, err)
}

func newMigrateCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Create the database file or bring it up to date",
		Long: `Create the database file if there is none, or bring it up to date if an older
onenow wrote it. serve does the same when it starts.`,
		Example: `  onenow migrate
  onenow migrate --db /var/lib/onenow/onenow.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := db.Migrate(cmd.Context(), path, schema)
			if err != nil {
				return err
			}
			switch m.From {
			case 0:
				fmt.Fprintf(cmd.OutOrStdout(), "created %s, version %d\n", path, m.To)
			case m.To:
				fmt.Fprintf(cmd.OutOrStdout(), "%s is of version %d: nothing to do\n", path, m.To)
			default:
				fmt.Fprintf(cmd.OutOrStdout(), "brought %s from version %d to version %d\n", path, m.From, m.To)
			}
			return nil
		},
	}
	addDBFlag(cmd, &path)
	return cmd
}

func newCreateUserCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "create-user NAME",
		Short: "Create a user",
		Long: `Create a user. The password is asked for twice, or is the first line of
standard input when that is no terminal. Works while serve runs.`,
		Example: `  onenow create-user shop
  onenow create-user shop --db /var/lib/onenow/onenow.db < password.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := strings.TrimSpace(args[0])
			if problem := auth.UsernameProblem(name); problem != "" {
				return errors.New(problem)
			}
			return withPassword(cmd, path, func(d *db.DB, hash string) error {
				if _, err := d.CreateUser(cmd.Context(), name, hash); errors.Is(err, db.ErrConflict) {
					return fmt.Errorf("there is a user %q already; set-password gives them a new password", name)
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

func newSetPasswordCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "set-password NAME",
		Short: "Give a user a new password",
		Long: `Give a user a new password, and end their sign-ins. The password is asked for
twice, or is the first line of standard input when that is no terminal. Works
while serve runs.`,
		Example: `  onenow set-password shop
  onenow set-password shop --db /var/lib/onenow/onenow.db < password.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := strings.TrimSpace(args[0])
			return withPassword(cmd, path, func(d *db.DB, hash string) error {
				u, err := d.UserByName(cmd.Context(), name)
				if errors.Is(err, db.ErrNotFound) {
					return fmt.Errorf("there is no user %q; create-user makes one", name)
				}
				if err != nil {
					return err
				}
				if err := d.SetPassword(cmd.Context(), u.ID, hash); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "set a new password for %q and ended their sign-ins\n", name)
				return nil
			})
		},
	}
	addDBFlag(cmd, &path)
	return cmd
}

// withPassword reads a password and calls do with its hash and the database.
func withPassword(cmd *cobra.Command, path string, do func(d *db.DB, hash string) error) error {
	password, err := readPassword(cmd)
	if err != nil {
		return err
	}
	if problem := auth.PasswordProblem(password); problem != "" {
		return errors.New(problem)
	}
	hash, err := auth.NewPasswords().Hash(cmd.Context(), password)
	if err != nil {
		return err
	}
	d, err := db.Open(cmd.Context(), path, schema)
	if err != nil {
		return err
	}
	return errors.Join(do(d, hash), d.Close())
}

// readPassword asks for a password twice on a terminal, and otherwise takes
// the first line of standard input.
func readPassword(cmd *cobra.Command) (string, error) {
	in := cmd.InOrStdin()
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return askPassword(cmd.Context(), f, cmd.ErrOrStderr())
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// askPassword asks for a password twice, without echo, unless ctx ends or
// Ctrl-C is typed first.
func askPassword(ctx context.Context, terminal *os.File, out io.Writer) (string, error) {
	// Raw before the prompt shows, so that not even early typing is echoed.
	before, err := term.MakeRaw(int(terminal.Fd()))
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	defer term.Restore(int(terminal.Fd()), before)
	type answer struct {
		first, again string
		err          error
	}
	answered := make(chan answer, 1)
	go func() {
		t := term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{terminal, out}, "")
		var a answer
		if a.first, a.err = t.ReadPassword("Password: "); a.err == nil {
			a.again, a.err = t.ReadPassword("The same again: ")
		}
		answered <- a
	}()
	var a answer
	select {
	case a = <-answered:
	case <-ctx.Done():
		a.err = ctx.Err()
	}
	switch {
	case a.err != nil:
		return "", errors.New("interrupted: nothing was changed")
	case a.first != a.again:
		return "", errors.New("the two passwords differ: nothing was changed")
	}
	return a.first, nil
}
