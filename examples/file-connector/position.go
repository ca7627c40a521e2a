package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
)

// A position is a place in a file, between two rows, and what is needed to recognise the file. Before the zero position
// there is nothing.
type position struct {
	Inode  uint64 `json:"inode,omitempty"` // 0 where files have none
	Sum    string `json:"sum,omitempty"`   // of what stands before the place
	Offset int64  `json:"offset"`          // in bytes
	Line   int64  `json:"line"`            // how many lines are before it
	Row    int64  `json:"row"`             // how many rows are before it, wrong ones included
	Last   bool   `json:"last,omitempty"`  // no row is behind it

	Problems []string `json:"problems,omitempty"` // with rows before it, the first of them
}

// sample is how many bytes at the beginning of a file, and before a position, make out a file beside its inode: inodes are
// used again, and not every file system has them. Device numbers are no help, they change when a volume is mounted again.
const sample = 1024

// sumOf returns what tells whether a file still has what it had before offset.
func sumOf(file io.ReaderAt, offset int64) (string, error) {
	n := min(offset, sample)
	text := make([]byte, 2*n)
	if _, err := file.ReadAt(text[:n], 0); err != nil && n > 0 {
		return "", err
	}
	if _, err := file.ReadAt(text[n:], offset-n); err != nil && n > 0 {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), nil
}

// isIn reports whether reading may go on at the position: it is the same file as before, and has only grown.
func (p position) isIn(file *os.File, info fs.FileInfo) bool {
	if p.Offset == 0 && !p.Last {
		return true
	}
	if p.Inode != inodeOf(info) || p.Offset > info.Size() {
		return false
	}
	sum, err := sumOf(file, p.Offset)
	return err == nil && sum == p.Sum
}
