package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"iris/iris/view"
)

// helpWidth is the width of help in a pipe.
const helpWidth = 100

// about marks flags that belong together: help shows them under a title of their own, one of these.
const (
	about            = "iris-about"
	ownFlags         = "Flags"
	reachFlags       = "To reach the controllers"
	credentialsFlags = "Credentials"
)

// groupOnly marks verbs that do nothing without a further one.
const groupOnly = "iris-group"

// group puts flags under a title of their own in the help.
func group(flags *pflag.FlagSet, title string, names ...string) {
	for _, name := range names {
		flag := flags.Lookup(name)
		if flag.Annotations == nil {
			flag.Annotations = map[string][]string{}
		}
		flag.Annotations[about] = []string{title}
	}
}

// help writes what there is to know about a verb, broken to the width of the terminal.
func (a *app) help(c *cobra.Command, _ []string) {
	width := a.terminal(c.OutOrStdout()).Width
	if width == 0 {
		width = helpWidth
	}
	var out strings.Builder
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	out.WriteString(broken(text, width) + "\n\nUsage:\n")
	if !c.HasAvailableSubCommands() || c.LocalFlags().HasAvailableFlags() && c.Annotations[groupOnly] == "" {
		out.WriteString("  " + c.UseLine() + "\n")
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&out, "  %s VERB\n\nVerbs:\n", c.CommandPath())
		for _, verb := range c.Commands() {
			if verb.IsAvailableCommand() {
				label := fmt.Sprintf("  %-*s  ", verb.NamePadding(), verb.Name())
				out.WriteString(view.Paragraph(view.Terminal{Width: width}, label, verb.Short) + "\n")
			}
		}
	}
	if c.HasExample() {
		out.WriteString("\nExamples:\n" + c.Example + "\n")
	}
	out.WriteString(flagsHelp(c, width))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&out, "\n`%s VERB --help` says more about a verb.\n", c.CommandPath())
	}
	_, _ = fmt.Fprint(c.OutOrStdout(), out.String()) // nothing could be said about an error
}

// flagsHelp are the flags of a verb: its own, and then those under titles.
func flagsHelp(c *cobra.Command, width int) string {
	titles, sets := []string{ownFlags, reachFlags, credentialsFlags}, map[string]*pflag.FlagSet{}
	for _, title := range titles {
		sets[title] = pflag.NewFlagSet("", pflag.ContinueOnError)
	}
	add := func(flag *pflag.Flag) {
		title := ownFlags
		if t := flag.Annotations[about]; t != nil {
			title = t[0]
		}
		sets[title].AddFlag(flag)
	}
	c.LocalFlags().VisitAll(add)
	c.InheritedFlags().VisitAll(add)
	var out strings.Builder
	for _, title := range titles {
		if usages := sets[title].FlagUsagesWrapped(width); usages != "" {
			out.WriteString("\n" + title + ":\n" + usages)
		}
	}
	return out.String()
}

// broken breaks a text into lines. A line that is indented stays as it is.
func broken(text string, width int) string {
	var out []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if strings.HasPrefix(paragraph, " ") {
			out = append(out, paragraph)
			continue
		}
		out = append(out, view.Paragraph(view.Terminal{Width: width}, "", strings.ReplaceAll(paragraph, "\n", " ")))
	}
	return strings.Join(out, "\n\n")
}
