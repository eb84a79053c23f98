// Package dashboard shows a cluster in a browser, and lets a viewer stop jobs and break things on purpose.
//
//	d, err := dashboard.Serve(dashboard.Config{Address: "127.0.0.1:7080", Conn: conn, Cluster: "iris", Controller: "c-0"})
//	…
//	err = d.Close()
//
// It is a client of the controllers like any other: it asks them over gRPC, with the credentials of whoever looks. So what a
// viewer may see and do is decided where it is decided for everybody, by the table in iris/auth, and a refusal is shown in
// the words of that. A viewer shows a token on the login page; it is kept in a cookie of the browser, and nowhere else.
//
// # How a page is made
//
// Pages are html/template and work without JavaScript. A page that is open in a browser with JavaScript also follows a stream
// of server-sent events, which brings the page's main part anew when it has changed. Server-sent events are plain HTTP in one
// direction, which is all that is needed, and a browser repeats them by itself when a connection ends; a WebSocket would
// want a protocol of its own on top. That the server renders both, the page and its news, keeps the pages in one language and
// in one place.
//
// # Guarantees
//
//   - However many viewers a page has, its content is asked for once a second for all of them that show the same credential;
//     nothing is asked for that nobody looks at.
//   - A reader that does not keep up misses news in between, and is let go when it takes none for ten seconds. Viewers, rows,
//     forms, and the life of a stream are bounded.
//   - Nothing changes by GET. A POST from a page of another origin is refused.
//   - A page loads nothing from elsewhere, runs no script but its own file, and is in nobody's frame.
//   - Without credentials nobody but this machine reaches it; with them, nobody else in the clear.
//   - Nothing of it runs once Close returns.
package dashboard
