package dashboard

// ServeAt serves at a listener of a test's own.
var ServeAt = serve
