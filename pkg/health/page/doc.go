// Package page is the status page of a process: one document with its style and script, and
// graphs drawn so that it says the same with and without scripts.
//
// Draw each graph by [Draw], make the page by [Document] and answer with it by [Write]. What
// the page says in words is the view that package health makes.
package page
