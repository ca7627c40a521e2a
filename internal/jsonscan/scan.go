// Package jsonscan validates JSON text and finds its outermost members without decoding what is inside them.
//
// encoding/json reads every byte of a message several times before a program can learn which operation it is.
// A connector needs only the envelope: this scanner reads each byte once, allocates nothing, and hands out the
// members as slices of its input. It accepts exactly what encoding/json accepts (the fuzz test holds it to that),
// except for nesting deeper than [MaxDepth], and it does not look at UTF-8: its callers do.
package jsonscan

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/bits"
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
	s := scanner(text)
	i, err := s.value(s.space(0), levels)
	if err != nil {
		return err
	}
	return s.end(i)
}

// Members visits the members of a JSON object in their order and checks all of it, what follows it included. When visit
// returns false it stops there, and checks no further. A key arrives unescaped, a value as it stands. Members seen before an
// error may have been visited.
func Members(text []byte, visit func(key, value []byte) (more bool)) error {
	s := scanner(text)
	i := s.space(0)
	if s.at(i) != '{' {
		return s.unexpected(i, "a message must be a JSON object")
	}
	switch i, err := s.members(i, 0, visit); err {
	case nil:
		return s.end(i)
	case errStopped:
		return nil
	default:
		return err
	}
}

var errStopped = errors.New("the visit is over")

// Elements yields the elements of a JSON array that is known to be valid. Of anything else it yields nothing.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s := scanner(array)
		if i := s.space(0); s.at(i) == '[' {
			_, _ = s.elements(i, 0, yield)
		}
	}
}

// Unquote returns the text of a JSON string literal, or false if value is none. It copies only if there is an escape to undo.
func Unquote(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	if inner := value[1 : len(value)-1]; scanner(inner).plainEnd(0) == len(inner) {
		return inner, true
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return nil, false
	}
	return []byte(text), true
}

// A scanner is a text. Its methods check what begins at position i and return the position behind it; that they hand positions
// on as values, and not in a struct, keeps these in registers.
type scanner []byte

// at returns the byte at position i, or 0 at the end: no JSON token begins with 0.
func (s scanner) at(i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// space returns the position of the first byte from i on that is no space.
func (s scanner) space(i int) int {
	for i < len(s) && s[i] <= ' ' && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

func (s scanner) end(i int) error {
	if i = s.space(i); i < len(s) {
		return s.unexpected(i, "only one JSON value may stand here")
	}
	return nil
}

func (s scanner) unexpected(i int, want string) error {
	if i >= len(s) {
		return &SyntaxError{len(s), "it ends too early; " + want}
	}
	return &SyntaxError{i, fmt.Sprintf("unexpected %q; %s", s[i], want)}
}

func (s scanner) value(i, depth int) (int, error) {
	switch b := s.at(i); b {
	case '"':
		return s.string(i)
	case '{':
		return s.members(i, depth, nil)
	case '[':
		return s.elements(i, depth, nil)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		if b == '-' || isDigit(b) {
			return s.number(i)
		}
		return i, s.unexpected(i, "a JSON value must stand here")
	}
}

// members checks an object. When visit returns false it ends there, with errStopped.
func (s scanner) members(i, depth int, visit func(key, value []byte) bool) (int, error) {
	if depth >= MaxDepth {
		return i, tooDeep(i)
	}
	if i = s.space(i + 1); s.at(i) == '}' {
		return i + 1, nil
	}
	for {
		name, end, err := s.key(i)
		if err != nil {
			return end, err
		}
		if i = s.space(end); s.at(i) != ':' {
			return i, s.unexpected(i, "a colon must follow the key")
		}
		start := s.space(i + 1)
		if i, err = s.value(start, depth+1); err != nil {
			return i, err
		}
		if visit != nil && !visit(name, s[start:i]) {
			return i, errStopped
		}
		i = s.space(i)
		switch s.at(i) {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1, nil
		default:
			return i, s.unexpected(i, "a comma or a closing brace must follow the value")
		}
	}
}

// key returns what a key says.
func (s scanner) key(i int) (name []byte, end int, err error) {
	if s.at(i) != '"' {
		return nil, i, s.unexpected(i, "a key in double quotes must stand here")
	}
	if end = s.plainEnd(i + 1); s.at(end) == '"' { // without an escape
		return s[i+1 : end], end + 1, nil
	}
	if end, err = s.string(i); err == nil {
		name, _ = Unquote(s[i:end])
	}
	return name, end, err
}

// elements checks an array. When visit returns false it ends there, with errStopped.
func (s scanner) elements(i, depth int, visit func(element []byte) bool) (int, error) {
	if depth >= MaxDepth {
		return i, tooDeep(i)
	}
	if i = s.space(i + 1); s.at(i) == ']' {
		return i + 1, nil
	}
	for {
		end, err := s.value(i, depth+1)
		if err != nil {
			return end, err
		}
		if visit != nil && !visit(s[i:end]) {
			return end, errStopped
		}
		i = s.space(end)
		switch s.at(i) {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1, nil
		default:
			return i, s.unexpected(i, "a comma or a closing bracket must follow the value")
		}
	}
}

func tooDeep(i int) error {
	return &SyntaxError{i, fmt.Sprintf("nested deeper than %d levels", MaxDepth)}
}

func (s scanner) string(i int) (int, error) {
	for i++; ; i++ {
		i = s.plainEnd(i)
		switch s.at(i) {
		case '"':
			return i + 1, nil
		case '\\':
			var err error
			if i, err = s.escape(i); err != nil {
				return i, err
			}
		default:
			if i == len(s) {
				return i, s.unexpected(i, "a string must be closed")
			}
			return i, s.unexpected(i, "a control character must be escaped")
		}
	}
}

// plainEnd returns where, from position i on, the first byte stands that does not stand for itself inside a string: a quote, a
// backslash, a control character; or the end. Most of a message are such bytes, so it looks at eight at a time.
func (s scanner) plainEnd(i int) int {
	for ; i+8 <= len(s); i += 8 {
		if special := special(binary.LittleEndian.Uint64(s[i:])); special != 0 {
			return i + bits.TrailingZeros64(special)/8
		}
	}
	for i < len(s) && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

// special returns a number whose lowest bit that is set lies in the first of eight bytes that does not stand for itself inside
// a string, or 0 if there is none. Subtracting 1 from a byte that is 0, or 0x20 from one that is less, borrows into its highest
// bit, which in a byte of ASCII was not set; what that does to the bytes behind it does not matter.
func special(eight uint64) uint64 {
	const each = 0x0101010101010101
	quote := eight ^ each*'"'
	backslash := eight ^ each*'\\'
	return ((quote - each) | (backslash - each) | (eight - each*0x20)) &^ eight & (each * 0x80)
}

// escape checks an escape and returns the position of its last byte.
func (s scanner) escape(i int) (int, error) {
	i++ // the backslash
	switch s.at(i) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i, nil
	case 'u':
		for range 4 {
			if i++; !isHex(s.at(i)) {
				return i, s.unexpected(i, `four hexadecimal digits must follow \u`)
			}
		}
		return i, nil
	}
	if i == len(s) {
		return i, s.unexpected(i, "an escape must be finished")
	}
	return i, s.unexpected(i, "no such escape")
}

func isHex(b byte) bool { return isDigit(b) || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F' }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func (s scanner) literal(i int, word string) (int, error) {
	for n := range len(word) {
		if s.at(i) != word[n] {
			return i, s.unexpected(i, "did you mean "+word+"?")
		}
		i++
	}
	return i, nil
}

func (s scanner) number(i int) (end int, err error) {
	if s.at(i) == '-' {
		i++
	}
	if s.at(i) == '0' {
		i++
	} else if i, err = s.digits(i); err != nil {
		return i, err
	}
	if s.at(i) == '.' {
		if i, err = s.digits(i + 1); err != nil {
			return i, err
		}
	}
	if b := s.at(i); b == 'e' || b == 'E' {
		i++
		if b := s.at(i); b == '+' || b == '-' {
			i++
		}
		return s.digits(i)
	}
	return i, nil
}

func (s scanner) digits(i int) (int, error) {
	if !isDigit(s.at(i)) {
		return i, s.unexpected(i, "a digit must stand here")
	}
	for isDigit(s.at(i)) {
		i++
	}
	return i, nil
}
