package view

// Meaning is what a state, in one word as JobState and the others write it, means to whoever looks: good, busy, waits, bad
// or over. It is empty for a word that is no state. A terminal shows it by colours, a page by shapes as well.
func Meaning(state string) string { return meanings[states[state]] }

var meanings = map[colour]string{green: "good", cyan: "busy", yellow: "waits", red: "bad", grey: "over"}
