package auth

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// docs/security.md shows the table, and what it says of limits.
func TestTheDocsShowWhoMayCallWhat(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| service, method | user | worker | controller | admin |\n|---|---|---|---|---|\n")
	for _, r := range access {
		name := r.service
		if r.method != "" {
			name += "/" + r.method
		}
		fmt.Fprintf(&table, "| `%s` |", strings.TrimPrefix(name, "iris.v1."))
		for _, role := range []Role{User, Worker, Controller, Admin} {
			cell := " "
			if slices.Contains(r.roles, role) {
				cell = " yes "
			}
			table.WriteString(cell + "|")
		}
		table.WriteString("\n")
	}
	if !strings.Contains(string(page), table.String()+"\n") {
		t.Errorf("docs/security.md does not have this table:\n%s", table.String())
	}
	for _, limit := range []struct {
		rate Rate
		row  string
	}{
		{DefaultRates[User], "| calls of one user or administrator | %s a second, %s at once |"},
		{DefaultRates[Admin], "| calls of one user or administrator | %s a second, %s at once |"},
		{DefaultRates[Worker], "| calls with one worker credential | %s a second, %s at once |"},
		{anonymous, "| open health checks, all together | %s a second, %s at once |"},
	} {
		if row := fmt.Sprintf(limit.row, thousands(int(limit.rate.PerSecond)), thousands(limit.rate.Burst)); !strings.Contains(string(page), row) {
			t.Errorf("docs/security.md does not have the row %s", row)
		}
	}
	if row := fmt.Sprintf("| callers that are remembered | %s;", thousands(2*maxCallers)); !strings.Contains(string(page), row) {
		t.Errorf("docs/security.md does not have the row %s", row)
	}
	if row := fmt.Sprintf("| refused calls on a connection | %s, then", thousands(maxRefusals)); !strings.Contains(string(page), row) {
		t.Errorf("docs/security.md does not have the row %s", row)
	}
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d %03d", n/1000, n%1000)
}
