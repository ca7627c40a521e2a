// Package scaffold writes the project of a new connector: a Go module that builds, runs and is tested as it is, and what it
// is deployed with. Its files are those below template, where {{.Name}} and the like stand for names.
package scaffold

import (
	"cmp"
	"strings"
)

// A Project is a connector to be written. New makes it.
type Project struct {
	Name   string // of the directory, the program, the image and the Kubernetes objects, like door-connector
	Module string // the path of its Go module, like example.com/door-connector
	SDK    SDK    // what it requires

	Source string // its source in Vantiq, like DoorSource
	Type   string // the type of its source, like DOOR
	Config string // the member that a source's configuration has by custom, like doorConfig
	Prefix string // what the codes of its errors begin with, like door
}

// New returns the project of that name, or an error that says what is wrong with a name, and what it should be like. An empty
// module is called like the project, and an empty source is named after it. SDK is left to the caller.
func New(name, module, source string) (Project, error) {
	if err := checkName(name); err != nil {
		return Project{}, err
	}
	words := strings.Split(strings.TrimSuffix(name, "-connector"), "-")
	camel := ""
	for _, word := range words {
		camel += strings.ToUpper(word[:1]) + word[1:]
	}
	prefix := words[0] + camel[len(words[0]):]
	p := Project{
		Name:   name,
		Module: cmp.Or(module, name),
		Source: cmp.Or(source, camel+"Source"),
		Type:   strings.ToUpper(strings.Join(words, "_")),
		Config: prefix + "Config",
		Prefix: prefix,
	}
	if err := checkSource(p.Source); err != nil {
		return Project{}, err
	}
	return p, checkModule(p.Module)
}
