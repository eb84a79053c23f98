// Package provision carries out what is decided about slices: it has them created, listed and terminated, each behind a
// chaos site.
package provision
