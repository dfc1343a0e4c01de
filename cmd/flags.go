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

// fromEnv marks a flag that a variable of the environment has set.
const fromEnv = "environment"

// setFlagsFromEnv sets the flags that are not on the command line from
// variables like ONENOW_LOG_FORMAT. An empty variable has no effect.
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

// envName returns the name of the variable that sets a flag.
func envName(flag string) string {
	return "ONENOW_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// source returns what has set a flag, "--addr" or "ONENOW_ADDR", or "" if it has
// its default.
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

// checkArgs refuses a control character in an argument or a flag's value.
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

// checkText refuses a control character in a text, like the carriage return
// that the end of a line has on Windows, and an invisible character, like the byte
// order mark at the beginning of a file. source is where the text is from.
func checkText(source, text string) error {
	if strings.ContainsFunc(text, isInvisible) {
		return fmt.Errorf("%s is %q, which has an invisible character: remove that character", source, text)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("%s is %q, which has a control character (the end of a line is one): remove that character", source, text)
	}
	return nil
}

// isInvisible reports whether r is a format character. The joiners are not meant,
// because Urdu is written with them.
func isInvisible(r rune) bool { return unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' }

// checkQuotes refuses quotes around the value of a variable. A shell removes them;
// Docker's --env-file and others do not.
func checkQuotes(name, value string) error {
	if n := len(value); n > 1 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'') {
		return fmt.Errorf("%s is %s, and its quotes are a part of it: remove the quotes", name, value)
	}
	return nil
}

// checkValues refuses an empty value on the command line for a flag that has none
// unless it is given: a script's variable may be empty, and the flag would have no
// effect.
func checkValues(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && f.Value.String() == f.DefValue && (f.DefValue == "" || f.DefValue == "[]") {
			err = fmt.Errorf("--%s is empty, which has no effect: give it a value, or remove it", f.Name)
		}
	})
	return err
}

// flagError returns our error for an error of the command line's parser.
func flagError(_ *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return valueError("--"+invalid.GetFlag().Name, invalid.GetValue(), invalid.GetFlag())
	}
	return err
}

// valueError returns the error for a value that a flag does not take. source is
// where the value is from.
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
	return errors.New("not one of the words")
}

// oneArg refuses less or more than one argument. what is what the argument
// says, and hint, if not empty, says more about further arguments.
func oneArg(what, hint string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return fmt.Errorf("%s is missing: write onenow %s", what, cmd.Use)
		case len(args) > 1:
			return tooMany(cmd, len(args), what, hint)
		}
		return nil
	}
}

// atMostOneArg refuses more than one argument, as oneArg does.
func atMostOneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return tooMany(cmd, len(args), what, "")
		}
		return nil
	}
}

// tooMany does not repeat the arguments: one may be a password.
func tooMany(cmd *cobra.Command, n int, what, hint string) error {
	return fmt.Errorf("%s takes one argument, %s, but %d are given: write onenow %s, with quotes around an argument that has spaces%s", cmd.Name(), what, n, cmd.Use, hint)
}
