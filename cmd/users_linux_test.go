package cmd_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal starts a command on a new terminal and returns the controlling side of the
// terminal.
func terminal(t *testing.T, dir string, args ...string) (*exec.Cmd, *os.File) {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { ptmx.Close() })
	if err := unix.IoctlSetPointerInt(int(ptmx.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ptmx.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, ptmx
}

// TestPasswordPrompt types passwords on a terminal, which does not show them.
func TestPasswordPrompt(t *testing.T) {
	for name, c := range map[string]struct {
		first, again string
		code         int
		want         string
	}{
		"the same":    {"pass123\n", "pass123\n", 0, `created user "shop"`},
		"two":         {"pass123\n", "pass124\n", 1, "the two passwords differ"},
		"none":        {"\n", "\n", 1, "Password is required."},
		"interrupted": {"pass123\n", "\x03", 1, "interrupted: nothing was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, tty := terminal(t, t.TempDir(), "create-user", "shop")
			out := bufio.NewReader(tty)
			var seen strings.Builder
			until := func(text string) {
				t.Helper()
				for !strings.HasSuffix(seen.String(), text) {
					b, err := out.ReadByte()
					if err != nil {
						t.Fatalf("%v after %q", err, seen.String())
					}
					seen.WriteByte(b)
				}
			}
			until("Password: ")
			tty.WriteString(c.first)
			until("The same again: ")
			tty.WriteString(c.again)
			until(c.want)
			_ = cmd.Wait() // the exit code is checked below
			if got := cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("got exit code %d, want %d", got, c.code)
			}
			if strings.Contains(seen.String(), "pass12") {
				t.Errorf("the terminal shows a password: %q", seen.String())
			}
		})
	}
}
