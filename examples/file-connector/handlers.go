package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/fsnotify/fsnotify"

	"github.com/vantiq-go/connectorsdk/checkpoint"
	"github.com/vantiq-go/connectorsdk/connector"
)

// A fileConnector serves any number of sources.
type fileConnector struct {
	log        *slog.Logger
	state      string // the directory for positions
	newWatcher func() (*fsnotify.Watcher, error)

	mu          sync.Mutex
	store       *checkpoint.Store     // opened when it is needed
	directories map[string]*directory // of the latest session, by source and directory
}

func newConnector(state string, log *slog.Logger) *fileConnector {
	return &fileConnector{log: log, state: state, newWatcher: fsnotify.NewWatcher, directories: map[string]*directory{}}
}

// A session is what a source configuration stands for.
type session struct {
	config
	directories []*directory
	log         *slog.Logger

	watcher   *fsnotify.Watcher
	unwatched error // why there is no watcher: then scans have to do
}

func (f *fileConnector) handlers() connector.Handlers {
	return connector.SessionHandlers[*session]{
		Connect: f.connect,
		Publish: f.publish,
		Query:   f.query,
	}.Handlers()
}

func (f *fileConnector) connect(_ context.Context, c *connector.SourceConnection, document connector.Document) (*session, error) {
	config, err := connector.DecodeConfig[config](document)
	if err != nil {
		return nil, err
	}
	s := &session{config: config, log: f.log.With("source", c.Source())}
	for i := range config.File.Directories {
		d := &directory{
			directoryConfig: config.File.Directories[i],
			c:               c,
			log:             s.log.With("directory", config.File.Directories[i].Path),
			watch:           s.watch,
			changed:         make(chan struct{}, 1),
		}
		if err := f.adopt(c.Source(), d); err != nil {
			return nil, err
		}
		for _, e := range s.directories {
			if e.Path == d.Path {
				d.earlier = append(d.earlier, &e.directoryConfig)
			}
		}
		s.directories = append(s.directories, d)
	}
	if err := s.startWatching(c, f.newWatcher); err != nil {
		return nil, err
	}
	for _, d := range s.directories {
		if err := errors.Join(c.Poll(d.Scan, d.poll), c.Go(d.settleAll)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// adopt gives a directory the progress that an earlier session has made, or an earlier process.
func (f *fileConnector) adopt(source string, d *directory) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.store == nil {
		if f.store, err = checkpoint.Open(f.state); err != nil {
			return err
		}
	}
	name := source + " " + d.key()
	if earlier := f.directories[name]; earlier != nil {
		d.progress = earlier.progress
	} else {
		d.progress = newProgress(f.store, name)
	}
	f.directories[name] = d
	return nil
}

func (f *fileConnector) publish(_ context.Context, _ *connector.SourceConnection, s *session, message connector.Document) error {
	if s.File.Out == nil {
		return errors.New(`a message was published, but the source configuration has no fileConfig.out`)
	}
	return s.File.Out.write(message)
}

func (f *fileConnector) query(ctx context.Context, _ *connector.SourceConnection, s *session, q *connector.Query) error {
	var parameters queryParameters
	if err := q.Decode(&parameters); err != nil {
		return badQuery(err)
	}
	if parameters.File == "" {
		return connector.Rows(ctx, q, s.list(parameters))
	}
	return s.readRows(ctx, q, parameters)
}

// leave is called when no source has a session any more: it deals with what Vantiq has acknowledged since, so that the next
// process does not send it again.
func (f *fileConnector) leave() {
	ended, end := context.WithCancel(context.Background())
	end()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.directories {
		_ = d.settle(ended) // what is not acknowledged is what Run has returned
	}
}
