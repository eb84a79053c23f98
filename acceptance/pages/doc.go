// Package pages is what the pages that Iris writes and serves promise, as specs in a real browser, and the pictures of them
// in the documentation. They run with make browser and make screenshots, where there is a Chromium.
package pages
