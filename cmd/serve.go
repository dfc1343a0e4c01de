package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"onenow/db"
	"onenow/db/store"
	"onenow/server"
)

// serveOptions holds the values of the flags of serve.
type serveOptions struct {
	db             string
	addr           string // for plain HTTP, without domains
	acme           server.ACME
	httpsAddr      string // for HTTPS, with domains
	httpAddr       string // for the redirect to HTTPS, with domains
	trustedProxies []string
	maxConnections int
	registration   oneOf
	refreshTokens  oneOf
	corsOrigins    []string
	backups        store.Schedule
	logFormat      oneOf
}

func serveCommand(schema string) *cobra.Command {
	opts := serveOptions{
		registration:  oneOf{"open", []string{"open", "closed"}},
		refreshTokens: oneOf{"rotate", []string{"rotate", "keep"}},
		logFormat:     oneOf{"text", []string{"text", "json"}},
	}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API",
		Long: `Serve the API until SIGINT, SIGTERM or SIGHUP stops it (under nohup, SIGHUP does
not). If the database file does not exist, serve creates it. If an older onenow wrote
it, serve writes a backup next to it and then upgrades it.

With --domain, onenow serves HTTPS on port 443. It gets its certificates from
Let's Encrypt and keeps them in the database; using --domain means that you
accept the terms of service of Let's Encrypt. Port 80 answers the challenges of
Let's Encrypt and redirects everything else to HTTPS.

Without --domain, onenow serves plain HTTP on --addr, for this machine or for a
proxy on it.

The log goes to standard error. No request waits for it: if nothing reads standard
error fast enough, lines are dropped, and a later line has their number.`,
		Example: `  onenow serve
  onenow serve --db /var/lib/onenow/onenow.db --addr 127.0.0.1:9000
  onenow serve --domain api.lahorecarrental.com --registration closed
  onenow serve --cors-origin https://lahorecarrental.com
  onenow serve --trusted-proxy 127.0.0.1/32
  onenow serve --backup-dir /var/backups/onenow --backup-every 6h --backup-keep 28`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := opts.config()
			if err != nil {
				return err
			}
			if err := opts.checkEffect(cmd); err != nil {
				return err
			}
			// The server must keep running if the reader of its output ends or
			// stops reading.
			signal.Ignore(syscall.SIGPIPE)
			stdout := newLineQueue(cmd.OutOrStdout(), nil)
			stderr := newLineQueue(cmd.ErrOrStderr(), droppedNotice(opts.logFormat.value))
			defer flush(stdout, stderr)
			cfg.Logger = newLogger(stderr, opts.logFormat.value)
			return serve(cmd.Context(), schema, opts, cfg, stdout)
		},
	}
	opts.addFlags(cmd)
	return cmd
}

func (o *serveOptions) addFlags(cmd *cobra.Command) {
	addDBFlag(cmd, &o.db)
	flags := cmd.Flags()
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8000", "the address to serve plain HTTP on, without --domain")
	flags.StringSliceVar(&o.acme.Domains, "domain", nil, "a domain name to serve HTTPS for; repeatable")
	flags.StringVar(&o.acme.Directory, "acme-directory", "", "the URL of another certificate authority's ACME directory, with --domain (default Let's Encrypt)")
	flags.StringVar(&o.httpsAddr, "https-addr", ":443", "the address to serve HTTPS on, with --domain")
	flags.StringVar(&o.httpAddr, "http-addr", ":80", "the address that redirects plain HTTP to HTTPS, with --domain")
	flags.StringSliceVar(&o.trustedProxies, "trusted-proxy", nil, "a proxy, or a network of proxies like 10.0.0.0/8, whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Prefix headers onenow trusts; repeatable")
	flags.IntVar(&o.maxConnections, "max-connections", 1024, "how many connections to serve at once; more connections wait")
	flags.Var(&o.registration, "registration", "whether anyone may register; create-user always works")
	flags.Var(&o.refreshTokens, "refresh-tokens", "rotate: a refresh token works once; keep: it works for its whole day, for a frontend that keeps the first one")
	flags.StringSliceVar(&o.corsOrigins, "cors-origin", nil, "an origin whose pages may call the API, like https://example.com; repeatable (default any)")
	flags.StringVar(&o.backups.Dir, "backup-dir", "", "the folder for scheduled backups (default none: no scheduled backups)")
	flags.DurationVar(&o.backups.Every, "backup-every", 24*time.Hour, "the time from one scheduled backup to the next, with --backup-dir")
	flags.IntVar(&o.backups.Keep, "backup-keep", 7, "how many scheduled backups to keep, with --backup-dir; older ones are removed")
	flags.Var(&o.logFormat, "log-format", "the format of the log, which goes to standard error")
}

// serve listens, opens the database file, and serves it until ctx is cancelled.
func serve(ctx context.Context, schema string, opts serveOptions, cfg server.Config, out io.Writer) error {
	// Listen before the file is opened: if another onenow has the port, this one must
	// not create or upgrade the file.
	listeners, err := listen(opts)
	if err != nil {
		return err
	}
	for _, l := range listeners {
		defer l.Close()
	}
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() {
		<-ctx.Done()
		if name := stopSignal(ctx); name != "" {
			cfg.Logger.Info("stopping", "signal", name)
		}
	})
	file, err := store.Open(ctx, opts.db, db.Format(schema), store.Options{Serve: true, Log: cfg.Logger})
	if err != nil && ctx.Err() != nil {
		return nil // a signal stopped serve while it was starting
	}
	if err != nil {
		return err
	}
	cfg.DB = db.New(file)
	s, err := server.New(ctx, cfg)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if opts.backups.Dir != "" {
		background.Go(func() { file.BackupEvery(ctx, opts.backups) })
	}
	cfg.Logger.Info("started", "version", version(), "file", opts.db, "schema", file.Migrated.To, "address", listeners[0].Addr().String())
	fmt.Fprintf(out, "onenow serves %s at %s\n", opts.db, publicURL(opts, listeners[0]))
	if len(opts.acme.Domains) > 0 {
		err = s.ServeTLS(ctx, listeners[0], listeners[1], opts.acme)
	} else {
		err = s.Serve(ctx, listeners[0])
	}
	cancel()
	background.Wait()
	return errors.Join(err, file.Close())
}
