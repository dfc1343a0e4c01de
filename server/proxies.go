package server

import (
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
)

// proxies are the networks of the trusted proxies. Their headers have the addresses of
// the clients.
type proxies []netip.Prefix

// trust reports whether a is the address of a trusted proxy.
func (p proxies) trust(a netip.Addr) bool {
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// client returns the address of r's client, and whether r came over HTTPS.
// Each proxy adds an address at the right end of X-Forwarded-For. Read from there,
// the first address that does not belong to a trusted proxy is the client's.
// Anybody may have written the addresses to the left of it.
func (p proxies) client(r *http.Request) (from netip.Addr, https bool) {
	from, https = remote(r), r.TLS != nil
	if !p.trust(from) {
		return from, https
	}
	if proto := r.Header.Values("X-Forwarded-Proto"); len(proto) > 0 {
		https = strings.EqualFold(lastOf(proto[len(proto)-1]), "https")
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trust(from); i-- {
		hop, err := parseHop(strings.TrimSpace(hops[i]))
		if err != nil {
			break // no trusted proxy wrote this
		}
		from = hop
	}
	return from, https
}

// forwardedPrefix matches a valid X-Forwarded-Prefix.
var forwardedPrefix = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// prefix returns the path below which a trusted proxy serves us, or "".
func (p proxies) prefix(r *http.Request) string {
	prefix := r.Header.Get("X-Forwarded-Prefix")
	if prefix == "" || !p.trust(remote(r)) || !forwardedPrefix.MatchString(prefix) {
		return ""
	}
	return prefix
}

// lastOf returns the last item of a list that is separated by commas.
func lastOf(list string) string {
	return strings.TrimSpace(list[strings.LastIndex(list, ",")+1:])
}

// remote returns the address at the other end of r's connection.
func remote(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // in a test, without a network
	}
	return a.Addr().Unmap().WithZone("")
}

// parseHop reads an address in X-Forwarded-For, which may have a port.
func parseHop(s string) (netip.Addr, error) {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err
}

// network returns the key of a client for the limiters: its address, or for IPv6 its
// /64 network, because a provider gives every client at least a network of that size.
func network(a netip.Addr) string {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
