package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	trusted := proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for name, c := range map[string]struct {
		remote    string
		forwarded []string
		proto     []string
		want      string
		https     bool
	}{
		"no proxy":                   {"203.0.113.5:1", nil, nil, "203.0.113.5", false},
		"no proxy, and a lie":        {"203.0.113.5:1", []string{"198.51.100.1"}, []string{"https"}, "203.0.113.5", false},
		"a proxy":                    {"127.0.0.1:1", []string{"203.0.113.5"}, []string{"https"}, "203.0.113.5", true},
		"a proxy, and a lie":         {"127.0.0.1:1", []string{"198.51.100.1, 203.0.113.5"}, []string{"https, http"}, "203.0.113.5", false},
		"two headers":                {"127.0.0.1:1", []string{"198.51.100.1", "203.0.113.5"}, nil, "203.0.113.5", false},
		"two proxies":                {"127.0.0.1:1", []string{"198.51.100.1, 203.0.113.5, 10.1.2.3"}, nil, "203.0.113.5", false},
		"a proxy that says nothing":  {"127.0.0.1:1", nil, nil, "127.0.0.1", false},
		"a proxy and garbage":        {"127.0.0.1:1", []string{"203.0.113.5, unknown"}, nil, "127.0.0.1", false},
		"garbage left of the client": {"127.0.0.1:1", []string{"<script>, 203.0.113.5"}, nil, "203.0.113.5", false},
		"all are proxies":            {"127.0.0.1:1", []string{"10.0.0.1, 10.0.0.2"}, nil, "10.0.0.1", false},
		"a port":                     {"127.0.0.1:1", []string{"203.0.113.5:4711"}, nil, "203.0.113.5", false},
		"IPv6":                       {"[2001:db8::1]:1", []string{"2001:4860::7"}, nil, "2001:4860::7", false},
		"IPv6 with a port":           {"[2001:db8::1]:1", []string{"[2001:4860::7]:4711"}, nil, "2001:4860::7", false},
		"IPv4 in IPv6":               {"[::ffff:127.0.0.1]:1", []string{"::ffff:203.0.113.5"}, nil, "203.0.113.5", false},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.forwarded, "X-Forwarded-Proto": c.proto}}
		if got, https := trusted.client(r); got.String() != c.want || https != c.https {
			t.Errorf("%s: got %v, %v, want %v, %v", name, got, https, c.want, c.https)
		}
	}
	for address, want := range map[string]string{"203.0.113.5": "203.0.113.5", "2001:4860:1:2:3::7": "2001:4860:1:2::/64"} {
		if got := network(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

// TestProxyAdvice checks that the warning about a proxy names only the address at the other
// end of a connection.
func TestProxyAdvice(t *testing.T) {
	for name, c := range map[string]struct {
		remote, forwarded string
		want              string // the flag; "" for no advice
	}{
		"a client behind the proxy":               {"127.0.0.1:1", "192.168.1.20", ""},
		"a client that names a private address":   {"127.0.0.1:1", "192.168.1.9, 192.168.1.20", ""},
		"another proxy":                           {"192.168.1.2:1", "203.0.113.5", "--trusted-proxy 192.168.1.2"},
		"another proxy, and a client that forges": {"192.168.1.2:1", "127.0.0.1, 10.0.0.7", "--trusted-proxy 192.168.1.2"},
		"a client without the header":             {"192.168.1.20:1", "", ""},
		"a client on the internet":                {"203.0.113.5:1", "192.168.1.20", ""},
	} {
		var log bytes.Buffer
		s := &Server{proxies: proxies{netip.MustParsePrefix("127.0.0.1/32")}, log: slog.New(slog.NewJSONHandler(&log, nil))}
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{}}
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		s.noteProxy(r)
		s.noteProxy(r)
		var entry struct{ Flag string }
		if err := json.Unmarshal(log.Bytes(), &entry); log.Len() > 0 && err != nil || entry.Flag != c.want {
			t.Errorf("%s: logged %q, %v, want %q once", name, &log, err, c.want)
		}
	}
}
