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
	"net/netip"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"
	_ "time/tzdata" // import-django knows time zones on a machine that does not

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
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	if err := newRootCmd().ExecuteContext(ctx); err != nil {
		if errors.Is(err, context.Canceled) {
			err = errInterrupted
		}
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
	cmd.AddCommand(newServeCmd(), newMigrateCmd(), newCreateUserCmd(), newSetPasswordCmd(), newBackupCmd(), newCheckCmd(), newImportDjangoCmd())
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
		if !ok || value == "" || f.Changed || f.Name == "help" || err != nil {
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

// serveOptions is what serve is asked for beside what the server is.
type serveOptions struct {
	db      string
	backups db.Schedule

	addr      string // plain HTTP, where there are no domains
	acme      server.ACME
	httpsAddr string
	httpAddr  string
}

func newServeCmd() *cobra.Command {
	var opts serveOptions
	var cfg server.Config
	var trusted []string
	registration := &oneOf{"open", []string{"open", "closed"}}
	logFormat := &oneOf{"text", []string{"text", "json"}}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API",
		Long: `Serve the API until SIGINT or SIGTERM, from a database file that is created if
there is none and brought up to date if an older onenow wrote it.

With --domain it serves HTTPS on port 443, with certificates that it gets from
Let's Encrypt, whose terms of service you accept by that, and keeps in the
database; port 80 answers the authority's questions and redirects to HTTPS.
Without, it serves plain HTTP on --addr, for this machine or a proxy on it.`,
		Example: `  onenow serve
  onenow serve --db /var/lib/onenow/onenow.db --addr 127.0.0.1:9000
  onenow serve --domain api.lahorecarrental.com --registration closed
  onenow serve --cors-origin https://lahorecarrental.com
  onenow serve --trusted-proxy 127.0.0.1/32
  onenow serve --backup-dir /var/backups/onenow --backup-every 6h --backup-keep 28`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOrigins(cfg.CORSOrigins); err != nil {
				return err
			}
			if err := checkDomains(opts.acme.Domains); err != nil {
				return err
			}
			if d := opts.acme.Directory; d != "" && !strings.HasPrefix(d, "https://") {
				return fmt.Errorf("--acme-directory %q is not a URL that begins with https://", d)
			}
			for _, t := range trusted {
				p, err := parseNetwork(t)
				if err != nil {
					return err
				}
				cfg.TrustedProxies = append(cfg.TrustedProxies, p)
			}
			if opts.backups.Every < time.Minute || opts.backups.Keep < 1 {
				return errors.New("--backup-every must be a minute or more, and --backup-keep 1 or more")
			}
			if cfg.MaxConnections < 1 {
				return errors.New("--max-connections must be 1 or more")
			}
			cfg.Logger = newLogger(cmd.ErrOrStderr(), logFormat.value)
			cfg.RegistrationClosed = registration.value == "closed"
			return serve(cmd.Context(), opts, cfg, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	addDBFlag(cmd, &opts.db)
	flags.StringVar(&opts.addr, "addr", "127.0.0.1:8000", "the address to serve plain HTTP on, without --domain")
	flags.StringSliceVar(&opts.acme.Domains, "domain", nil, "a domain name to serve HTTPS for; repeatable")
	flags.StringVar(&opts.acme.Directory, "acme-directory", "", "the certificate authority's ACME directory, a URL (default Let's Encrypt's)")
	flags.StringVar(&opts.httpsAddr, "https-addr", ":443", "the address to serve HTTPS on, with --domain")
	flags.StringVar(&opts.httpAddr, "http-addr", ":80", "the address to redirect to HTTPS from, with --domain")
	flags.StringSliceVar(&trusted, "trusted-proxy", nil, "a proxy, or a network of proxies like 10.0.0.0/8, whose X-Forwarded-For and X-Forwarded-Proto are believed; repeatable")
	flags.IntVar(&cfg.MaxConnections, "max-connections", 1024, "how many connections to serve at once; the rest wait")
	flags.Var(registration, "registration", "whether anyone may register; users can always be made with create-user")
	flags.StringSliceVar(&cfg.CORSOrigins, "cors-origin", nil, "an origin whose pages may call the API, like https://example.com; repeatable (default any)")
	flags.StringVar(&opts.backups.Dir, "backup-dir", "", "a folder to put a backup into every so often (default none)")
	flags.DurationVar(&opts.backups.Every, "backup-every", 24*time.Hour, "how often")
	flags.IntVar(&opts.backups.Keep, "backup-keep", 7, "how many of the backups to keep")
	flags.Var(logFormat, "log-format", "how to write the log, which goes to standard error")
	return cmd
}

func newLogger(w io.Writer, format string) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// checkOrigins refuses what no browser sends as an Origin.
func checkOrigins(origins []string) error {
	for _, o := range origins {
		if !server.ValidOrigin(o) {
			return fmt.Errorf("--cors-origin %q is not an origin: write it like https://example.com, with no path and no *", o)
		}
	}
	return nil
}

// checkDomains refuses what no certificate is given for, and makes the rest
// lower-case.
func checkDomains(domains []string) error {
	for i, d := range domains {
		domains[i] = strings.TrimSuffix(strings.ToLower(d), ".")
		if !domainName.MatchString(domains[i]) {
			return fmt.Errorf("--domain %q is not a domain name: write it like api.example.com", d)
		}
	}
	return nil
}

// domainName is a name of two labels or more, the last no number; names in
// other alphabets are written in punycode.
var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$`)

// parseNetwork reads a network, or an address as one of its own.
func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return p, fmt.Errorf("--trusted-proxy %q is not an address or a network: write it like 127.0.0.1 or 10.0.0.0/8", s)
	}
	return p.Masked(), nil
}

func serve(ctx context.Context, opts serveOptions, cfg server.Config, out io.Writer) error {
	// Before the file is touched: the port may be in use by the onenow that has it.
	listeners, err := listen(opts)
	if err != nil {
		return err
	}
	for _, l := range listeners {
		defer l.Close()
	}
	d, err := db.Open(ctx, opts.db, schema, db.Options{Serve: true, Log: cfg.Logger})
	if err != nil && ctx.Err() != nil {
		return nil // stopped before it began
	}
	if err != nil {
		return err
	}
	cfg.DB = d
	s, err := server.New(ctx, cfg)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var background sync.WaitGroup
	if opts.backups.Dir != "" {
		background.Go(func() { d.BackupEvery(ctx, opts.backups, cfg.Logger) })
	}
	l := listeners[0]
	url := address(l.Addr())
	if len(opts.acme.Domains) > 0 {
		url = fmt.Sprintf("https://%s/", opts.acme.Domains[0])
	}
	fmt.Fprintf(out, "onenow serves %s at %s\n", opts.db, url)
	cfg.Logger.Info("started", "version", version(), "file", opts.db, "schema", db.Version(), "address", l.Addr().String())
	if len(opts.acme.Domains) > 0 {
		err = s.ServeTLS(ctx, l, listeners[1], opts.acme)
	} else {
		err = s.Serve(ctx, l)
	}
	cancel()
	background.Wait()
	return errors.Join(err, d.Close())
}

// listen opens the one address of plain HTTP, or those of HTTPS and of the
// redirect to it.
func listen(opts serveOptions) ([]net.Listener, error) {
	addrs := []struct{ flag, addr string }{{"--addr", opts.addr}}
	if len(opts.acme.Domains) > 0 {
		addrs = []struct{ flag, addr string }{{"--https-addr", opts.httpsAddr}, {"--http-addr", opts.httpAddr}}
	}
	var listeners []net.Listener
	for _, a := range addrs {
		err := errors.New("no address is given") // which net.Listen would take for any port
		if a.addr != "" {
			var l net.Listener
			if l, err = net.Listen("tcp", a.addr); err == nil {
				listeners = append(listeners, l)
			}
		}
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, listenError(a.flag, a.addr, err)
		}
	}
	return listeners, nil
}

func listenError(flag, addr string, err error) error {
	var why *net.OpError
	if errors.As(err, &why) {
		err = why.Err
	}
	switch {
	case addr == "":
		return fmt.Errorf("no address is given: give one with %s", flag)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("cannot listen on %s: another program does; end that one or choose another address with %s", addr, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("cannot listen on %s: that port takes the right to (CAP_NET_BIND_SERVICE); see the README on systemd", addr)
	}
	return fmt.Errorf("cannot listen on %s: %w", addr, err)
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
			return withDB(cmd, path, db.Options{}, func(d *db.DB) error {
				switch m := d.Migrated; m.From {
				case 0:
					fmt.Fprintf(cmd.OutOrStdout(), "created %s, version %d\n", path, m.To)
				case m.To:
					fmt.Fprintf(cmd.OutOrStdout(), "%s is of version %d: nothing to do\n", path, m.To)
				default:
					fmt.Fprintf(cmd.OutOrStdout(), "brought %s from version %d to version %d\n", path, m.From, m.To)
				}
				return nil
			})
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
			hash, err := readPasswordHash(cmd)
			if err != nil {
				return err
			}
			return withDB(cmd, path, db.Options{}, func(d *db.DB) error {
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
			hash, err := readPasswordHash(cmd)
			if err != nil {
				return err
			}
			return withDB(cmd, path, db.Options{MustExist: true}, func(d *db.DB) error {
				u, err := d.UserByName(cmd.Context(), name)
				if errors.Is(err, db.ErrNotFound) {
					return fmt.Errorf("there is no user %q; create-user makes one", name)
				}
				if err != nil {
					return err
				}
				if err := d.SetPassword(cmd.Context(), u, hash); err != nil {
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

func newBackupCmd() *cobra.Command {
	var path string
	var force bool
	cmd := &cobra.Command{
		Use:   "backup DEST",
		Short: "Write a copy of the database",
		Long: `Write a copy of the database, as it is now, to the file DEST, or to standard
output if DEST is -. The copy is checked and on disk before it appears under its
name. Works while serve runs, and holds nobody up.`,
		Example: `  onenow backup /var/backups/onenow-monday.db
  ssh shop.example.com onenow backup - --db /var/lib/onenow/onenow.db > onenow.db`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			progress := func(done, total int64) {
				fmt.Fprintf(cmd.ErrOrStderr(), "copied %d of %d MB\n", done>>20, total>>20)
			}
			return withDB(cmd, path, db.Options{MustExist: true, KeepVersion: true}, func(d *db.DB) error {
				dest := args[0]
				if dest == "-" {
					return d.BackupTo(cmd.Context(), cmd.OutOrStdout(), progress)
				}
				if err := d.Backup(cmd.Context(), dest, force, progress); err != nil {
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

func newCheckCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a database file or a copy of one",
		Long: `Read a whole database file, or a copy of one, and say what is in it and what is
wrong with it: damage, references to nothing, bookings that overlap, a schema
that is not onenow's. The file is left as it was. Exits with 1 if anything is
wrong.`,
		Example: `  onenow check
  onenow check /var/backups/onenow-monday.db`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				path = args[0]
			}
			r, err := db.Check(cmd.Context(), path, schema)
			if err != nil {
				return err
			}
			for _, p := range r.Problems {
				fmt.Fprintln(cmd.OutOrStdout(), p)
			}
			if n := len(r.Problems); n > 0 {
				return fmt.Errorf("%s: %d found wrong", path, n)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is sound: version %d, users: %d, vehicles: %d, bookings: %d\n",
				path, r.Version, r.Users, r.Vehicles, r.Bookings)
			return nil
		},
	}
	addDBFlag(cmd, &path)
	return cmd
}

func newImportDjangoCmd() *cobra.Command {
	var path, zone string
	opts := db.ImportOptions{UsernameProblem: auth.UsernameProblem, CanVerify: auth.FromDjango, Locked: auth.Locked}
	cmd := &cobra.Command{
		Use:   "import-django FILE",
		Short: "Bring over the database of the first implementation",
		Long: `Bring over the users, vehicles and bookings from FILE, the SQLite file of the
first implementation of this API, in Django, to a database that has none yet or
is created. They keep their ids, and the users their passwords. Stop the first
implementation before, and do not serve the database. FILE is only read.

Times become days in --timezone, and a booking that ends later in its day than
it started, or on the same day, keeps its car until the next day. There, bookings
could overlap. If any do, or a row cannot come over for another reason, nothing
is imported and each is listed; with --skip-conflicts, all the rest is imported,
and these rows are written to a new file. Of two bookings that overlap, the one
with the lower id, which was there first, is kept.

The dates of a frontend that sent plain dates are kept by --timezone UTC.`,
		Example: `  onenow import-django db.sqlite3 --timezone Asia/Karachi --dry-run
  onenow import-django db.sqlite3 --timezone Asia/Karachi --skip-conflicts left.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if opts.Zone, err = parseZone(zone); err != nil {
				return err
			}
			r, err := db.ImportDjango(cmd.Context(), args[0], path, schema, opts)
			if err == nil || errors.Is(err, db.ErrLeft) {
				printImport(cmd.OutOrStdout(), r, opts)
			}
			switch {
			case errors.Is(err, db.ErrLeft):
				return fmt.Errorf("nothing was imported, because of rows that cannot come over: %d; correct them there, or in a copy of %s, or leave them out with --skip-conflicts FILE.csv", r.Left, args[0])
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
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "say what would be imported, and write nothing")
	cmd.Flags().StringVar(&zone, "timezone", "", "the time zone, like Asia/Karachi, whose days the bookings are on (default this machine's)")
	cmd.Flags().StringVar(&opts.Skip, "skip-conflicts", "", "a new CSV file to write the rows to that cannot come over")
	return cmd
}

// parseZone returns the time zone of that name, without one this machine's.
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

// printImport says what comes over and what does not.
func printImport(out io.Writer, r db.Import, opts db.ImportOptions) {
	for _, c := range r.Clashes {
		fmt.Fprintln(out, c)
	}
	for _, lines := range [][]string{r.Refused, r.Notes} {
		for _, line := range lines {
			fmt.Fprintln(out, line)
		}
	}
	zone := opts.Zone.String()
	if opts.Zone == time.Local {
		zone = "of this machine, now " + time.Now().Format("MST, UTC-07:00")
	}
	fmt.Fprintf(out, "users: %d, vehicles: %d, bookings: %d, in the time zone %s\n", r.Users, r.Vehicles, r.Bookings, zone)
	left := "rows left out"
	if opts.Skip != "" {
		left += ", to be found in " + opts.Skip
	}
	for _, count := range []struct {
		n    int
		what string
	}{
		{r.Locked, "users locked out, until onenow set-password NAME lets them in"},
		{r.Hours, "bookings that lose their hours"},
		{r.Longer, "bookings that keep the car until the day after they end there"},
		{r.Left, left},
	} {
		if count.n > 0 {
			fmt.Fprintf(out, "%s: %d\n", count.what, count.n)
		}
	}
}

// withDB calls do with the database open.
func withDB(cmd *cobra.Command, path string, opts db.Options, do func(*db.DB) error) error {
	opts.Log = newLogger(cmd.ErrOrStderr(), "text")
	d, err := db.Open(cmd.Context(), path, schema, opts)
	if err != nil {
		return err
	}
	return errors.Join(do(d), d.Close())
}

// readPasswordHash reads a password, by readPassword, and returns its hash.
func readPasswordHash(cmd *cobra.Command) (string, error) {
	password, err := readPassword(cmd)
	if err != nil {
		return "", err
	}
	if problem := auth.PasswordProblem(password); problem != "" {
		return "", errors.New(problem)
	}
	return auth.Hash(password), nil
}

// readPassword asks for a password twice on a terminal, and otherwise takes
// the first line of standard input.
func readPassword(cmd *cobra.Command) (string, error) {
	in := cmd.InOrStdin()
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return askPassword(cmd.Context(), f, cmd.ErrOrStderr())
	}
	return untilDone(cmd.Context(), func() (string, error) {
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil && err != io.EOF {
			return "", fmt.Errorf("read the password from standard input: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	})
}

// untilDone returns what read returns, unless ctx ends first.
func untilDone(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := read()
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		return a.text, a.err
	case <-ctx.Done():
		return "", errInterrupted
	}
}

var errInterrupted = errors.New("interrupted: nothing was changed")

// askPassword asks for a password twice, without echo, unless ctx ends or
// Ctrl-C is typed first.
func askPassword(ctx context.Context, terminal *os.File, out io.Writer) (string, error) {
	// Raw before the prompt shows, so that not even early typing is echoed.
	before, err := term.MakeRaw(int(terminal.Fd()))
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	defer term.Restore(int(terminal.Fd()), before)
	return untilDone(ctx, func() (string, error) {
		t := term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{terminal, out}, "")
		first, err := t.ReadPassword("Password: ")
		if err != nil {
			return "", errInterrupted // Ctrl-C or Ctrl-D
		}
		again, err := t.ReadPassword("The same again: ")
		if err != nil {
			return "", errInterrupted
		}
		if first != again {
			return "", errors.New("the two passwords differ: nothing was changed")
		}
		return first, nil
	})
}
