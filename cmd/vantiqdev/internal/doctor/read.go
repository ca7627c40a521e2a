package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vantiq-go/connectorsdk/connectorset"
)

// Where a connector looks for its configuration.
var (
	firstFile  = filepath.Join("serverConfig", "server.config")
	secondFile = "server.config"
)

// A reading is what a configuration file has, and what is wrong with it.
type reading struct {
	config   connectorset.Config
	problems []*connectorset.ConfigError
	warnings []connectorset.Warning
}

// read reads the configuration and the files that it names. It returns nil, and the step has failed, if that does not end
// or must not begin.
func (x *examination) read(ctx context.Context, s *Step) *reading {
	file := x.File
	if file == "" {
		if file = firstFile; !exists(file) {
			file = secondFile
		}
	}
	// Reading a pipe may never end, nor a file of a server that is gone, and neither can be interrupted.
	over := make(chan *reading, 1)
	go func() { // ends with the reading, or with the program
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			over <- nil
			return
		}
		config, err := connectorset.ReadConfig(x.File)
		over <- &reading{config, problemsIn(err), config.Warnings()}
	}()
	wait, cancel := x.patience(ctx)
	defer cancel()
	select {
	case r := <-over:
		if r != nil {
			return r
		}
		s.fail(file+" is not a regular file", "write the properties into a file, or name the file with -config FILE: "+
			"of a directory, a pipe or a device nothing is read")
	case <-wait.Done():
		s.fail(fmt.Sprintf("reading %s has not ended within %v", file, x.Timeout), "is one of the files that it names (tlsCaFile, tlsCertFile, "+
			"tlsKeyFile) a pipe, or is a file system out of reach? A connector would wait for ever")
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
