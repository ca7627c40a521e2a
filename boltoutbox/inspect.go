package boltoutbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"strings"
)

// bbolt trusts its file: a damaged one makes it panic, or read memory that is not mapped, in goroutines of its own, and
// then the process ends. So the whole file is read before bbolt sees it, by this reader of bbolt's format, which trusts
// nothing: two meta pages, and B+ trees of branch and leaf pages, in the byte order of the machine.

const (
	pageHeaderSize   = 16 // id uint64, flags uint16, count uint16, overflow uint32
	elementSize      = 16 // of branch and leaf pages
	bucketHeaderSize = 16 // root uint64, sequence uint64

	branchPage    = 0x01
	leafPage      = 0x02
	bucketElement = 0x01 // flag of an element of a leaf

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaSize    = 64 // behind its page's header
	noFreelist  = ^uint64(0)

	maxDamage = 8 // so many are described, the others counted
)

var native = binary.NativeEndian

// An inspector reads a file that may be damaged anywhere.
type inspector struct {
	file   io.ReaderAt
	size   int64
	meta   meta
	seen   map[uint64]bool // pages, each of which belongs to one place
	damage []error
	more   int // damage that is not described
}

type meta struct {
	pageSize uint64
	root     uint64 // page
	freelist uint64
	pages    uint64
	txid     uint64
}

// inspect reads the whole outbox at path and returns what is damaged. An error means that the file cannot be read or is
// no outbox; if there is none yet, it is [fs.ErrNotExist].
func inspect(path string) (damage []error, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	}
	return inspectFile(file, info.Size())
}

func inspectFile(file io.ReaderAt, size int64) (damage []error, err error) {
	if size == 0 {
		return nil, fs.ErrNotExist
	}
	i := &inspector{file: file, size: size, seen: map[uint64]bool{}}
	switch found, err := i.readMeta(); {
	case err != nil:
		return nil, err
	case !found:
		return i.damage, nil
	}
	if need := i.meta.pages * i.meta.pageSize; uint64(size) < need { //nolint:gosec // a size is not negative
		i.report("the file was cut off at %d of at least %d bytes", size, need)
	}
	ours, others := false, []byte(nil)
	i.node(i.meta.root, bounds{}, func(flags uint32, name, value []byte) {
		if flags != bucketElement || !bytes.Equal(name, format) {
			others = name
			return
		}
		ours = true
		i.bucket(value, i.notification)
	})
	switch {
	case anyFormat.Match(others):
		return nil, fmt.Errorf("another version of this module has written it (%q): let that one deliver what it holds", others)
	case others != nil && !ours && !i.salvageable():
		return nil, errNoOutbox
	case others != nil:
		i.report("it holds %q beside the outbox", others)
	case !ours && len(i.damage) == 0:
		return nil, fs.ErrNotExist // an empty file of bbolt's: there is nothing to lose
	}
	if i.more > 0 {
		i.damage = append(i.damage, fmt.Errorf("and %d more", i.more))
	}
	return i.damage, nil
}

var errNoOutbox = errors.New("it is a file of another program: choose another name")

// notification checks an element of the outbox's bucket.
func (i *inspector) notification(flags uint32, key, value []byte) {
	if _, err := decode(key, value); err != nil {
		i.report("notification %x: %w", key, err)
	} else if flags != 0 {
		i.report("notification %x is marked as something else", key)
	}
}

func (i *inspector) report(format string, args ...any) {
	if len(i.damage) == maxDamage {
		i.more++
		return
	}
	i.damage = append(i.damage, fmt.Errorf(format, args...))
}

// readMeta finds the newest meta page that is intact. The second one lies behind the first page, whose size only the meta
// pages tell. It is an error if there is nothing of an outbox in the file at all.
func (i *inspector) readMeta() (found bool, err error) {
	recognized := false
	for _, at := range append([]int64{0}, secondMetaPlaces()...) {
		page := make([]byte, pageHeaderSize+metaSize)
		n, _ := i.file.ReadAt(page, at) // what is missing is zero
		m, magic, ok := parseMeta(page[pageHeaderSize:])
		recognized = recognized || magic || at == 0 && isZero(page[:n])
		if ok && (at == 0 || uint64(at) == m.pageSize) && (!found || m.txid > i.meta.txid) { //nolint:gosec // places are positive
			i.meta, found = m, true
		}
	}
	if !found {
		i.meta.pageSize = uint64(os.Getpagesize()) //nolint:gosec // which bbolt used if it made the file here
	}
	switch {
	case !recognized && !i.salvageable(), found && i.meta.freelist != noFreelist: // this package writes none
		return false, errNoOutbox
	case !found:
		i.report("neither meta page is intact")
	}
	return found, nil
}

// secondMetaPlaces returns where the second meta page may be: where bbolt looks for it.
func secondMetaPlaces() (places []int64) {
	for shift := range 15 {
		places = append(places, 1024<<shift)
	}
	return places
}

func parseMeta(b []byte) (m meta, magic, ok bool) {
	if native.Uint32(b) != metaMagic {
		return m, false, false
	}
	sum := fnv.New64a()
	sum.Write(b[:56])
	m = meta{
		pageSize: uint64(native.Uint32(b[8:])),
		root:     native.Uint64(b[16:]),
		freelist: native.Uint64(b[32:]),
		pages:    native.Uint64(b[40:]),
		txid:     native.Uint64(b[48:]),
	}
	ok = native.Uint32(b[4:]) == metaVersion && sum.Sum64() == native.Uint64(b[56:]) &&
		m.pageSize >= 1024 && m.pageSize <= 1024<<14 && m.pages < 1<<38
	return m, true, ok
}

func isZero(b []byte) bool { return strings.Trim(string(b), "\x00") == "" }

// A page is one node of a tree, as large as it is with its overflow.
type page struct {
	name  string // for damage
	flags uint16
	count int
	bytes []byte // header and all
}

func parsePage(name string, b []byte) page {
	return page{name, native.Uint16(b[8:]), int(native.Uint16(b[10:])), b}
}

// An element is one entry of a page. A branch has no value, a leaf no child.
type element struct {
	key, value []byte
	flags      uint32
	child      uint64
}

// element returns an entry of a page, unless it reaches beyond it.
func (p *page) element(n int) (e element, ok bool) {
	at := pageHeaderSize + n*elementSize
	if at+elementSize > len(p.bytes) {
		return e, false
	}
	head, rest := p.bytes[at:at+elementSize], p.bytes[at:]
	var pos, keySize, valueSize uint64
	if p.flags == branchPage {
		pos, keySize, e.child = uint64(native.Uint32(head)), uint64(native.Uint32(head[4:])), native.Uint64(head[8:])
	} else {
		e.flags, pos = native.Uint32(head), uint64(native.Uint32(head[4:]))
		keySize, valueSize = uint64(native.Uint32(head[8:])), uint64(native.Uint32(head[12:]))
	}
	if pos+keySize+valueSize > uint64(len(rest)) {
		return e, false
	}
	e.key = rest[pos : pos+keySize]
	e.value = rest[pos+keySize : pos+keySize+valueSize]
	return e, true
}

// bucket goes through the bucket that is the value of an element: a tree of its own, or a single page within the value.
func (i *inspector) bucket(value []byte, each func(flags uint32, key, value []byte)) {
	if len(value) < bucketHeaderSize {
		i.report("a bucket without a root")
		return
	}
	if root := native.Uint64(value); root != 0 {
		i.node(root, bounds{}, each)
		return
	}
	if value = value[bucketHeaderSize:]; len(value) < pageHeaderSize {
		i.report("an inline bucket without a page")
		return
	}
	if p := parsePage("an inline page", value); p.flags != leafPage {
		i.report("%s is no leaf", p.name)
	} else {
		i.leaf(p, bounds{}, each)
	}
}

// bounds are the keys that a page may hold: from low on, and below high unless that is nil.
type bounds struct{ low, high []byte }

func (b bounds) hold(key []byte) bool {
	return bytes.Compare(key, b.low) >= 0 && (b.high == nil || bytes.Compare(key, b.high) < 0)
}

func (i *inspector) node(id uint64, within bounds, each func(flags uint32, key, value []byte)) {
	p, err := i.page(id)
	switch {
	case err != nil:
		i.report("page %d: %w", id, err)
	case p.flags == leafPage:
		i.leaf(p, within, each)
	case p.flags == branchPage:
		i.branch(p, within, each)
	default:
		i.report("%s is neither branch nor leaf", p.name)
	}
}

func (i *inspector) page(id uint64) (page, error) {
	size := i.meta.pageSize
	if id < 2 || id >= i.meta.pages {
		return page{}, fmt.Errorf("there are pages 2 to %d", i.meta.pages-1)
	}
	header := make([]byte, pageHeaderSize)
	at := int64(id * size) //nolint:gosec // less than 2^38 pages of at most 2^24 bytes
	if _, err := i.file.ReadAt(header, at); err != nil {
		return page{}, err
	}
	pages := uint64(native.Uint32(header[12:])) + 1
	switch {
	case native.Uint64(header) != id:
		return page{}, fmt.Errorf("it is marked as page %d", native.Uint64(header))
	case id+pages > i.meta.pages || at+int64(pages*size) > i.size: //nolint:gosec // see above
		return page{}, errors.New("it reaches beyond the file's end")
	}
	for n := id; n < id+pages; n++ {
		if i.seen[n] {
			return page{}, errors.New("it is part of two trees")
		}
		i.seen[n] = true
	}
	b := make([]byte, pages*size)
	if _, err := i.file.ReadAt(b, at); err != nil {
		return page{}, err
	}
	return parsePage(fmt.Sprintf("page %d", id), b), nil
}

func (i *inspector) branch(p page, within bounds, each func(flags uint32, key, value []byte)) {
	if p.count == 0 {
		i.report("%s is an empty branch", p.name)
	}
	for n := range p.count {
		e, ok := p.element(n)
		if !ok || !within.hold(e.key) {
			i.report("%s: element %d is damaged", p.name, n)
			continue
		}
		child := bounds{e.key, within.high}
		if next, ok := p.element(n + 1); ok && n+1 < p.count {
			child.high = next.key
		}
		i.node(e.child, child, each)
		within.low = e.key
	}
}

func (i *inspector) leaf(p page, within bounds, each func(flags uint32, key, value []byte)) {
	var last []byte
	for n := range p.count {
		e, ok := p.element(n)
		if !ok || !within.hold(e.key) || n > 0 && bytes.Compare(e.key, last) <= 0 {
			i.report("%s: element %d is damaged", p.name, n)
			continue
		}
		last = e.key
		each(e.flags, e.key, e.value)
	}
}
