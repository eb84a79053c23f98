package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"iris/iris/auth"
	"iris/iris/settings"
)

func newAuth(a *app) *cobra.Command {
	return newGroup("auth", "Make and revoke credentials",
		newAuthInit(a), newAuthIssue(a), newAuthToken(a), newAuthTokens(a), newAuthRevoke(a))
}

// secrets is the directory where a cluster's authority and tokens are.
type secrets struct{ dir string }

func (s *secrets) add(c *cobra.Command) {
	s.dir = "secrets"
	settings.Var(c.Flags(), &s.dir, "dir", "the directory of the cluster's authority and tokens",
		settings.Text("directory"))
}

func (s *secrets) tokens() string { return filepath.Join(s.dir, "tokens") }

func newAuthInit(a *app) *cobra.Command {
	s, options := secrets{}, auth.Options{Hosts: auth.DefaultHosts, Valid: 365 * 24 * time.Hour}
	c := &cobra.Command{
		Use:   "init",
		Short: "Make an authority, and a certificate and a token for each role",
		Args:  arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			made, err := auth.Init(s.dir, options)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, strings.TrimSpace(made.String()))
			return err
		},
	}
	s.add(c)
	settings.ListVar(c.Flags(), &options.Hosts, "host", "a name or address by which controllers are reached", ",",
		settings.Text("name"))
	settings.ListVar(c.Flags(), &options.Workers, "worker", "a worker's id: it gets credentials that are good for it alone; "+
		"none: one credential for all workers", ",", settings.Text("id"))
	settings.Var(c.Flags(), &options.Valid, "valid", "how long certificates are good", settings.Duration(time.Minute))
	settings.Var(c.Flags(), &options.TokensValid, "tokens-valid", "how long tokens are good; unset, until they are revoked",
		settings.Duration(time.Minute))
	return c
}

func newAuthIssue(a *app) *cobra.Command {
	s, request := secrets{}, auth.Request{Valid: 365 * 24 * time.Hour}
	c := &cobra.Command{
		Use:       "issue ROLE",
		Short:     "Make one more certificate, or renew one",
		Long:      "Make one more certificate, or renew one. " + rolesText(),
		Args:      arguments(1, 1, "a role"),
		ValidArgs: roles(),
		RunE: func(_ *cobra.Command, args []string) error {
			role, err := auth.ParseRole(args[0])
			if err != nil {
				return usageError{err}
			}
			request.Role = role
			made, err := auth.Issue(s.dir, request)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, strings.TrimSpace(made.String()))
			return err
		},
	}
	s.add(c)
	settings.Var(c.Flags(), &request.Name, "name", "the worker's id that it is bound to, or whose it is",
		settings.Text("name"))
	settings.ListVar(c.Flags(), &request.Hosts, "host", "a name or address by which its owner is reached", ",",
		settings.Text("name"))
	settings.Var(c.Flags(), &request.Valid, "valid", "how long it is good", settings.Duration(time.Minute))
	settings.Var(c.Flags(), &request.Replace, "replace", "renew one that is there", settings.Bool())
	return c
}

func newAuthToken(a *app) *cobra.Command {
	s, name, valid := secrets{}, "", time.Duration(0)
	c := &cobra.Command{
		Use:   "token ROLE",
		Short: "Make a token, and write it to standard output",
		Long: "Make a token, and write it to standard output: nowhere else is it kept. Servers take it as soon as they have read the " +
			"tokens file again, within a second. " + rolesText(),
		Example:   "  (umask 077; iris auth token user --name ann > ann.token)",
		Args:      arguments(1, 1, "a role"),
		ValidArgs: roles(),
		RunE: func(_ *cobra.Command, args []string) error {
			role, err := auth.ParseRole(args[0])
			if err != nil {
				return usageError{err}
			}
			token, secret, err := auth.AddToken(s.tokens(), role, name, valid)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.err, "iris: token %s (%s) is good where %s is the --tokens-file\n", token.ID, role, s.tokens())
			_, err = fmt.Fprintln(a.out, secret)
			return err
		},
	}
	s.add(c)
	settings.Var(c.Flags(), &name, "name", "the worker's id that it is bound to, or the user's name",
		settings.Text("name"))
	settings.Var(c.Flags(), &valid, "valid", "how long it is good; unset, until it is revoked",
		settings.Duration(time.Minute))
	return c
}

func newAuthTokens(a *app) *cobra.Command {
	s := secrets{}
	c := &cobra.Command{
		Use:   "tokens",
		Short: "List the tokens that are good",
		Args:  arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			tokens, err := auth.Tokens(s.tokens())
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tROLE\tNAME\tCREATED\tEXPIRES")
			for _, t := range tokens {
				expires := "never"
				if !t.Expires.IsZero() {
					expires = t.Expires.UTC().Format(time.DateTime)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.ID, t.Role, t.Name, t.Created.UTC().Format(time.DateTime), expires)
			}
			return w.Flush()
		},
	}
	s.add(c)
	return c
}

func newAuthRevoke(a *app) *cobra.Command {
	s := secrets{}
	c := &cobra.Command{
		Use:   "revoke TOKEN-ID…",
		Short: "Revoke tokens",
		Long: "Revoke tokens, by the ids that `iris auth tokens` lists. Servers refuse them within about a second. A certificate is " +
			"revoked by writing its serial number into the file that servers have as --revoked-file.",
		Args: arguments(1, -1, "the ids of tokens; `iris auth tokens` lists them"),
		RunE: func(_ *cobra.Command, args []string) error {
			gone, err := auth.Revoke(s.tokens(), args...)
			if err != nil {
				return err
			}
			for _, t := range gone {
				fmt.Fprintf(a.out, "token %s (%s) is revoked\n", t.ID, strings.TrimSpace(string(t.Role)+" "+t.Name))
			}
			return nil
		},
	}
	s.add(c)
	c.ValidArgsFunction = func(_ *cobra.Command, _ []string, begun string) (offers []string, _ cobra.ShellCompDirective) {
		tokens, err := auth.Tokens(s.tokens())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for _, t := range tokens {
			if strings.HasPrefix(t.ID, begun) {
				offers = append(offers, cobra.CompletionWithDesc(t.ID, strings.TrimSpace(string(t.Role)+" "+t.Name)))
			}
		}
		return offers, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

func roles() []string {
	var words []string
	for _, r := range auth.Roles {
		words = append(words, string(r))
	}
	return words
}

func rolesText() string { return "ROLE is one of " + strings.Join(roles(), ", ") + "." }
