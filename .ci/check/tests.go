package main

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

var (
	testName = regexp.MustCompile("`([a-z][a-z/-]*)\\.((?:Test|Fuzz|Example)\\w*)[^`]*`")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)
)

// findUnknownTests reports tests that the documents name, as `package.TestName` or `package.TestName/case`, and that do not
// exist.
func findUnknownTests(files map[string]string) (problems []string) {
	known := map[string]bool{}
	for name, text := range files {
		if strings.HasSuffix(name, "_test.go") {
			for _, match := range testFunc.FindAllStringSubmatch(text, -1) {
				known[path.Base(path.Dir(name))+"."+match[1]] = true
			}
		}
	}
	for name, text := range files {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		for _, match := range testName.FindAllStringSubmatch(text, -1) {
			if test := path.Base(match[1]) + "." + match[2]; !known[test] {
				problems = append(problems, fmt.Sprintf("%s: there is no test %s", name, test))
			}
		}
	}
	return problems
}
