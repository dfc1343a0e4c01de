package cmd

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// addDBFlag adds the flag --db, which every command has.
func addDBFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "db", "onenow.db", "the database file")
}

// fromEnv is the annotation of a flag that an environment variable has set.
const fromEnv = "environment"

// setFlagsFromEnv sets the flags that are not on the command line from environment
// variables such as ONENOW_LOG_FORMAT. An empty variable has no effect.
func setFlagsFromEnv(cmd *cobra.Command) (err error) {
	flags := cmd.Flags()
	flags.VisitAll(func(f *pflag.Flag) {
		name := envName(f.Name)
		value := os.Getenv(name)
		if value == "" || f.Changed || f.Name == "help" || err != nil {
			return
		}
		if err = checkText(name, value); err == nil {
			err = checkQuotes(name, value)
		}
		if err != nil {
			return
		}
		if flags.Set(f.Name, value) != nil {
			err = valueError(name, value, f)
			return
		}
		err = flags.SetAnnotation(f.Name, fromEnv, []string{name})
	})
	return err
}

// envName returns the name of the environment variable of a flag.
func envName(flag string) string {
	return "ONENOW_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// source returns the name of the source of a flag's value, such as "--addr" or
// "ONENOW_ADDR", or "" if the flag has its default.
func source(cmd *cobra.Command, flag string) string {
	f := cmd.Flags().Lookup(flag)
	switch {
	case !f.Changed:
		return ""
	case f.Annotations[fromEnv] != nil:
		return f.Annotations[fromEnv][0]
	}
	return "--" + flag
}

// checkArgs returns an error if an argument or a flag's value has a control character.
func checkArgs(args []string) error {
	for i, arg := range args {
		source := "an argument"
		if flag, value, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(flag, "--") {
			source, arg = "the value of "+flag, value
		} else if i > 0 && strings.HasPrefix(args[i-1], "--") && !strings.Contains(args[i-1], "=") {
			source = "the value of " + args[i-1]
		}
		if err := checkText(source, arg); err != nil {
			return err
		}
	}
	return nil
}

// checkText returns an error if a text has a control character, such as the carriage
// return at the end of a line of a Windows file, or an invisible character, such as the
// byte order mark at the beginning of a file. source names the origin of the text.
func checkText(source, text string) error {
	if strings.ContainsFunc(text, isInvisible) {
		return fmt.Errorf("%s is %q, which has an invisible character: remove that character", source, text)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("%s is %q, which has a control character (the end of a line is one): remove that character", source, text)
	}
	return nil
}

// isInvisible reports whether r is a format character, other than the joiners, with which
// Urdu is written.
func isInvisible(r rune) bool { return unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' }

// checkQuotes returns an error if the value of a variable is in quotes. A shell removes
// them; Docker's --env-file and others do not.
func checkQuotes(name, value string) error {
	if n := len(value); n > 1 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'') {
		return fmt.Errorf("%s is %s, and its quotes are a part of it: remove the quotes", name, value)
	}
	return nil
}

// checkValues returns an error if a flag on the command line is empty and has no default.
// The flag would have no effect: the variable of a script may have been empty.
func checkValues(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && f.Value.String() == f.DefValue && (f.DefValue == "" || f.DefValue == "[]") {
			err = fmt.Errorf("--%s is empty, which has no effect: give it a value, or remove it", f.Name)
		}
	})
	return err
}

// flagError turns an error of the command line's parser into an error that says what to
// write.
func flagError(_ *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return valueError("--"+invalid.GetFlag().Name, invalid.GetValue(), invalid.GetFlag())
	}
	return err
}

// valueError returns the error for an invalid value of a flag. source names the origin of
// the value.
func valueError(source, value string, f *pflag.Flag) error {
	want := map[string]string{
		"bool":     "true or false",
		"int":      "a whole number like 1024",
		"duration": "a time like 24h or 90m",
	}[f.Value.Type()]
	switch v := f.Value.(type) {
	case *oneOf:
		want = strings.Join(v.words, " or ")
	case pflag.SliceValue:
		want = "values with commas between them and no quotes"
	}
	return fmt.Errorf("%s is %q: write %s", source, value, want)
}

// oneOf is the value of a flag that accepts only a few words.
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
	return errors.New("not one of the words")
}

// oneArg returns an error unless there is exactly one argument. The error describes the
// argument with the text argument. If there are too many arguments, the error ends with
// hint.
func oneArg(argument, hint string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return fmt.Errorf("%s is missing: write onenow %s", argument, cmd.Use)
		case len(args) > 1:
			return tooMany(cmd, len(args), argument, hint)
		}
		return nil
	}
}

// atMostOneArg returns an error if there is more than one argument. The error describes
// the argument with the text argument.
func atMostOneArg(argument string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return tooMany(cmd, len(args), argument, "")
		}
		return nil
	}
}

// tooMany returns the error for n arguments in place of one. It does not print them: one
// may be a password.
func tooMany(cmd *cobra.Command, n int, argument, hint string) error {
	return fmt.Errorf("%s takes one argument, %s, but %d are given: write onenow %s, with quotes around an argument that has spaces%s", cmd.Name(), argument, n, cmd.Use, hint)
}
