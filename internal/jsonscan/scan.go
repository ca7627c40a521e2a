// Package jsonscan validates JSON text and finds its outermost members without decoding what is inside them.
//
// encoding/json reads every byte of a message several times before a program can learn which operation it is.
// A connector needs only the envelope: this scanner reads each byte once, allocates nothing, and hands out the
// members as slices of its input. It accepts exactly what encoding/json accepts (the fuzz test holds it to that),
// except for nesting deeper than [MaxDepth], and it does not look at UTF-8: its callers do.
package jsonscan

import (
	"bytes"
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
	i, err := s.members(i, visit)
	switch {
	case errors.Is(err, errStopped):
		return nil
	case err != nil:
		return err
	}
	return s.end(i)
}

var errStopped = errors.New("the visit is over")

// Elements yields the elements of a JSON array that is known to be valid. Of anything else it yields nothing.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s := scanner(array)
		if i := s.space(0); s.at(i) == '[' {
			_, _ = s.elements(i, yield)
		}
	}
}

// Unquote returns the text of a JSON string literal, or false if value is none. It copies only if there is an escape to undo.
func Unquote(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 {
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

// value checks a value that stands in so many arrays and objects. It is one loop over the tokens, and reads strings, which are
// most of them, itself: calls would cost as much as all the rest.
func (s scanner) value(i, levels int) (int, error) {
	var open nesting
	isKey := false
	for {
		var err error
		switch b := s.at(i); {
		case b == '"':
			for i++; i+8 <= len(s); i += 8 {
				if special := special(binary.LittleEndian.Uint64(s[i:])); special != 0 {
					i += bits.TrailingZeros64(special) / 8
					break
				}
			}
			if s.at(i) == '"' {
				i++
			} else if i, err = s.restOfString(i); err != nil {
				return i, err
			}
			if isKey {
				if i = s.space(i); s.at(i) != ':' {
					return i, s.unexpected(i, "a colon must follow the key")
				}
				i, isKey = s.space(i+1), false
				continue
			}
		case isKey:
			return i, s.unexpected(i, "a key in double quotes must stand here")
		case b == '{' || b == '[':
			if levels+open.depth == MaxDepth {
				return i, &SyntaxError{i, fmt.Sprintf("nested deeper than %d levels", MaxDepth)}
			}
			open.push(b == '{')
			if i = s.space(i + 1); s.at(i) != open.end() {
				isKey = open.object
				continue
			}
		case b == '-' || isDigit(b):
			i, err = s.number(i)
		case s.has(i, "true"), s.has(i, "null"):
			i += 4
		case s.has(i, "false"):
			i += 5
		default:
			return s.noValue(i)
		}
		if err != nil {
			return i, err
		}
		for { // behind a value
			if open.depth == 0 {
				return i, nil
			}
			i = s.space(i)
			b := s.at(i)
			if b == ',' {
				i, isKey = s.space(i+1), open.object
				break
			}
			if b != open.end() {
				return i, s.unexpected(i, "a comma or a closing "+open.endName()+" must follow the value")
			}
			open.pop()
			i++
		}
	}
}

// nesting knows which arrays and objects are open.
type nesting struct {
	object  bool // the innermost is an object
	depth   int
	objects [MaxDepth/64 + 1]uint64 // a bit for each of the others, set if it is an object
}

func (n *nesting) push(object bool) {
	if word, bit := n.depth/64, uint64(1)<<(n.depth%64); n.object {
		n.objects[word] |= bit
	} else {
		n.objects[word] &^= bit
	}
	n.depth++
	n.object = object
}

func (n *nesting) pop() {
	n.depth--
	n.object = n.objects[n.depth/64]>>(n.depth%64)&1 != 0
}

// end returns the byte that closes the innermost.
func (n *nesting) end() byte {
	if n.object {
		return '}'
	}
	return ']'
}

func (n *nesting) endName() string {
	if n.object {
		return "brace"
	}
	return "bracket"
}

// key checks a key and its colon. It returns where the key ends, and where the value begins.
func (s scanner) key(i int) (end, value int, err error) {
	if end, err = s.string(i); err != nil {
		return end, end, err
	}
	if i = s.space(end); s.at(i) != ':' {
		return end, i, s.unexpected(i, "a colon must follow the key")
	}
	return end, s.space(i + 1), nil
}

// members visits the members of an object. When visit returns false it ends there, with errStopped.
func (s scanner) members(i int, visit func(key, value []byte) bool) (int, error) {
	if i = s.space(i + 1); s.at(i) == '}' {
		return i + 1, nil
	}
	for {
		keyEnd, start, err := s.key(i)
		if err != nil {
			return start, err
		}
		key := s[i:keyEnd]
		if i, err = s.value(start, 1); err != nil {
			return i, err
		}
		if name, ok := Unquote(key); ok && !visit(name, s[start:i]) {
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

// elements visits the elements of an array. When visit returns false it ends there, with errStopped.
func (s scanner) elements(i int, visit func(element []byte) bool) (int, error) {
	if i = s.space(i + 1); s.at(i) == ']' {
		return i + 1, nil
	}
	for {
		end, err := s.value(i, 1)
		if err != nil {
			return end, err
		}
		if !visit(s[i:end]) {
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

// string checks a string that is a key.
func (s scanner) string(i int) (int, error) {
	if s.at(i) != '"' {
		return i, s.unexpected(i, "a key in double quotes must stand here")
	}
	return s.value(i, 0)
}

// restOfString checks a string from a position inside it.
func (s scanner) restOfString(i int) (int, error) {
	for ; ; i++ {
		for isPlain(s.at(i)) {
			i++
		}
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

// isPlain reports whether a byte stands for itself inside a string.
func isPlain(b byte) bool { return b >= 0x20 && b != '"' && b != '\\' }

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

// has reports whether a word stands at position i.
func (s scanner) has(i int, word string) bool {
	return len(s)-i >= len(word) && string(s[i:i+len(word)]) == word
}

// noValue says what is wrong with what is no value.
func (s scanner) noValue(i int) (int, error) {
	for _, word := range []string{"true", "false", "null"} {
		if s.at(i) != word[0] {
			continue
		}
		n := 1
		for s.at(i+n) == word[n] {
			n++
		}
		return i + n, s.unexpected(i+n, "did you mean "+word+"?")
	}
	return i, s.unexpected(i, "a JSON value must stand here")
}

func (s scanner) number(i int) (int, error) {
	if s.at(i) == '-' {
		i++
	}
	switch b := s.at(i); {
	case b == '0':
		i++
	case isDigit(b):
		i = s.digits(i)
	default:
		return i, s.unexpected(i, "a digit must stand here")
	}
	if s.at(i) == '.' {
		if i++; !isDigit(s.at(i)) {
			return i, s.unexpected(i, "a digit must stand here")
		}
		i = s.digits(i)
	}
	if b := s.at(i); b == 'e' || b == 'E' {
		i++
		if b := s.at(i); b == '+' || b == '-' {
			i++
		}
		if !isDigit(s.at(i)) {
			return i, s.unexpected(i, "a digit must stand here")
		}
		i = s.digits(i)
	}
	return i, nil
}

// digits returns the position behind digits.
func (s scanner) digits(i int) int {
	for isDigit(s.at(i)) {
		i++
	}
	return i
}
