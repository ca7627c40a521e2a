package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// A line is one of a file.
type line struct {
	text   []byte // with its line break, but no more than the limit
	number int64  // from 1
	end    int64  // the offset behind it
	long   bool   // there is more of it than text
}

// blank reports whether there is nothing in the line.
func (l line) blank() bool { return len(bytes.TrimRight(l.text, "\r\n")) == 0 && !l.long }

// lines reads a file line by line, and holds no more than limit bytes of one.
type lines struct {
	in     *bufio.Reader
	limit  int
	follow bool // the last line is there only when it has its line break

	number, end int64  // of the line read last
	ahead       []line // that were put back
	err         error  // of reading, other than io.EOF
}

// next returns the next line, or io.EOF.
func (l *lines) next() (line, error) {
	if len(l.ahead) > 0 {
		first := l.ahead[0]
		l.ahead = l.ahead[1:]
		return first, nil
	}
	var next line
	for {
		piece, err := l.in.ReadSlice('\n')
		next.end += int64(len(piece))
		if room := l.limit - len(next.text); len(piece) > room {
			piece, next.long = piece[:room], true
		}
		next.text = append(next.text, piece...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && next.end > 0 && !l.follow: // the last line has no line break
		case errors.Is(err, io.EOF):
			return line{}, err
		case err != nil:
			l.err = err
			return line{}, err
		}
		l.number++
		l.end += next.end
		next.number, next.end = l.number, l.end
		return next, nil
	}
}

// putBack makes next return lines again.
func (l *lines) putBack(lines []line) { l.ahead = append(lines, l.ahead...) }
