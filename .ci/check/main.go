// Check looks for what neither the compiler nor a linter sees, in the directory it is run in:
//
//   - links in Markdown files that lead nowhere
//   - names of one machine: paths, and the hosts that its tools fetch from
//   - properties of server.config that docs/configuration.md does not describe, or describes with another default
//   - exported constants and variables without a comment
//   - tests that the documents name and that do not exist
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	problems, err := check()
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		os.Exit(2)
	}
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

func check() (problems []string, err error) {
	files, err := readTree(".")
	if err != nil {
		return nil, err
	}
	machine, err := machineNames()
	if err != nil {
		return nil, err
	}
	for _, name := range sortedNames(files) {
		text := files[name]
		problems = append(problems, findMachine(name, text, machine)...)
		switch {
		case strings.HasSuffix(name, ".md"):
			problems = append(problems, findDeadLinks(name, files)...)
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			undocumented, err := findUndocumented(name, text)
			if err != nil {
				return nil, err
			}
			problems = append(problems, undocumented...)
		}
	}
	problems = append(problems, findUnknownTests(files)...)
	return append(problems, compareProperties(files["serverConfig/server.config"], files["docs/configuration.md"])...), nil
}

// readTree returns the text files below root by their names, without what git keeps and what is built.
func readTree(root string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || name == "bin"):
			return filepath.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(name)
		if err == nil && !strings.ContainsRune(string(text), 0) {
			files[filepath.ToSlash(name)] = string(text)
		}
		return err
	})
	return files, err
}

func sortedNames(files map[string]string) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// machineNames matches directories that only one machine has, and the hosts that modules come from on this one.
func machineNames() (*regexp.Regexp, error) {
	names := []string{`/(?:root|work|home|Users)/`, `\b(?:proxy|sum)\.golang\b`}
	out, err := exec.Command("go", "env", "GOPROXY", "GOSUMDB").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	for _, word := range strings.FieldsFunc(string(out), func(r rune) bool { return strings.ContainsRune(",| \n", r) }) {
		if _, host, ok := strings.Cut(word, "://"); ok {
			word = host
		}
		if strings.ContainsRune(word, '.') { // not "direct" or "off"
			names = append(names, regexp.QuoteMeta(strings.TrimSuffix(word, "/"))+`\b`)
		}
	}
	return regexp.Compile(strings.Join(names, "|"))
}

// findMachine reports lines that name a machine, but for the patterns in this file.
func findMachine(name, text string, machine *regexp.Regexp) (problems []string) {
	if name == ".ci/check/main.go" {
		return nil
	}
	for i, line := range strings.Split(text, "\n") {
		if found := machine.FindString(line); found != "" {
			problems = append(problems, fmt.Sprintf("%s:%d: names this machine or a registry: %q", name, i+1, found))
		}
	}
	return problems
}

var (
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// findDeadLinks reports relative links of a Markdown file to a file or a heading that does not exist.
func findDeadLinks(name string, files map[string]string) (problems []string) {
	text := code.ReplaceAllString(fence.ReplaceAllString(files[name], ""), "`")
	for _, match := range link.FindAllStringSubmatch(text, -1) {
		if strings.Contains(match[1], "://") {
			continue
		}
		target, anchor, _ := strings.Cut(match[1], "#")
		file := name
		if target != "" {
			file = filepath.Join(filepath.Dir(name), filepath.FromSlash(target))
		}
		if _, err := os.Stat(file); err != nil {
			problems = append(problems, fmt.Sprintf("%s: the link to %s leads nowhere", name, match[1]))
			continue
		}
		if anchor != "" && !slices.Contains(anchors(files[filepath.ToSlash(file)]), anchor) {
			problems = append(problems, fmt.Sprintf("%s: the link to %s leads to no heading", name, match[1]))
		}
	}
	return problems
}

// anchors returns the names that a Markdown file's headings have in links.
func anchors(text string) (names []string) {
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		plain := dropped.ReplaceAllString(strings.ToLower(match[1]), "")
		names = append(names, strings.ReplaceAll(plain, " ", "-"))
	}
	return names
}

var (
	sampleLine = regexp.MustCompile(`(?m)^(#?)([A-Za-z]+)=(.*)$`)
	tableRow   = regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\| ([^|]+) \\| [^|]+ \\|$")
	plainCode  = regexp.MustCompile("^`([^`]*)`$")
)

// compareProperties reports properties that stand in the sample and not in the document, or the other way round, and
// defaults that differ. What is commented out in the sample stands there with its default; what is not plain code in the
// document is told in words.
func compareProperties(sample, document string) (problems []string) {
	described := map[string]string{}
	for _, row := range tableRow.FindAllStringSubmatch(document, -1) {
		described[row[1]] = row[2]
	}
	inSample := map[string]bool{}
	for _, line := range sampleLine.FindAllStringSubmatch(sample, -1) {
		name, value := line[2], line[3]
		inSample[name] = true
		text, ok := described[name]
		if !ok {
			problems = append(problems, fmt.Sprintf("docs/configuration.md: %s is not described", name))
			continue
		}
		if plain := plainCode.FindStringSubmatch(text); plain != nil && line[1] == "#" && plain[1] != value {
			problems = append(problems, fmt.Sprintf("docs/configuration.md: the default of %s is %s there, %s in the sample", name, plain[1], value))
		}
	}
	for name := range described {
		if !inSample[name] {
			problems = append(problems, fmt.Sprintf("docs/configuration.md: %s does not stand in the sample", name))
		}
	}
	return problems
}

// findUndocumented reports exported constants and variables without a comment above them, behind them or above their
// group.
func findUndocumented(name, text string) (problems []string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Doc != nil {
			continue
		}
		for _, spec := range group.Specs {
			value, ok := spec.(*ast.ValueSpec)
			if ok && value.Names[0].IsExported() && value.Doc == nil && value.Comment == nil {
				problems = append(problems, fmt.Sprintf("%v: %s has no comment", files.Position(value.Pos()), value.Names[0]))
			}
		}
	}
	return problems, nil
}
