package cmd

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"onenow/server"
)

// config checks the values of the flags, makes the domain names lower-case, and returns
// the configuration of the server.
func (o *serveOptions) config() (server.Config, error) {
	cfg := server.Config{
		RegistrationClosed: o.registration.value == "closed",
		KeepRefreshTokens:  o.refreshTokens.value == "keep",
		CORSOrigins:        o.corsOrigins,
		MaxConnections:     o.maxConnections,
	}
	if err := checkOrigins(o.corsOrigins); err != nil {
		return cfg, err
	}
	if err := checkDomains(o.acme.Domains); err != nil {
		return cfg, err
	}
	if d := o.acme.Directory; d != "" && !strings.HasPrefix(d, "https://") {
		return cfg, fmt.Errorf("--acme-directory %q is not a URL that begins with https://: write it like https://ca.example.com/directory", d)
	}
	for _, t := range o.trustedProxies {
		p, err := parseNetwork(t)
		if err != nil {
			return cfg, err
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, p)
	}
	if o.backups.Every < time.Minute || o.backups.Keep < 1 {
		return cfg, errors.New("--backup-every must be a minute or more, and --backup-keep 1 or more")
	}
	if o.maxConnections < 1 {
		return cfg, errors.New("--max-connections must be 1 or more")
	}
	return cfg, nil
}

// checkEffect returns an error for a flag that has no effect because of the other flags.
func (o *serveOptions) checkEffect(cmd *cobra.Command) error {
	if addr := source(cmd, "addr"); addr != "" && len(o.acme.Domains) > 0 {
		return fmt.Errorf("%s has no effect with %s, which serves on --https-addr and --http-addr: remove %s", addr, source(cmd, "domain"), addr)
	}
	for _, needs := range []struct {
		flag    string
		given   bool     // whether flag is given
		without []string // the flags that have no effect without flag
	}{
		{"--domain", len(o.acme.Domains) > 0, []string{"https-addr", "http-addr", "acme-directory"}},
		{"--backup-dir", o.backups.Dir != "", []string{"backup-every", "backup-keep"}},
	} {
		for _, flag := range needs.without {
			if s := source(cmd, flag); s != "" && !needs.given {
				return fmt.Errorf("%s has no effect without %s: remove %s, or add %s", s, needs.flag, s, needs.flag)
			}
		}
	}
	return nil
}

// checkOrigins returns an error for a text that no browser sends as an Origin.
func checkOrigins(origins []string) error {
	for _, o := range origins {
		if !server.ValidOrigin(o) {
			return fmt.Errorf("--cors-origin %q is not an origin: write it like https://example.com, with no path and no *", o)
		}
	}
	return nil
}

// checkDomains makes the names lower-case, and returns an error for a name for which no
// authority issues certificates.
func checkDomains(domains []string) error {
	for i, d := range domains {
		domains[i] = strings.TrimSuffix(strings.ToLower(d), ".")
		if !domainName.MatchString(domains[i]) {
			return fmt.Errorf("--domain %q is not a domain name: write it like api.example.com", d)
		}
	}
	return nil
}

// domainName matches a name of two or more labels whose last label does not
// begin with a digit. Names in other alphabets are written in punycode.
var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$`)

// parseNetwork parses a network, or a single address as a network of one address.
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
