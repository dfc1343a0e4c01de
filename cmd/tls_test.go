package cmd_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const domain = "api.lahorecarrental.example"

// freePort returns a port of 127.0.0.1 that no program uses at the moment.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// nameServer starts a DNS server, over TCP, that answers every question for an address
// with 127.0.0.1. It returns the address of the server.
func nameServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			go answerNames(c)
		}
	}()
	return l.Addr().String()
}

// answerNames answers the questions on one connection. Each message follows its length
// (RFC 1035, section 4.2.2).
func answerNames(c net.Conn) {
	defer c.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		buf := make([]byte, int(length[0])<<8|int(length[1]))
		if _, err := io.ReadFull(c, buf); err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf) != nil || len(m.Questions) == 0 {
			return
		}
		m.Response, m.Authoritative = true, true
		m.Answers, m.Additionals = nil, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			}}
		}
		out, err := m.Pack()
		if err != nil {
			return
		}
		length = [2]byte{byte(len(out) >> 8), byte(len(out))}
		if _, err := c.Write(append(length[:], out...)); err != nil {
			return
		}
	}
}

// selfSigned returns a certificate for a name or an address, and its key, in PEM.
func selfSigned(t *testing.T, name string, life time.Duration) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: "by hand"},
		NotBefore:             time.Now().AddDate(0, 0, -85),
		NotAfter:              time.Now().Add(life),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

// authority is a running Pebble, the ACME test server.
type authority struct {
	directory string
	cert      string         // the file with the certificate of its API
	roots     *x509.CertPool // of the certificates that it issues
}

func startPebble(t *testing.T, httpPort, httpsPort int) authority {
	t.Helper()
	pebble, err := exec.LookPath("pebble")
	if err != nil {
		t.Skip("needs Pebble: go install github.com/letsencrypt/pebble/v2/cmd/pebble@latest")
	}
	dir := t.TempDir()
	cert, key := selfSigned(t, "127.0.0.1", time.Hour)
	api, management := freePort(t), freePort(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress":           fmt.Sprint("127.0.0.1:", api),
		"managementListenAddress": fmt.Sprint("127.0.0.1:", management),
		"certificate":             filepath.Join(dir, "cert.pem"),
		"privateKey":              filepath.Join(dir, "key.pem"),
		"httpPort":                httpPort,
		"tlsPort":                 httpsPort,
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": key, "config.json": config} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, pebble, "-config", filepath.Join(dir, "config.json"), "-dnsserver", nameServer(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("Pebble said:\n%s", &log)
		}
	})
	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM(cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}}}
	defer client.CloseIdleConnections()
	a := authority{directory: fmt.Sprintf("https://127.0.0.1:%d/dir", api), cert: filepath.Join(dir, "cert.pem"), roots: x509.NewCertPool()}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/roots/0", management))
		if err == nil {
			root, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if a.roots.AppendCertsFromPEM(root) {
				return a
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("Pebble does not start: %v", err)
		}
	}
}

// TestCertificates runs a server that gets a certificate from an authority, keeps it over a
// restart, and renews it before it expires.
func TestCertificates(t *testing.T) {
	httpPort, httpsPort := freePort(t), freePort(t)
	ca := startPebble(t, httpPort, httpsPort)
	t.Setenv("SSL_CERT_FILE", ca.cert)
	dir := t.TempDir()
	start := func() *process {
		t.Helper()
		return serve(t, dir, "--domain", domain, "--acme-directory", ca.directory,
			"--https-addr", fmt.Sprint("127.0.0.1:", httpsPort), "--http-addr", fmt.Sprint("127.0.0.1:", httpPort))
	}
	// shown returns the certificate that a client gets, or an error if the
	// authority did not issue it.
	shown := func() (*x509.Certificate, error) {
		c, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", httpsPort), &tls.Config{ServerName: domain, RootCAs: ca.roots})
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0], nil
	}

	p := start()
	if p.url != "https://"+domain {
		t.Errorf("got address %s", p.url)
	}
	first, err := shown()
	if err != nil {
		p.stop(syscall.SIGTERM)
		t.Fatalf("%v\n%s", err, p.log)
	}
	client := &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{ServerName: domain, RootCAs: ca.roots},
			ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, fmt.Sprint("127.0.0.1:", httpsPort))
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Post("https://"+domain+"/register/", "application/json", strings.NewReader(`{"username":"user1","password":"pass123"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 201 || resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") != "max-age=31536000" {
		t.Errorf("got %d over %s with HSTS %q", resp.StatusCode, resp.Proto, resp.Header.Get("Strict-Transport-Security"))
	}
	resp, err = client.Get("https://" + domain + "/")
	if err != nil {
		t.Fatal(err)
	}
	links, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.HasPrefix(string(links), `{"vehicles":"https://`+domain+`/vehicles/"`) {
		t.Errorf("got %s", links)
	}
	client.CloseIdleConnections()
	// For another name, the server has no certificate. It redirects plain HTTP.
	if _, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", httpsPort), &tls.Config{ServerName: "evil.example", InsecureSkipVerify: true}); err == nil {
		t.Error("the server has a certificate for another name")
	}
	plain := &http.Client{CheckRedirect: client.CheckRedirect}
	for host, want := range map[string]string{domain: domain, "evil.example": domain} {
		req, err := http.NewRequest("POST", fmt.Sprintf("http://127.0.0.1:%d/vehicles/?limit=1", httpPort), strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := plain.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want := fmt.Sprintf("https://%s:%d/vehicles/?limit=1", want, httpsPort); resp.StatusCode != 308 || resp.Header.Get("Location") != want {
			t.Errorf("%s: got %d to %s, want 308 to %s", host, resp.StatusCode, resp.Header.Get("Location"), want)
		}
	}
	p.stop(syscall.SIGTERM)
	if got := files(t, dir); got != "onenow.db" {
		t.Errorf("got files %s, want onenow.db alone", got)
	}

	p = start()
	second, err := shown()
	if err != nil {
		t.Fatal(err)
	}
	if second.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Error("a restart orders another certificate")
	}
	p.stop(syscall.SIGTERM)

	// Replace the stored certificate with one that expires in five days.
	cert, key := selfSigned(t, domain, 5*24*time.Hour)
	pool, err := sql.Open("sqlite", filepath.Join(dir, "onenow.db"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := pool.Exec("UPDATE certificates SET data = ? WHERE name = ?", append(key, cert...), domain)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := res.RowsAffected(); n != 1 {
		t.Fatalf("got %d stored certificates for %s, want 1", n, domain)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	start()
	if _, err := shown(); err == nil {
		t.Error("the server does not use the replaced certificate")
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		third, err := shown()
		if err == nil && third.SerialNumber.Cmp(first.SerialNumber) != 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the certificate is not renewed: %v", err)
		}
	}
}
