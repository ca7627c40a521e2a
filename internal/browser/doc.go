// Package browser drives the page of vantiqdev's console in a real browser. It has tests only, and a module of its own for
// what drives the browser.
//
// The tests need Chromium, from Debian's package of that name or wherever CHROMIUM says. Without it they are skipped, unless
// SYSTEMS=required. With SCREENSHOTS=DIRECTORY they leave pictures there; CONSOLE_LOAD=1m makes the load test last a minute.
package browser
