package server

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// proxies are the networks whose word on where a request comes from is
// believed.
type proxies []netip.Prefix

func (p proxies) trust(a netip.Addr) bool {
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// client returns the address that r comes from, and whether it came over
// HTTPS. What proxies add to X-Forwarded-For stands at its right: from there
// on, the first address that is no trusted proxy's is the client's. What stands
// left of it, anybody may have written.
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
			break // nobody that we trust wrote that
		}
		from = hop
	}
	return from, https
}

func lastOf(list string) string {
	return strings.TrimSpace(list[strings.LastIndex(list, ",")+1:])
}

// remote returns the address at the other end of r's connection.
func remote(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // no network, in a test
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

// network returns what to limit a client by: its address, or of IPv6 its /64,
// which is the least that anybody has.
func network(a netip.Addr) string {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
