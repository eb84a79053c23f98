// Package view writes what a controller says for people, and for programs.
//
// For people: tables that fit the terminal they are written to, from 40 columns up, and a few lines that are redrawn while a
// job runs. For programs: JSON in the form of the wire (protojson, names as in the .proto files, defaults written out), the
// same bytes for the same message.
//
// Nothing here asks anybody anything: functions take messages, the instant and a writer. Texts that came from elsewhere
// (errors, reasons, attributes) are written without control characters, so that none of them can play with a terminal.
// Environment values of jobs are never in the messages this package writes.
package view
