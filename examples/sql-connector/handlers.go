package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/vantiq-go/connectorsdk/checkpoint"
	"github.com/vantiq-go/connectorsdk/connector"
)

// sqlConnector is what the sources of this process share.
type sqlConnector struct {
	state string // the directory of positions
	log   *slog.Logger

	mu    sync.Mutex
	store *checkpoint.Store // opened when it is needed
	polls map[string]*poll  // with a key, of the latest sessions
}

// A session is a source's configuration and its database.
type session struct {
	config config
	db     database
}

func newConnector(state string, log *slog.Logger) *sqlConnector {
	return &sqlConnector{state: state, log: log, polls: map[string]*poll{}}
}

func (s *sqlConnector) handlers() connector.Handlers {
	return connector.SessionHandlers[*session]{
		Connect: s.connect,
		Publish: publish,
		Query:   query,
		Close:   closeSession,
	}.Handlers()
}

// connect opens the database, which must answer, and begins to poll.
func (s *sqlConnector) connect(ctx context.Context, c *connector.SourceConnection, document connector.Document) (*session, error) {
	config, err := connector.DecodeConfig[config](document)
	if err != nil {
		return nil, err
	}
	db, err := s.open(ctx, c.Source(), config.SQL.General)
	if err != nil {
		s.log.Debug("the database is not available", "source", c.Source(), "error", err)
		return nil, unavailable(err)
	}
	if err := s.startPolls(c, config, db); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return &session{config, db}, nil
}

func (s *sqlConnector) startPolls(c *connector.SourceConnection, config config, db database) error {
	var polls []*poll
	for _, p := range config.SQL.Polls {
		p := &poll{pollConfig: p, c: c, db: db, timeout: config.SQL.General.Timeout, log: s.log.With("source", c.Source(), "poll", p.Name)}
		if p.Key != "" {
			if err := s.adopt(p); err != nil {
				return err
			}
		}
		polls = append(polls, p)
	}
	for _, p := range polls {
		if err := c.Poll(p.Every, p.poll); err != nil {
			return err
		}
	}
	return nil
}

// adopt gives a poll the position that an earlier session has come to, or an earlier process.
func (s *sqlConnector) adopt(p *poll) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		if s.store, err = checkpoint.Open(s.state); err != nil {
			return err
		}
	}
	p.store, p.position = s.store, new(position)
	if earlier := s.polls[p.positionName()]; earlier != nil {
		p.position = earlier.position
	}
	if err := p.resume(); err != nil {
		return err
	}
	s.polls[p.positionName()] = p
	return nil
}

// leave is called when no source has a session any more: it saves what Vantiq has acknowledged since, so that the next
// process does not send it again.
func (s *sqlConnector) leave() {
	ended, end := context.WithCancel(context.Background())
	end()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.polls {
		if err := p.settle(ended); err != nil {
			p.log.Warn("rows will be sent again by the next process", "error", err)
		}
	}
}

// publish runs a statement, or a batch of them in one transaction.
func publish(ctx context.Context, c *connector.SourceConnection, s *session, message connector.Document) error {
	ctx, cancel := limited(ctx, s.config.SQL.General.Timeout)
	defer cancel()
	statements, err := s.published(message)
	if err == nil {
		err = s.db.exec(ctx, statements)
	}
	if err == nil || !s.config.SQL.General.ReportPublishErrors {
		return err
	}
	return errors.Join(err, c.SendNotification(ctx, newPublishError(err, message)))
}

// query streams the rows of a statement.
func query(ctx context.Context, _ *connector.SourceConnection, s *session, q *connector.Query) error {
	statement, err := s.queried(q.Parameters())
	if err != nil {
		return err
	}
	return connector.Rows(ctx, q, s.db.query(ctx, statement))
}

func closeSession(_ context.Context, _ *connector.SourceConnection, s *session, _ error) error {
	return s.db.close()
}
