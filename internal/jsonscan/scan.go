// Package jsonscan validates JSON text and finds its outermost members without decoding what is inside them.
//
// encoding/json reads every byte of a message several times before a program can learn which operation it is.
// A connector needs only the envelope: this scanner reads each byte once, allocates nothing, and hands out the
// members as slices of its input. It accepts exactly what encoding/json accepts (the fuzz test holds it to that),
// except for nesting deeper than [MaxDepth], and it does not look at UTF-8: its callers do.
package jsonscan

import (
	"encoding/json"
	"fmt"
	"iter"
)

// MaxDepth is how deep arrays and objects may nest, so that a hostile peer cannot exhaust the stack.
const MaxDepth = 1000

// A SyntaxError says where a text stops being JSON. It never quotes more than one byte of it: a message may hold a secret.
type SyntaxError struct {
	Offset int // of the byte that cannot stand where it stands
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("malformed JSON at byte %d: %s", e.Offset, e.Reason)
}

// Valid reports as an error why text is not exactly one JSON value.
func Valid(text []byte) error { return ValidBelow(0, text) }

// ValidBelow reports as an error why text cannot stand as a value in so many arrays and objects.
func ValidBelow(levels int, text []byte) error {
	s := scanner{text: text}
	s.space()
	if err := s.value(levels); err != nil {
		return err
	}
	return s.end()
}

// Members visits the members of a JSON object in their order and checks all of it, what follows it included.
// A key arrives unescaped, a value as it stands. Members seen before an error may have been visited.
func Members(text []byte, visit func(key, value []byte)) error {
	s := scanner{text: text}
	s.space()
	if s.peek() != '{' {
		return s.unexpected("a message must be a JSON object")
	}
	if err := s.members(0, visit); err != nil {
		return err
	}
	return s.end()
}

// Elements yields the elements of a JSON array that is known to be valid. Of anything else it yields nothing.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s := scanner{text: array}
		s.space()
		if s.peek() != '[' {
			return
		}
		stopped := false
		_ = s.elements(0, func(element []byte) {
			stopped = stopped || !yield(element)
		}, &stopped)
	}
}

// Unquote returns the text of a JSON string literal, or false if value is none. It copies only if there is an escape to undo.
func Unquote(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	inner := value[1 : len(value)-1]
	for _, b := range inner {
		if b == '\\' {
			var text string
			if json.Unmarshal(value, &text) != nil {
				return nil, false
			}
			return []byte(text), true
		}
	}
	return inner, true
}

type scanner struct {
	text []byte
	pos  int
}

// peek returns the byte at hand, or 0 at the end: no JSON token begins with 0.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) end() error {
	s.space()
	if s.pos < len(s.text) {
		return s.unexpected("only one JSON value may stand here")
	}
	return nil
}

func (s *scanner) unexpected(want string) error {
	if s.pos >= len(s.text) {
		return &SyntaxError{s.pos, "it ends too early; " + want}
	}
	return &SyntaxError{s.pos, fmt.Sprintf("unexpected %q; %s", s.text[s.pos], want)}
}

func (s *scanner) value(depth int) error {
	switch b := s.peek(); {
	case b == '"':
		return s.string()
	case b == '{':
		return s.members(depth, nil)
	case b == '[':
		return s.elements(depth, nil, nil)
	case b == '-' || '0' <= b && b <= '9':
		return s.number()
	case b == 't':
		return s.literal("true")
	case b == 'f':
		return s.literal("false")
	case b == 'n':
		return s.literal("null")
	}
	return s.unexpected("a JSON value must stand here")
}

func (s *scanner) members(depth int, visit func(key, value []byte)) error {
	if depth >= MaxDepth {
		return &SyntaxError{s.pos, fmt.Sprintf("nested deeper than %d levels", MaxDepth)}
	}
	s.pos++ // the brace
	s.space()
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		keyStart := s.pos
		if s.peek() != '"' {
			return s.unexpected("a key in double quotes must stand here")
		}
		if err := s.string(); err != nil {
			return err
		}
		key := s.text[keyStart:s.pos]
		s.space()
		if s.peek() != ':' {
			return s.unexpected("a colon must follow the key")
		}
		s.pos++
		s.space()
		valueStart := s.pos
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if visit != nil {
			if name, ok := Unquote(key); ok {
				visit(name, s.text[valueStart:s.pos])
			}
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case '}':
			s.pos++
			return nil
		default:
			return s.unexpected("a comma or a closing brace must follow the value")
		}
	}
}

func (s *scanner) elements(depth int, visit func(element []byte), stopped *bool) error {
	if depth >= MaxDepth {
		return &SyntaxError{s.pos, fmt.Sprintf("nested deeper than %d levels", MaxDepth)}
	}
	s.pos++ // the bracket
	s.space()
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		start := s.pos
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if visit != nil {
			visit(s.text[start:s.pos])
			if *stopped {
				return nil
			}
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case ']':
			s.pos++
			return nil
		default:
			return s.unexpected("a comma or a closing bracket must follow the value")
		}
	}
}

// plain marks the bytes that stand for themselves inside a string.
var plain = func() (table [256]bool) {
	for b := 0x20; b < 256; b++ {
		table[b] = b != '"' && b != '\\'
	}
	return table
}()

func (s *scanner) string() error {
	text := s.text
	for i := s.pos + 1; i < len(text); i++ {
		if plain[text[i]] {
			continue
		}
		switch text[i] {
		case '"':
			s.pos = i + 1
			return nil
		case '\\':
			s.pos = i
			n, err := s.escape()
			if err != nil {
				return err
			}
			i += n
		default:
			s.pos = i
			return s.unexpected("a control character must be escaped")
		}
	}
	s.pos = len(text)
	return s.unexpected("a string must be closed")
}

// escape checks the escape that begins at the scanner's position and returns how many bytes follow its backslash.
func (s *scanner) escape() (int, error) {
	rest := s.text[s.pos+1:]
	if len(rest) == 0 {
		s.pos = len(s.text)
		return 0, s.unexpected("an escape must be finished")
	}
	switch rest[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1, nil
	case 'u':
		for i := 1; i <= 4; i++ {
			if i >= len(rest) || !isHex(rest[i]) {
				s.pos = min(s.pos+1+i, len(s.text))
				return 0, s.unexpected(`four hexadecimal digits must follow \u`)
			}
		}
		return 5, nil
	}
	s.pos++
	return 0, s.unexpected("no such escape")
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F'
}

func (s *scanner) literal(word string) error {
	for i := range len(word) {
		if s.peek() != word[i] {
			return s.unexpected("did you mean " + word + "?")
		}
		s.pos++
	}
	return nil
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if b := s.peek(); b == 'e' || b == 'E' {
		s.pos++
		if b := s.peek(); b == '+' || b == '-' {
			s.pos++
		}
		return s.digits()
	}
	return nil
}

func (s *scanner) digits() error {
	start := s.pos
	for b := s.peek(); '0' <= b && b <= '9'; b = s.peek() {
		s.pos++
	}
	if s.pos == start {
		return s.unexpected("a digit must stand here")
	}
	return nil
}
