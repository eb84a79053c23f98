package main

import (
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"iris/iris/settings"
	"iris/iris/view"
)

// outputFlag is how a verb writes what it found.
type outputFlag struct{ form string }

const (
	outputTable = "table"
	outputWide  = "wide"
	outputJSON  = "json"
)

// add declares --output. Only verbs that write tables know wide.
func (f *outputFlag) add(c *cobra.Command, forms ...string) {
	f.form = forms[0]
	usage := "how to write: " + forms[0]
	for i, form := range forms[1:] {
		if i == len(forms)-2 {
			usage += " or " + form
		} else {
			usage += ", " + form
		}
	}
	settings.Var(c.Flags(), &f.form, "output,o", usage, settings.Choice("form", forms...))
	complete(c, "output", forms...)
}

// complete offers words for a flag.
func complete(c *cobra.Command, flag string, words ...string) {
	err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag was declared in the line above
	}
}

func (f *outputFlag) json() bool { return f.form == outputJSON }
func (f *outputFlag) wide() bool { return f.form == outputWide }

// write writes a message as JSON, or calls table with what standard output can do.
func (a *app) write(f *outputFlag, m proto.Message, table func(view.Terminal) error) error {
	if f.json() {
		return view.JSON(a.out, m)
	}
	return table(a.terminal(a.out))
}
