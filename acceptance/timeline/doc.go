// Package timeline is what happened in a run, as data, as text and as a page.
//
// [Facts] are what is known of the story of one cluster: the events of its controller, what went wrong by order, the calls that
// were seen. [Draw] makes a [Timeline] of them, with a lane for each participant. A [Run] has the timelines of many, by scenario,
// and [Write] writes it: index.json for programs, and index.html, which is the same data in one file that needs nothing else.
//
// It is pure but for Write: the same facts are drawn the same way.
package timeline
