package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A row is one of a file, or stands for the end of a file that has none.
type row struct {
	json  []byte   // an object: the row, or what is wrong with it
	wrong *wrong   // nil for a good row
	end   position // behind it, without what makes out the file
}

// wrong is what is told of a row that is wrong.
type wrong struct {
	Row   int64  `json:"row"`
	Line  int64  `json:"line"` // where the row begins
	Error string `json:"error"`
	Text  string `json:"text"` // its beginning
}

func (w *wrong) String() string { return fmt.Sprintf("line %d: %s", w.Line, w.Error) }

// A parser makes a row of a line, and of those behind it that belong to the row, too; it returns the last of them. Io.EOF
// says that the rest is not there yet, any other error what is wrong with the row.
type parser interface {
	parse(first line, lines *lines) (json []byte, last line, err error)
}

// A reader reads the rows of a file. It holds little more than one row.
type reader struct {
	parser parser
	lines  lines
	row    int64
	empty  bool  // there is not even a whole header
	failed error // what is wrong with the file as a whole
}

// newReader returns a reader of what is in the file behind a position.
func newReader(f formatConfig, rowBytes int, follow bool, file *io.SectionReader, from position) (*reader, error) {
	r := &reader{lines: lines{limit: rowBytes, follow: follow}, row: from.Row}
	begin := make([]byte, 3)
	n, err := file.ReadAt(begin, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch begin = begin[:n]; {
	case bytes.HasPrefix(begin, []byte("\xFE\xFF")), bytes.HasPrefix(begin, []byte("\xFF\xFE")):
		r.failed = errors.New("it is UTF-16; only UTF-8 is read")
	case bytes.Equal(begin, []byte("\xEF\xBB\xBF")):
		r.lines.end = 3
	}
	start := r.lines.end
	if err := r.seek(file, start, 0); err != nil {
		return nil, err
	}
	r.parser = jsonLines{}
	if f.Format == "csv" {
		parser := newCSVParser(f.CSV)
		r.parser = parser
		if f.CSV.Columns == nil && r.failed == nil {
			err := parser.readHeader(&r.lines)
			switch {
			case r.lines.err != nil:
				return nil, err
			case errors.Is(err, io.EOF):
				r.empty = true
			case err != nil:
				r.failed = fmt.Errorf("its header: %w", err)
				if err := r.seek(file, start, 0); err != nil {
					return nil, err
				}
			}
		}
	}
	if from.Offset > r.lines.end {
		return r, r.seek(file, from.Offset, from.Line)
	}
	return r, nil
}

// seek goes to an offset, which so many lines are before.
func (r *reader) seek(file *io.SectionReader, offset, line int64) error {
	_, err := file.Seek(offset, io.SeekStart)
	r.lines.in, r.lines.ahead = bufio.NewReaderSize(file, 64<<10), nil
	r.lines.end, r.lines.number = offset, line
	return err
}

// rows returns the rows, the last of them marked as such unless the file is followed. A file without rows yields one that
// is neither JSON nor wrong. An error says why reading has ended before the end.
func (r *reader) rows() iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		var held *row // only the next one tells whether it is the last
		for {
			next, err := r.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if held != nil && !yield(*held, nil) {
				return
			}
			if err != nil {
				yield(row{}, err)
				return
			}
			held = &next
		}
		if !r.lines.follow {
			if held == nil {
				held = &row{}
			}
			held.end = r.position(r.lines.end, r.lines.number)
			held.end.Last = true
		}
		if held != nil {
			yield(*held, nil)
		}
	}
}

// next returns the next row, or io.EOF.
func (r *reader) next() (row, error) {
	if r.empty {
		return row{}, io.EOF
	}
	if r.failed != nil {
		return r.failWhole()
	}
	for {
		first, err := r.lines.next()
		if err != nil {
			return row{}, err
		}
		if first.blank() {
			continue
		}
		text, last, err := r.parse(first)
		if r.lines.err != nil || errors.Is(err, io.EOF) {
			return row{}, err
		}
		r.row++
		end := r.position(last.end, last.number)
		if err != nil {
			return r.wrong(first, err, end), nil
		}
		return row{json: text, end: end}, nil
	}
}

// parse returns the row that begins with a line. If it is wrong, only this line is: what follows is given another chance.
func (r *reader) parse(first line) (text []byte, last line, err error) {
	if first.long {
		return nil, first, r.tooLong()
	}
	text, last, err = r.parser.parse(first, &r.lines)
	if err == nil && len(text) > r.lines.limit {
		err = r.tooLong()
	}
	return text, last, err
}

func (r *reader) tooLong() error {
	return fmt.Errorf("longer than %d bytes, which eventBytes allows", r.lines.limit)
}

// failWhole returns one wrong row that stands for the whole file, and then io.EOF.
func (r *reader) failWhole() (row, error) {
	first, err := r.lines.next()
	for err == nil {
		_, err = r.lines.next()
	}
	if !errors.Is(err, io.EOF) || first.end == 0 {
		return row{}, err
	}
	r.row++
	return r.wrong(first, fmt.Errorf("the file cannot be read: %w", r.failed), r.position(r.lines.end, r.lines.number)), nil
}

func (r *reader) wrong(first line, err error, end position) row {
	w := &wrong{r.row, first.number, err.Error(), beginning(first.text)}
	text, _ := protocol.AppendJSON(nil, w) // texts and numbers always can be
	return row{json: text, wrong: w, end: end}
}

func (r *reader) position(offset, line int64) position {
	return position{Offset: offset, Line: line, Row: r.row}
}

// beginning returns as much of a wrong row as is shown.
func beginning(text []byte) string {
	const shown = 200
	text = bytes.TrimRight(text, "\r\n")
	return string(bytes.ToValidUTF8(text[:min(len(text), shown)], []byte("\uFFFD")))
}

var errNotUTF8 = errors.New("not UTF-8")

// jsonLines parses JSON lines. A row keeps every byte of its object.
type jsonLines struct{}

func (jsonLines) parse(first line, _ *lines) ([]byte, line, error) {
	text := bytes.TrimSpace(first.text)
	switch {
	case !utf8.Valid(text):
		return nil, first, errNotUTF8
	case !json.Valid(text):
		return nil, first, errors.New("not JSON")
	case text[0] != '{':
		return nil, first, errors.New("not a JSON object")
	}
	inEvent := "[[" + string(text) + "]]" // as deep as it will be
	_, err := protocol.AppendJSON(nil, json.RawMessage(inEvent))
	return text, first, err
}
