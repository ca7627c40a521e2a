package boltoutbox

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"regexp"
)

// The file holds one bucket, named by its format, and in it every notification. The key is the source, behind its length,
// and the sequence number, so that a source's notifications are together and in their order. The value is a checksum of
// all the rest, the seq up to which the source's notifications were delivered by then, and the event: what is found of a
// damaged file speaks for itself. No sequence number is given away twice, also not by the process after one that was killed,
// unless the clock was set back: each begins at the last one that its bucket knows, or at the time in microseconds.

var (
	format    = []byte("vantiq connector outbox 1")
	anyFormat = regexp.MustCompile(`^vantiq connector outbox \d+$`)
)

const (
	seqSize      = 8
	checksumSize = 4
	valueHeader  = checksumSize + seqSize
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errDamaged = errors.New("it does not match its checksum")
)

// keyPrefix is what the keys of a source's notifications have in common.
func keyPrefix(source string) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(source))), source...)
}

func encodeKey(prefix []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, len(prefix)+seqSize), prefix...), seq)
}

// seqOf returns the sequence number of a key, which has one.
func seqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-seqSize:]) }

func encodeValue(key []byte, delivered uint64, event []byte) []byte {
	value := make([]byte, valueHeader, valueHeader+len(event))
	binary.BigEndian.PutUint64(value[checksumSize:], delivered)
	value = append(value, event...)
	binary.BigEndian.PutUint32(value, checksum(key, value))
	return value
}

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value[checksumSize:])
}

// A stored notification is what a key and a value stand for. The event is a part of the value.
type stored struct {
	source         string
	seq, delivered uint64
	event          []byte
}

func decode(key, value []byte) (s stored, err error) {
	length, n := binary.Uvarint(key)
	if n <= 0 || length > uint64(len(key)) || n+int(length)+seqSize != len(key) || len(value) < valueHeader ||
		binary.BigEndian.Uint32(value) != checksum(key, value) {
		return s, errDamaged
	}
	return stored{
		source:    string(key[n : len(key)-seqSize]),
		seq:       seqOf(key),
		delivered: binary.BigEndian.Uint64(value[checksumSize:]),
		event:     value[valueHeader:],
	}, nil
}
