package main

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// config is the configuration that a source has in Vantiq.
type config struct {
	File struct {
		Directories []directoryConfig `json:"directories,omitempty" jsonschema:"the directories to watch"`
		Out         *outConfig        `json:"out,omitempty" jsonschema:"where published messages become files; without it they are refused"`
	} `json:"fileConfig"`
}

type directoryConfig struct {
	Path    string `json:"path" jsonschema:"the directory; it may come and go"`
	Pattern string `json:"pattern" default:"*" jsonschema:"names of the files to read, like *.csv; * and ? and [a-z] stand for other characters. A name that begins with a dot never matches"`
	formatConfig

	Settle time.Duration `json:"settle" default:"2s" jsonschema:"a file is complete when it has not grown for so long; 0s if files are renamed into the directory when they are complete"`
	Marker string        `json:"marker,omitempty" jsonschema:"instead of settle: a file is complete when there is another one with this at the end of its name, like .ready"`
	Follow bool          `json:"follow" default:"false" jsonschema:"read lines as they are appended, for ever; such a file is never complete and never moved"`
	Order  string        `json:"order" default:"name" enum:"name,modified" jsonschema:"which of several complete files comes first; followed files are always read by time of modification"`

	RowsPerEvent int           `json:"rowsPerEvent" default:"100" jsonschema:"the most rows in one event"`
	EventBytes   int           `json:"eventBytes" default:"100000" jsonschema:"the most bytes of rows in one event, and of a single row"`
	MaxDelay     time.Duration `json:"maxDelay" default:"200ms" jsonschema:"how long what has been written waits for more"`
	Scan         time.Duration `json:"scan" default:"10s" jsonschema:"how often the directory is looked through, for what the file system has not told, as network file systems do not"`

	Done   string `json:"done" default:"done" jsonschema:"where a file goes when Vantiq has acknowledged all of it: a directory on the same file system, relative to path"`
	Failed string `json:"failed,omitempty" jsonschema:"where it goes instead if rows of it were wrong or refused, with a file beside it that says which; default: as done"`
	Delete bool   `json:"delete" default:"false" jsonschema:"delete a file instead of moving it to done"`
}

type formatConfig struct {
	Format string    `json:"format" default:"csv" enum:"csv,jsonl" jsonschema:"csv, or jsonl for a JSON object on each line"`
	CSV    csvConfig `json:"csv,omitempty"`
}

type csvConfig struct {
	Delimiter string            `json:"delimiter" default:"," jsonschema:"the character between two fields"`
	Quotes    bool              `json:"quotes" default:"true" jsonschema:"whether a field may stand in double quotes, with delimiters, line breaks and doubled quotes in it"`
	Columns   []string          `json:"columns,omitempty" jsonschema:"the names of the columns of a file without a header; default: the first row has them"`
	Types     map[string]string `json:"types,omitempty" jsonschema:"columns that are not text: number or boolean; an empty field is null then"`
}

// maxEventBytes leaves room in the largest message that Vantiq takes for what is put around the rows.
const maxEventBytes = 200_000

// Validate reports what the types and tags of the fields cannot say.
func (c *config) Validate() error {
	var problems []error
	if len(c.File.Directories) == 0 && c.File.Out == nil {
		problems = append(problems, errors.New("fileConfig: there is nothing to do, name directories or out"))
	}
	seen := map[string]bool{}
	for i := range c.File.Directories {
		d := &c.File.Directories[i]
		report := func(member, format string, args ...any) {
			problems = append(problems, fmt.Errorf("fileConfig.directories[%d].%s: %s", i, member, fmt.Sprintf(format, args...)))
		}
		d.check(report)
		if key := d.key(); seen[key] {
			report("pattern", "%q is there twice for %s", d.Pattern, d.Path)
		} else {
			seen[key] = true
		}
	}
	if out := c.File.Out; out != nil && !isDelimiter(out.Delimiter) {
		problems = append(problems, fmt.Errorf("fileConfig.out.delimiter: %q is not one character that can stand between fields", out.Delimiter))
	}
	return errors.Join(problems...)
}

func (d *directoryConfig) check(report func(member, format string, args ...any)) {
	d.Path = filepath.Clean(d.Path)
	if _, err := path.Match(d.Pattern, ""); err != nil || d.Pattern == "" || strings.ContainsAny(d.Pattern, `/\`) {
		report("pattern", "%q is not a pattern of names, write it like *.csv", d.Pattern)
	}
	if d.Settle < 0 {
		report("settle", "%v is less than 0s", d.Settle)
	}
	if d.Follow && (d.Marker != "" || d.Delete || d.Failed != "") {
		report("follow", "a followed file is never complete: leave marker, delete and failed out")
	}
	if strings.ContainsAny(d.Marker, `/\`) {
		report("marker", "%q is not the end of a name", d.Marker)
	}
	if d.RowsPerEvent < 1 {
		report("rowsPerEvent", "%d is less than 1", d.RowsPerEvent)
	}
	if d.EventBytes < 100 || d.EventBytes > maxEventBytes {
		report("eventBytes", "%d is not from 100 to %d", d.EventBytes, maxEventBytes)
	}
	if d.MaxDelay < 0 {
		report("maxDelay", "%v is less than 0s", d.MaxDelay)
	}
	if d.Scan < time.Millisecond {
		report("scan", "%v is less than 1ms", d.Scan)
	}
	for member, where := range map[string]string{"done": d.Done, "failed": d.Failed} {
		if member == "done" && where == "" || where != "" && d.within(where) == d.Path {
			report(member, "%q is not another directory than path", where)
		}
	}
	d.formatConfig.check(report)
}

func (f *formatConfig) check(report func(member, format string, args ...any)) {
	if !isDelimiter(f.CSV.Delimiter) {
		report("csv.delimiter", "%q is not one character that can stand between fields", f.CSV.Delimiter)
	}
	if problem := wrongColumns(f.CSV.Columns); problem != "" {
		report("csv.columns", "%s", problem)
	}
	for _, column := range slices.Sorted(maps.Keys(f.CSV.Types)) {
		if kind := f.CSV.Types[column]; kind != "number" && kind != "boolean" {
			report("csv.types["+column+"]", "%q is neither number nor boolean", kind)
		}
		if f.CSV.Columns != nil && !slices.Contains(f.CSV.Columns, column) {
			report("csv.types["+column+"]", "there is no such column")
		}
	}
}

func isDelimiter(text string) bool {
	delimiter, size := utf8.DecodeRuneInString(text)
	return size > 0 && size == len(text) && delimiter != utf8.RuneError && !strings.ContainsRune("\"\r\n", delimiter)
}

// wrongColumns says what is wrong with names of columns, or nothing.
func wrongColumns(names []string) string {
	for i, name := range names {
		if name == "" {
			return fmt.Sprintf("column %d has no name", i+1)
		}
		if slices.Contains(names[:i], name) {
			return fmt.Sprintf("two columns are called %q", name)
		}
	}
	return ""
}

// key tells the watched directories of a source apart.
func (d *directoryConfig) key() string { return d.Path + " " + d.Pattern }

// within returns a directory that may be relative to the watched one.
func (d *directoryConfig) within(directory string) string {
	if filepath.IsAbs(directory) {
		return filepath.Clean(directory)
	}
	return filepath.Join(d.Path, directory)
}

// matches reports whether a file of that name is to be read.
func (d *directoryConfig) matches(name string) bool {
	if strings.HasPrefix(name, ".") || d.Marker != "" && strings.HasSuffix(name, d.Marker) {
		return false
	}
	matches, _ := path.Match(d.Pattern, name) // Validate has checked the pattern
	return matches
}
