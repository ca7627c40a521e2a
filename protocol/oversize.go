package protocol

import (
	"bufio"
	"errors"
	"io"
)

// An Oversize is what can be said of a message too large to be held.
type Oversize struct {
	Op           string       // empty for a response, or if not found
	ReplyAddress ReplyAddress // of a query
	Bytes        int64        // read
}

// ScanOversize reads the rest of a message that is too large to be held, in constant memory, and finds what is needed
// to refuse it: its operation and its reply address. It always reads to the end, and returns an error only if reading
// fails: of a malformed message it reports what came before the fault.
func ScanOversize(r io.Reader) (Oversize, error) {
	counter := &countingReader{r: r}
	s := oversizeScanner{in: bufio.NewReaderSize(counter, 4096)}
	err := s.message()
	if err == nil || errors.Is(err, errNotAnObject) {
		_, err = io.Copy(io.Discard, s.in)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	s.found.Bytes = counter.n
	return s.found, err
}

var errNotAnObject = errors.New("protocol: not an object")

// maxOversizeText bounds the keys, operations and reply addresses that are kept.
const maxOversizeText = 1024

type oversizeScanner struct {
	in    *bufio.Reader
	found Oversize
}

// message walks the members of the outermost object.
func (s *oversizeScanner) message() error {
	return s.members(func(key string, first byte) error {
		switch {
		case key == "op" && first == '"':
			op, err := s.text()
			s.found.Op = op
			return err
		case key == "messageHeaders" && first == '{':
			_ = s.in.UnreadByte()
			return s.members(s.header)
		}
		return s.skip(first)
	})
}

func (s *oversizeScanner) header(key string, first byte) error {
	if key == headerReplyAddressIn && first == '"' {
		address, err := s.text()
		s.found.ReplyAddress = ReplyAddress(address)
		return err
	}
	return s.skip(first)
}

// members visits each member of the object at hand with the first byte of its value, which visit must consume.
func (s *oversizeScanner) members(visit func(key string, first byte) error) error {
	b, err := s.next()
	if err != nil {
		return err
	}
	if b != '{' {
		return errNotAnObject
	}
	for {
		b, err := s.next()
		switch {
		case err != nil:
			return err
		case b == '}':
			return nil
		case b != '"':
			continue // a comma; anything else is malformed, and skipping it does no harm
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if b, err = s.next(); err == nil && b == ':' {
			b, err = s.next()
		}
		if err != nil {
			return err
		}
		if err := visit(key, b); err != nil {
			return err
		}
	}
}

// skip consumes the value that begins with first.
func (s *oversizeScanner) skip(first byte) error {
	depth := 0
	for b := first; ; {
		switch b {
		case '"':
			if _, err := s.text(); err != nil {
				return err
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth <= 0 && (b == '"' || b == '}' || b == ']') {
			return nil
		}
		next, err := s.next()
		if err != nil {
			return err
		}
		if depth == 0 && (next == ',' || next == '}') { // the end of a number or a literal
			return s.in.UnreadByte()
		}
		b = next
	}
}

// text consumes a string after its opening quote. Escapes are kept as they are: what is looked for has none.
func (s *oversizeScanner) text() (string, error) {
	var kept []byte
	for {
		b, err := s.in.ReadByte()
		if err != nil || b == '"' {
			return string(kept), err
		}
		if len(kept) < maxOversizeText {
			kept = append(kept, b)
		}
		if b == '\\' {
			if _, err := s.in.ReadByte(); err != nil {
				return "", err
			}
		}
	}
}

// next returns the next byte that is not space.
func (s *oversizeScanner) next() (byte, error) {
	for {
		b, err := s.in.ReadByte()
		if err != nil || (b != ' ' && b != '\t' && b != '\n' && b != '\r') {
			return b, err
		}
	}
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
