package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"onenow/auth"
)

// readPasswordHash reads a password, checks it, and returns its hash.
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

// readPassword asks for a password twice if standard input is a terminal.
// Otherwise it returns the first line of standard input.
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
		line = strings.TrimPrefix(line, "\ufeff") // some editors write a byte order mark
		return strings.TrimRight(line, "\r\n"), nil
	})
}

// askPassword asks for a password twice, without echo. It returns
// errInterrupted when ctx is cancelled or the user types Ctrl-C.
func askPassword(ctx context.Context, terminal *os.File, out io.Writer) (string, error) {
	// Raw mode begins before the prompt, so that early typing is not echoed.
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
			return "", errors.New("the two passwords differ: nothing was changed; run the command again")
		}
		return first, nil
	})
}

// untilDone calls read and returns its result, or errInterrupted if ctx is cancelled
// first.
func untilDone(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return "", errInterrupted
	}
}
