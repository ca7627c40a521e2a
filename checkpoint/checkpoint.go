// Package checkpoint remembers how far a connector has come, so that after a restart it goes on from there: the last row
// of a table, the place in a file. A position is saved when Vantiq has acknowledged what was before it (see
// connector.Receipt); what came after it is then sent again, and nothing is left out.
//
//	store, err := checkpoint.Open("state")
//	…
//	var last Position
//	found, err := store.Load("orders", &last) // false at the very first start
//	…
//	err = store.Save("orders", last)
//
// Each position is a small JSON file of its own, which a person may read, edit or delete while the connector is stopped.
package checkpoint

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// A Store keeps positions in a directory, of which there must be one Store at a time. Its methods may be called from several
// goroutines.
type Store struct {
	directory string
	saving    sync.Mutex
}

// Open returns the store in a directory, which is made if it does not exist. It returns an error if nothing can be written
// there, so that a connector notices before it has anything to save.
func Open(directory string) (*Store, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("checkpoint: %w; name a directory that can be written, a mounted volume in Kubernetes", err)
	}
	probe, err := os.CreateTemp(directory, ".writable-*")
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w; name a directory that can be written, a mounted volume in Kubernetes", err)
	}
	return &Store{directory: directory}, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// Load decodes the position that was saved last under name into position, a pointer to what Save got. It returns false if
// nothing was saved, and an error that names the file if it cannot be read or decoded.
func (s *Store) Load(name string, position any) (found bool, err error) {
	file := s.file(name)
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("checkpoint: the position of %s: %w", name, err)
	}
	if err := json.Unmarshal(text, position); err != nil {
		return false, fmt.Errorf("checkpoint: the position of %s in %s: %w; mend the file, or delete it to begin from the start", name, file, err)
	}
	return true, nil
}

// Save stores a position, anything that marshals to JSON, under name, any text that is short enough for a file's name
// once it is escaped as in a URL. (Where files are found whatever the case of their names, so are positions.) When Save
// returns nil the position survives a crash of the process and of the machine; when it does not, the position is this one or
// the one before, and whole. It costs two to three fsyncs: save after a batch rather than after each row.
func (s *Store) Save(name string, position any) error {
	text, err := json.Marshal(position)
	if err != nil {
		return fmt.Errorf("checkpoint: the position of %s: %w", name, err)
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	if err := s.replace(s.file(name), append(text, '\n')); err != nil {
		return fmt.Errorf("checkpoint: the position of %s is not saved: %w", name, err)
	}
	return nil
}

// Remove forgets the position under name, if there is one.
func (s *Store) Remove(name string) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	if err := os.Remove(s.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("checkpoint: the position of %s is not removed: %w", name, err)
	}
	return s.sync()
}

// longest is how much of a position's name its file has in its own, of the 255 bytes that file systems allow.
const longest = 150

// file returns the file of a position; escaping keeps any name inside the directory. Long names are cut, and a sum tells
// them apart.
func (s *Store) file(name string) string {
	escaped := strings.ReplaceAll(url.PathEscape(name), ":", "%3A") // which Windows takes for more than a letter
	if len(escaped) > longest {
		escaped = fmt.Sprintf("%s…%x", escaped[:longest], sha256.Sum256([]byte(name)))
	}
	return filepath.Join(s.directory, escaped+".json")
}

// replace writes a file beside the old one and puts it into its place, so that there is always a whole one.
func (s *Store) replace(file string, text []byte) (err error) {
	next, err := os.OpenFile(file+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = next.Write(text)
	err = errors.Join(err, next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return s.sync()
}

// sync makes renaming and removing durable, where a directory can be synced.
func (s *Store) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	directory, err := os.Open(s.directory)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
